"""``harness.toml`` as it works: every setting with its value, given or by default, and never a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from harnesslib.records import HarnessConfig, Record
from harnesslib.records import Settings as RunSettings


class Setting(Record, frozen=True):
    """One setting; `given` is false where it is the default."""

    key: str
    value: Any
    given: bool


class Effective(Record, frozen=True):
    """How a model is asked in a phase, before any rule of the routing."""

    model: str
    phase: str
    settings: RunSettings


class View(Record, frozen=True):
    """The whole file as it works."""

    settings: tuple[Setting, ...]
    effective: tuple[Effective, ...]


def view(config: HarnessConfig, raw: Mapping[str, Any]) -> View:
    """Return every setting of a checked config.

    Parameters
    ----------
    config
        The config, with its defaults.
    raw
        What stands in the file, as TOML gives it: it tells what is given and what is a default.

    Notes
    -----
    Of a key only the variable's name is known here. What follows ``?`` in an address is left out, because
    keys are put there too.
    """
    given = dict(_flat(raw))
    settings = (
        Setting(key=key, value=_masked(key, value), given=key in given)
        for key, value in _flat(msgspec.to_builtins(config))
        if value is not None
    )
    pairs = ((model.id, phase) for phase in config.phases for model in config.models_of(phase))
    effective = (
        Effective(model=model, phase=phase, settings=config.settings_of(model, phase))
        for model, phase in pairs
    )
    return View(settings=tuple(settings), effective=tuple(effective))


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - plain values
    """Yield dotted key and value; a model stands under its id."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{place}.{key}" if place else str(key))
    elif place == "models":
        for model in value:
            yield from _flat({k: v for k, v in model.items() if k != "id"}, f"models.{model['id']}")
    else:
        yield place, list(value) if isinstance(value, tuple) else value


def _masked(key: str, value: Any) -> Any:  # noqa: ANN401 - any value
    if not key.endswith(".base_url") or not value:
        return value
    parts = urlsplit(value)
    return urlunsplit(parts._replace(query="\N{HORIZONTAL ELLIPSIS}" if parts.query else "", fragment=""))
