"""``routing_config.json`` as bytes -> a checked `RoutingConfig`, or why not; one for writer and reader."""

from __future__ import annotations

from typing import Any

import msgspec

from harnesslib.errors import DataError, InputError
from harnesslib.explain import convert
from harnesslib.records import RoutingConfig
from harnesslib.records.routing import ROUTING_VERSION
from harnesslib.routing import LEGACY_VERSION, LegacyRouting, check

CURE = "copy the last good one of generations/ over it; it is never read as empty"


def parse(data: bytes, where: str) -> RoutingConfig:
    """Decode and check one generation.

    Raises
    ------
    DataError
        Torn, not JSON, of another version, against its schema, or with rules that lead nowhere; the message
        names the file and the field.
    """
    raw = _plain(data, where)
    version = _version(raw)
    if version == LEGACY_VERSION:
        raise DataError(
            f"{where}: version: got '{LEGACY_VERSION}', expected '{ROUTING_VERSION}'; cure: `harness config "
            f"migrate` writes it as {ROUTING_VERSION}, and keeps the old file"
        )
    if version != ROUTING_VERSION:
        raise DataError(f"{where}: version: got {version!r}, expected '{ROUTING_VERSION}'; cure: {CURE}")
    config, problem = convert(raw, RoutingConfig)
    if config is None:
        raise DataError(f"{where}: {problem}; cure: {CURE}")
    refuse_unsound(config, where)
    return config


def parse_legacy(data: bytes, where: str) -> LegacyRouting:
    """Decode a file of version 1.0.

    Raises
    ------
    InputError
        It is of the present version: there is nothing to migrate.
    DataError
        Torn, not JSON, of an unknown version, or against the schema of its version.
    """
    raw = _plain(data, where)
    version = _version(raw)
    if version == ROUTING_VERSION:
        raise InputError(f"{where}: is of version {ROUTING_VERSION}; cure: none is needed")
    if version != LEGACY_VERSION:
        raise DataError(f"{where}: version: got {version!r}, expected '{LEGACY_VERSION}'; cure: {CURE}")
    legacy, problem = convert(raw, LegacyRouting)
    if legacy is None:
        cure = "correct the field, or take it out"
        raise DataError(f"{where} (version {LEGACY_VERSION}): {problem}; cure: {cure}")
    return legacy


def _plain(data: bytes, where: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON, or torn ({error}); cure: {CURE}") from error


def _version(raw: Any) -> object:  # noqa: ANN401 - any JSON
    return raw.get("version") if isinstance(raw, dict) else None


def refuse_unsound(config: RoutingConfig, where: str) -> None:
    """Raise DataError that names everything `routing.check` finds."""
    problems = check(config)
    if problems:
        found = "\n".join(f"{where}: {problem}" for problem in problems)
        raise DataError(f"{found}; cure: correct what is named, or {CURE}")
