"""What is true of the simulated models: the world file, and how likely each case is to be solved."""

from __future__ import annotations

import hashlib
import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harnesslib import variants
from harnesslib.errors import InputError
from harnesslib.records import (
    AUTO,
    SPLITS,
    Case,
    SimulatedModel,
    SimulatedPhase,
    SimulatedTrouble,
    SimulatedWorld,
    Suite,
)
from harnesslib.suites import quick

T = TypeVar("T", bound=msgspec.Struct)

DEMO_WORLD = Path(__file__).with_name("demo.toml")
"""The packaged world that the demo workspace starts with; its comments explain every field."""

WORLD_VERSION = 1
SURE, HOPELESS, FLAKY = 0.99, 0.01, 0.5
OWN_TASTE = 0.2
"""Share of a case's difficulty that is a model's own; the rest is common to all models."""


def load_world(path: Path | str) -> SimulatedWorld:
    """Read a world file strictly.

    A model that is `like` another comes back with the phases of that other model.

    Raises
    ------
    InputError
        The file is missing or not TOML, or a field is unknown, missing, of the wrong type or out of range.
    """
    where = str(path)
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{where}: can't be read: {error.strerror}; cure: give a world file") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not TOML: {error}; cure: correct the file at that place") from error
    models = _tables(raw.get("models"), f"{where}: models")
    world = _convert({**raw, "models": ()}, SimulatedWorld, where)
    read = tuple(_model(model, f"{where}: models[{number}]") for number, model in enumerate(models))
    _require_sound(world.version, read, where)
    return msgspec.structs.replace(world, models=tuple(_with_phases(model, read) for model in read))


def probabilities(world: SimulatedWorld, model_id: str, suite: Suite) -> dict[str, float]:
    """Return how likely a model is to solve each case, by case id.

    Within each split the mean over the cases that want a call is the declared `accuracy`, over the others
    the declared `restraint`; both hold exactly, for the whole suite and for its quick part. A `flaky_share`
    of the cases (fewer where the mean leaves no room) lie at 0.5, one takes the remainder, the others are
    nearly sure or nearly hopeless. All models share most of the order of difficulty, so a better model
    solves mostly a superset.

    Raises
    ------
    InputError
        There is no such model, or it declares nothing for this suite.
    """
    found = declared(world, model_id, suite.name)
    if found is None:
        at = f"simulated model {model_id!r}, suite {suite.name!r}"
        raise InputError(
            f"{at}: nothing is declared; cure: add [models.phases.{suite.name}] to the world file"
        )
    truth_id, truth = found

    def difficulty(case: Case) -> float:
        common = uniforms(1, world.seed, suite.name, case.id)[0]
        own = uniforms(1, world.seed, suite.name, case.id, truth_id)[0]
        return (1 - OWN_TASTE) * common + OWN_TASTE * own

    in_quick = {case.id for case in quick(suite, suite.name).cases}
    groups = itertools.product(SPLITS, ((True, truth.accuracy), (False, truth.restraint)), (True, False))
    table: dict[str, float] = {}
    for split, (wants_call, mean), member in groups:
        kind = (wants_call, member)
        cases = [case for case in suite.part(split) if (case.wants_call, case.id in in_quick) == kind]
        levels = _spread(mean, len(cases), truth.flaky_share)
        table.update(zip((case.id for case in sorted(cases, key=difficulty)), levels, strict=True))
    return table


def case_probability(world: SimulatedWorld, model_id: str, case: Case, suite: Suite) -> float:
    """Return how likely a model is to solve one case; see `probabilities`, which is cheaper for many."""
    return probabilities(world, model_id, suite)[case.id]


def declared(world: SimulatedWorld, model_id: str, suite_name: str) -> tuple[str, SimulatedPhase] | None:
    """Return the model whose truth holds (another one for `like`) and its numbers for a suite, or none."""
    models = {model.id: model for model in world.models}
    truth_id = (models[model_id].like or model_id) if model_id in models else ""
    return (truth_id, models[truth_id].phases[suite_name]) if _has(models, truth_id, suite_name) else None


def marked(share: float, suite: Suite, *parts: object) -> frozenset[str]:
    """Return the ids of this share of each split's cases, drawn by `parts`."""
    found: set[str] = set()
    for split in SPLITS:
        cases = sorted(suite.part(split), key=lambda case: uniforms(1, *parts, suite.name, case.id))
        found |= {case.id for case in cases[: round(share * len(cases))]}
    return frozenset(found)


def uniforms(count: int, *parts: object) -> tuple[float, ...]:
    """Return `count` (at most 8) reproducible numbers in [0, 1) that depend on all `parts`.

    Notes
    -----
    BLAKE2b of the parts, each 8 bytes read as an integer. A hash has no state to share between requests
    that run at once, and is the same on every machine and Python.
    """
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8 * count).digest()
    return tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "big") / 2**64 for i in range(count))


def _has(models: Mapping[str, SimulatedModel], model_id: str, suite_name: str) -> bool:
    return model_id in models and suite_name in models[model_id].phases


