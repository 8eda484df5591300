"""The cheap daily check: are the baselines where they were? Nothing is compared, decided or applied."""

from __future__ import annotations

import msgspec

from harnesslib.benchmark_supervisor import measure
from harnesslib.benchmark_supervisor.layout import Block, arms, assignments
from harnesslib.cycle_history import watch_baselines
from harnesslib.cycle_planning import plan_cycle, usable_routing
from harnesslib.errors import HarnessError
from harnesslib.ports import Effects
from harnesslib.records import Assignment, Drift, HarnessConfig, Manifest, PhasePlan, Plan
from harnesslib.run_benchmark import sample_seed
from harnesslib.summarize import summarize

SWEEPS = 2
"""How often each case of the search split is asked."""


def run_sentinel(effects: Effects, manifest: Manifest) -> Drift:
    """Measure every phase's baseline a little, and compare it with the runs before.

    Parameters
    ----------
    effects
        Clients, stores, clock.
    manifest
        Of the new run, of kind "sentinel": its directory is made here, and sealed at the end.

    Raises
    ------
    EndpointError
        An endpoint can't be used.
    LockedError
        Another process measures one of the endpoints.
    """
    config = _baselines_only(effects)
    run_id = manifest.run_id
    plan = plan_cycle(effects, config, run_id)
    seed = sample_seed(plan.seed, "sentinel", len(effects.runs.manifests()))
    plan = msgspec.structs.replace(plan, seed=seed, phases=tuple(map(_alone, plan.phases)), proposals=())
    effects.runs.create(manifest)
    try:
        drift = _drift(effects, config, plan)
    except (HarnessError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted"
        failed = msgspec.structs.replace(
            manifest, status="failed", ended_at=effects.clock.now(), reason=reason
        )
        effects.runs.save_manifest(failed)
        raise
    _seal(effects, manifest, drift)
    return drift


def _drift(effects: Effects, config: HarnessConfig, plan: Plan) -> Drift:
    run_id = plan.run_id
    effects.runs.put(run_id, "plan", plan)
    specs = {phase.baseline.id: phase.baseline for phase in plan.phases}
    samples = measure(_assignments(plan, effects), effects, run_id=run_id, state="sentinel")
    summary = summarize(samples, specs, (), run_id=run_id, leaders={}, policy=config.policy)
    effects.runs.put(run_id, "summary", summary)
    drift = watch_baselines(effects, plan, summary)
    effects.runs.put(run_id, "drift", drift)
    return drift


def _baselines_only(effects: Effects) -> HarnessConfig:
    """Return the config with nobody in it but what serves now."""
    config = effects.config.harness()
    in_force = usable_routing(effects, config)
    serving: dict[str, list[str]] = {}
    for phase in config.phases:
        serving.setdefault(in_force.baselines[phase].spec.model, []).append(phase)
    models = tuple(
        msgspec.structs.replace(model, phases=tuple(serving[model.id]))
        for model in config.models
        if model.id in serving
    )
    return msgspec.structs.replace(config, models=models)


def _alone(phase: PhasePlan) -> PhasePlan:
    return msgspec.structs.replace(phase, candidates=(), skipped=(), origins={})


def _assignments(plan: Plan, effects: Effects) -> tuple[Assignment, ...]:
    """Return all cases of all phases, mixed, sweep after sweep."""
    jobs = [
        job
        for phase in plan.phases
        for job in assignments(
            [
                Block(case, sweep, arms(phase.baseline))
                for sweep in range(SWEEPS)
                for case in effects.suites[phase.suite].part("search")
            ],
            seed=plan.seed,
            stage="screen",
        )
    ]
    return tuple(sorted(jobs, key=lambda job: (job.repeat, sample_seed(job.seed, "order"))))


def _seal(effects: Effects, manifest: Manifest, drift: Drift) -> None:
    verdict = "; ".join(f"{each.phase}: {each.headline}" for each in drift.phases)
    ended = msgspec.structs.replace(
        manifest, status="done", ended_at=effects.clock.now(), exit_code=0, verdict=verdict
    )
    effects.runs.seal(ended)
