"""``routing_config.json`` as bytes -> a checked `RoutingConfig`, or why not; one for writer and reader."""

from __future__ import annotations

import json

from harnesslib.errors import DataError
from harnesslib.explain import convert
from harnesslib.records import RoutingConfig
from harnesslib.records.routing import ROUTING_VERSION
from harnesslib.routing import check

CURE = "copy the last good one of generations/ over it; it is never read as empty"


def parse(data: bytes, where: str) -> RoutingConfig:
    """Decode and check one generation.

    Raises
    ------
    DataError
        Torn, not JSON, of another version, against its schema, or with rules that lead nowhere; the message
        names the file and the field.
    """
    try:
        raw = json.loads(data)
    except ValueError as error:
        raise DataError(f"{where}: not JSON, or torn ({error}); cure: {CURE}") from error
    version = raw.get("version") if isinstance(raw, dict) else None
    if version != ROUTING_VERSION:
        raise DataError(f"{where}: version: got {version!r}, expected '{ROUTING_VERSION}'; cure: {CURE}")
    config, problem = convert(raw, RoutingConfig)
    if config is None:
        raise DataError(f"{where}: {problem}; cure: {CURE}")
    refuse_unsound(config, where)
    return config


def refuse_unsound(config: RoutingConfig, where: str) -> None:
    """Raise DataError that names everything `routing.check` finds."""
    problems = check(config)
    if problems:
        found = "\n".join(f"{where}: {problem}" for problem in problems)
        raise DataError(f"{found}; cure: correct what is named, or {CURE}")
