"""``harness calibrate``: how often the policy in force errs, and what it finds, by simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, quiet_option, show, table, workspace_option
from harnesslib.errors import InputError
from harnesslib.records import Estimate

if TYPE_CHECKING:
    from harnesslib.calibration import Calibration, PhaseCalibration


@click.command("calibrate")
@workspace_option
@click.option("--phase", "phases", multiple=True, metavar="PHASE", help="Only this phase (may be repeated).")
@click.option(
    "--replicates", type=click.IntRange(10), default=2000, show_default=True, help="Cycles per kind of world."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same numbers.")
@quiet_option
@json_option
def calibrate_command(
    workspace: Path, phases: tuple[str, ...], replicates: int, seed: int, quiet: bool, as_json: bool
) -> int:
    """Simulate the policy in force on your own suites: errors, power, calls and cost.

    No model is asked. Where the newest runs have seen the baseline on every case, its chances are drawn from
    those calls; elsewhere from those of a typical suite.
    """
    from harnesslib import calibration
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        effects = place.effects(endpoints=False)
    config = effects.config.harness()
    unknown = sorted(set(phases) - set(config.phases))
    if unknown:
        raise InputError(
            f"--phase {unknown[0]}: no such phase; got {unknown[0]}, expected one of "
            f"{', '.join(config.phases)}; name one of them, or none for all"
        )
    result = calibration.calibrate(
        [calibration.facts_of(phase, effects) for phase in phases or config.phases],
        config.policy,
        replicates=replicates,
        seed=seed,
        say=(lambda _: None) if quiet else (lambda words: click.echo(words, err=True)),
    )
    show(result, in_words(result), as_json=as_json)
    return 0


def in_words(result: Calibration) -> str:
    """Return the rates as one table per phase."""
    head = (
        f"alpha {result.alpha:g}, verify_alpha {result.verify_alpha:g}, "
        f"smallest_gain {result.smallest_gain:g}; {result.replicates} simulated cycles per row, "
        f"seed {result.seed}; \N{PLUS-MINUS SIGN}: 95 % Monte Carlo error"
    )
    return "\n\n".join((head, *(_phase(phase) for phase in result.phases)))


def _phase(phase: PhaseCalibration) -> str:
    shares = ("wrong %", "wrong kept %", "found %", "found, kept %")
    header = ("candidates are", *shares, "calls", "verify calls", "cost", "credited bias, points")
    rows = [
        (
            cell.world if cell.world.isalpha() else f"one {cell.world} points",
            *(_number(each, 100) for each in (cell.wrong, cell.wrong_kept, cell.found, cell.found_kept)),
            _number(cell.calls),
            _number(cell.verify_calls),
            _number(cell.cost),
            _number(cell.credited_bias, 100),
        )
        for cell in phase.cells
    ]
    about = (
        f"{phase.phase}: {phase.search_cases} search and {phase.holdout_cases} holdout cases, "
        f"{phase.candidates} candidate{'s' * (phase.candidates > 1)}; chances: {phase.basis}"
    )
    return f"{about}\n{table(header, rows)}"


def _number(estimate: Estimate, scale: float = 1.0) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "n/a"
    value, low, high = (scale * each for each in (estimate.value, estimate.low, estimate.high))
    return f"{value:.3g} \N{PLUS-MINUS SIGN}{max(high - value, value - low):.2g}"