def _spread(mean: float, count: int, flaky_share: float) -> tuple[float, ...]:
    """Return `count` probabilities with this mean, the easiest case first."""
    for flaky in range(round(flaky_share * count), -1, -1):
        steady = count - flaky
        rest = mean * count - FLAKY * flaky
        if steady and HOPELESS * steady <= rest <= SURE * steady:
            sure = min(int((rest - HOPELESS * steady) / (SURE - HOPELESS)), steady - 1)
            hopeless = steady - 1 - sure
            remainder = min(max(rest - SURE * sure - HOPELESS * hopeless, 0.0), 1.0)
            middle = sorted((remainder, *(FLAKY,) * flaky), reverse=True)
            return (*(SURE,) * sure, *middle, *(HOPELESS,) * hopeless)
    return (mean,) * count


def _tables(value: Any, where: str) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401 - it was just read
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise InputError(f"{where}: expected one or more [[models]] tables; cure: add a model")
    return value


def _model(raw: Mapping[str, Any], where: str) -> SimulatedModel:
    name = raw.get("id")
    where = f"{where} ({name})" if isinstance(name, str) else where
    phases = raw.get("phases", {})
    if not isinstance(phases, dict) or not all(isinstance(phase, dict) for phase in phases.values()):
        raise InputError(
            f"{where}.phases: expected tables; cure: write [models.phases.NAME] above the numbers"
        )
    model = _convert({**raw, "phases": {}, "trouble": {}}, SimulatedModel, where)
    trouble = _convert(raw.get("trouble", {}), SimulatedTrouble, f"{where}.trouble")
    model = msgspec.structs.replace(model, trouble=trouble)
    read = {key: _convert(phase, SimulatedPhase, f"{where}.phases.{key}") for key, phase in phases.items()}
    for field, value in _out_of_range(model, read):
        raise InputError(f"{where}.{field}: expected {value[0]}, got {value[1]!r}; cure: correct the number")
    return msgspec.structs.replace(model, phases=read)


def _convert(raw: Mapping[str, Any], type_: type[T], where: str) -> T:
    if not isinstance(raw, Mapping):
        raise InputError(f"{where}: expected a table; cure: write its name in brackets above the numbers")
    for key in raw:
        if key not in type_.__struct_fields__:
            near = get_close_matches(key, type_.__struct_fields__, n=1)
            cure = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(type_.__struct_fields__)}"
            raise InputError(f"{where}: unknown field {key!r}; {cure}")
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        said = str(error).replace("$.", "")
        raise InputError(f"{where}: {said}; cure: see the comments in {DEMO_WORLD.name}") from error


def _out_of_range(
    model: SimulatedModel, phases: Mapping[str, SimulatedPhase]
) -> Iterator[tuple[str, tuple[str, float | str]]]:
    """Yield (field, (what was expected, what stands there)) for each number out of its range."""
    shares = {"malformed_share": model.malformed_share}
    for key, phase in phases.items():
        shares |= {f"phases.{key}.{field}": getattr(phase, field) for field in phase.__struct_fields__}
    numbers = {
        name: getattr(model, name) for name in ("latency_s", "latency_spread", "load_s", "keep_alive_s")
    }
    for name in SimulatedTrouble.__struct_fields__:
        value = getattr(model.trouble, name)
        if isinstance(value, int | float):
            kind = shares if name.endswith(("_share", "_loss")) else numbers
            kind[f"trouble.{name}"] = value
    for field, value in shares.items():
        if not 0 <= value <= 1:
            yield field, ("a share from 0 to 1", value)
    for field, value in numbers.items():
        if not (value >= 0 and math.isfinite(value)):
            yield field, ("a finite number that is not negative", value)
    for variant in model.trouble.unreadable_in:
        if variant not in variants.NAMES:
            yield "trouble.unreadable_in", (f"some of {', '.join(variants.NAMES)}", variant)


def _require_sound(version: int, models: Sequence[SimulatedModel], where: str) -> None:
    """Check what one model alone can't tell."""
    if version != WORLD_VERSION:
        raise InputError(f"{where}: version: expected {WORLD_VERSION}, got {version}; cure: update the file")
    ids = [model.id for model in models]
    own = [model.id for model in models if not model.like]
    for model in models:
        at = f"{where}: model {model.id!r}"
        if not model.id.strip() or model.id == AUTO:
            raise InputError(f"{at}: id: expected a name other than '' and {AUTO!r}; cure: rename it")
        if ids.count(model.id) > 1:
            raise InputError(f"{at}: id: expected unique ids, got it twice; cure: rename one of them")
        if model.like and model.like not in own:
            cure = f"cure: choose one of {', '.join(own)}"
            raise InputError(f"{at}: like: expected a model with its own phases, got {model.like!r}; {cure}")
        if bool(model.like) == bool(model.phases):
            cure = "cure: add [models.phases.NAME] tables, or `like` without any"
            raise InputError(f"{at}: expected either `phases` or `like`, got both or neither; {cure}")


def _with_phases(model: SimulatedModel, models: Sequence[SimulatedModel]) -> SimulatedModel:
    if not model.like:
        return model
    shared = next(other.phases for other in models if other.id == model.like)
    return msgspec.structs.replace(model, phases=shared)
