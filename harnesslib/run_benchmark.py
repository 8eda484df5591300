"""One spec over a suite: the routing is asked first, then warm-up if it says so, then the samples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from harnesslib import routing
from harnesslib.errors import EXIT_INTERRUPTED, HarnessError, InputError
from harnesslib.executors.attempt import Target as Target
from harnesslib.executors.attempt import WarmUp as WarmUp
from harnesslib.executors.attempt import take as take
from harnesslib.executors.attempt import warm_up as warm_up
from harnesslib.executors.bench import Bench, opened
from harnesslib.executors.local import complete
from harnesslib.ports import Effects
from harnesslib.records import (
    Assignment,
    Manifest,
    Resolution,
    Sample,
    Spec,
    Split,
    Suite,
    Summary,
    encode,
    sha256,
)
from harnesslib.records.base import Record
from harnesslib.summarize import summarize


class RunOptions(Record):
    """How a run measures.

    `limit` is the number of cases, 0 = all of the split. `force_model` overrules what the routing denies.
    `isolate` takes each sample in a process of its own: slower, and nothing that happens in one touches
    another.
    """

    repeats: int = 1
    split: Split = "search"
    seed: int = 1
    force_model: bool = False
    limit: int = 0
    isolate: bool = False


class RunResult(Record):
    """What a run found. `warm_ups` is empty where the routing asks for none.

    `digests` are those of the models that were asked, "" where the endpoint has none.
    """

    manifest: Manifest
    resolution: Resolution
    warm_ups: tuple[WarmUp, ...]
    digests: dict[str, str]
    samples: tuple[Sample, ...]
    summary: Summary


class _Found(NamedTuple):
    resolution: Resolution
    digests: dict[str, str]


def sample_seed(*parts: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on nothing but `parts`, on every machine."""
    return int(sha256(encode(parts))[:16], 16) >> 1


def run(model: str, phase: str, effects: Effects, options: RunOptions, manifest: Manifest) -> RunResult:
    """Measure one model in one phase, as the routing in force serves it.

    Parameters
    ----------
    model
        A model, or ``auto`` for the phase's baseline. A denied pair is served by its fallback.
    phase
        A phase of ``harness.toml``.
    effects
        Stores, clients, clock.
    options
        How much, and whether to overrule the routing.
    manifest
        Of the new run, status "running": its directory is made here, and sealed at the end.

    Raises
    ------
    InputError
        Unknown model or phase, or nothing to measure.
    EndpointError
        The endpoint fails the same way again and again; the run is then marked as failed.
    LockedError
        Another process measures this endpoint; the run is then marked as failed.
    """
    resolution = resolve(effects, model, phase, force=options.force_model)
    spec = Spec(model=resolution.model, phase=phase, settings=resolution.settings)
    suite = effects.suites[effects.config.harness().phases[phase].suite]
    assignments = _assignments(spec, suite, resolution.requested_model, options)
    effects.runs.create(manifest)
    try:
        with opened((spec,), effects, run_id=manifest.run_id, state="run", isolate=options.isolate) as bench:
            bench.expect(assignments)
            digests = complete(_measure(bench, assignments))
        bench.check()
    except (HarnessError, KeyboardInterrupt) as error:
        effects.runs.save_manifest(_failed(manifest, error, effects.clock.now()))
        raise
    return _sealed(bench, assignments, _Found(resolution, digests), effects, manifest)


def resolve(effects: Effects, model: str, phase: str, *, force: bool) -> Resolution:
    """Return what serves a request; `force` takes the model itself, whatever the routing denies.

    A model of ``harness.toml`` for which there is no rule yet is taken with the settings that stand there.

    Raises
    ------
    InputError
        An unknown model or phase, or a model to be forced that is none.
    """
    config, harness = effects.config.routing(), effects.config.harness()
    rule = config.rule(model, phase)
    configured = phase in harness.phases and model in {entry.id for entry in harness.models_of(phase)}
    if rule is None and configured:
        settings, reason = harness.settings_of(model, phase), "listed in harness.toml, not routed yet"
    else:
        resolution = routing.resolve(config, model, phase)
        if not force:
            return resolution
        if rule is None:
            raise InputError(
                f"--force-model: got '{model}', expected the name of one model; leave the option out"
            )
        settings, reason = rule.settings, "forced"
    warmup = settings.warmup or (rule is not None and rule.enable_warmup)
    return Resolution(
        requested_model=model,
        phase=phase,
        model=model,
        settings=msgspec.structs.replace(settings, warmup=warmup),
        warmup=warmup,
        fallbacks=(),
        generation=config.generation,
        reason=reason,
    )


async def _measure(bench: Bench, assignments: Sequence[Assignment]) -> dict[str, str]:
    async with bench.connected():
        digests = await bench.digests()
        await bench.take_all(assignments)
    return digests


def _assignments(
    spec: Spec, suite: Suite, requested_model: str, options: RunOptions
) -> tuple[Assignment, ...]:
    """Return one assignment per repeat and case, the cases of each repeat in an order of its own."""
    cases = suite.part(options.split)[: options.limit or None]
    if options.repeats < 1 or not cases:
        raise InputError(
            f"run: got {options.repeats} repeats of {len(cases)} cases; expected at least 1 of both; "
            f"correct --repeats and --limit, or add cases to split '{options.split}' of suite '{suite.name}'"
        )
    jobs = [
        Assignment(
            stage="run",
            spec=spec,
            case_id=case.id,
            repeat=repeat,
            position=0,
            seed=sample_seed(options.seed, "run", spec.phase, case.id, repeat, 0),
            requested_model=requested_model,
        )
        for repeat in range(options.repeats)
        for case in cases
    ]
    return tuple(sorted(jobs, key=lambda job: (job.repeat, sample_seed(job.seed, "order"))))


def _failed(manifest: Manifest, error: BaseException, now: datetime) -> Manifest:
    code = error.exit_code if isinstance(error, HarnessError) else EXIT_INTERRUPTED
    reason = str(error) or "interrupted"
    return msgspec.structs.replace(manifest, status="failed", ended_at=now, reason=reason, exit_code=code)


def _sealed(
    bench: Bench,
    assignments: Sequence[Assignment],
    found: _Found,
    effects: Effects,
    manifest: Manifest,
) -> RunResult:
    samples = bench.samples(assignments)
    summary = summarize(
        samples,
        {job.spec.id: job.spec for job in assignments},
        (),
        run_id=manifest.run_id,
        leaders={},
        policy=effects.config.harness().policy,
    )
    effects.runs.put(manifest.run_id, "resolution", found.resolution)
    effects.runs.put(manifest.run_id, "digests", found.digests)
    effects.runs.put(manifest.run_id, "suites", _suites(assignments, effects))
    effects.runs.put(manifest.run_id, "warm_ups", bench.warm_ups)
    effects.runs.put(manifest.run_id, "summary", summary)
    ended = msgspec.structs.replace(manifest, status="done", ended_at=effects.clock.now(), exit_code=0)
    return RunResult(
        manifest=effects.runs.seal(ended),
        resolution=found.resolution,
        warm_ups=tuple(bench.warm_ups),
        digests=found.digests,
        samples=samples,
        summary=summary,
    )


def _suites(assignments: Sequence[Assignment], effects: Effects) -> dict[str, str]:
    """Return the content hash of each suite, so that a later run knows whether it had the same cases."""
    phases = effects.config.harness().phases
    named = {job.spec.phase for job in assignments}
    return {phase: effects.suites[phases[phase].suite].content_hash for phase in sorted(named)}
