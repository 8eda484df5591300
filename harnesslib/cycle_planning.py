"""The plan of the next cycle of a workspace: what is stored and offered there becomes what is measured."""

from __future__ import annotations

from harnesslib import planning, routing
from harnesslib.benchmark_supervisor import cycle_seed
from harnesslib.cycle_history import finished_cycles, last_feedback, tried_before
from harnesslib.errors import InputError
from harnesslib.executors.local import complete
from harnesslib.model_digests import model_digests
from harnesslib.ports import Effects
from harnesslib.proposing import submitted_candidates
from harnesslib.records import HarnessConfig, Plan, RoutingConfig


def plan_cycle(
    effects: Effects, config: HarnessConfig, run_id: str, *, digests: dict[str, str] | None = None
) -> Plan:
    """Return the plan of a cycle that would begin now. Endpoints list their models; none is asked anything.

    Parameters
    ----------
    effects, config, run_id
        The workspace, what is to be measured of it, the run that the plan is for.
    digests
        Of the models, where they are known; else the endpoints are asked.

    Raises
    ------
    InputError
        The routing and ``harness.toml`` don't fit together.
    EndpointError
        An endpoint can't be used, or does not offer a model of ``harness.toml``.
    """
    in_force = usable_routing(effects, config)
    cycles = finished_cycles(effects)
    submitted, planned = submitted_candidates(effects, config, in_force)
    return planning.make_plan(
        planning.PlanInputs(
            run_id=run_id,
            config=config,
            routing=in_force,
            suites=dict(effects.suites),
            tried=tried_before(effects, cycles),
            digests=complete(model_digests(effects.clients, config)) if digests is None else digests,
            now=effects.clock.now(),
            seed=cycle_seed(config.cycle.seed, len(cycles)),
            feedback=last_feedback(effects, cycles),
            submitted=submitted,
            proposals=planned,
        )
    )


def usable_routing(effects: Effects, config: HarnessConfig) -> RoutingConfig:
    """Return the generation in force; InputError where a phase can't be measured with it."""
    in_force = effects.config.routing()
    for found in routing.mismatches(in_force, config):
        if found.kind in routing.UNUSABLE:
            raise InputError(f"{found.what}; cure: {found.cure}")
    return in_force
