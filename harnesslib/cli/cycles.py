"""``harness cycle``, ``demo`` and ``report``: run a cycle through its notebook, and show how it ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from harnesslib import processes
from harnesslib.cli.gating import Asked, gate_options, judge
from harnesslib.cli.looking import run_sentinel_here, show_plan
from harnesslib.cli.output import json_option, progress, quiet_option, say, show, table, workspace_option
from harnesslib.errors import EXIT_NOT_PROMOTED, HarnessError, InputError, LockedError
from harnesslib.records import CycleOutcome, Manifest, PhaseCheck
from harnesslib.records.base import Record

if TYPE_CHECKING:
    from harnesslib.report import Section
    from harnesslib.workspace import Workspace


class CycleResult(Record):
    """What ``harness cycle`` prints with --json."""

    outcome: CycleOutcome
    report: str
    notebook: str
    checks: tuple[PhaseCheck, ...] = ()


class CyclesResult(Record):
    """What ``harness cycle --cycles N`` prints with --json; `stopped` says why no further one was run."""

    cycles: tuple[CycleResult, ...]
    stopped: str


@click.command("cycle")
@workspace_option
@click.option(
    "--resume",
    "run_id",
    metavar="RUN",
    default="",
    help="Go on with this cycle ('last' = the newest unfinished).",
)
@click.option("--new", "afresh", is_flag=True, help="Begin a new cycle, also where one is unfinished.")
@click.option(
    "--cycles", type=click.IntRange(1), default=1, show_default=True, help="At most so many, one by one."
)
@click.option("--dry-run", is_flag=True, help="Plan and predict only: ask nothing, change nothing.")
@click.option("--sentinel", is_flag=True, help="Only measure what serves, and say whether it has moved.")
@click.option("--require-promote", is_flag=True, help="Exit with 3 when nothing was promoted and kept.")
@gate_options
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=1), help="Stop after so many seconds.")
@quiet_option
@json_option
def cycle_command(
    workspace: Path,
    run_id: str,
    afresh: bool,
    cycles: int,
    dry_run: bool,
    sentinel: bool,
    require_promote: bool,
    require_no_regression: bool,
    summary: Path | None,
    junit: Path | None,
    timeout_s: float | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a cycle: measure, decide, apply, prove, keep or undo.

    The cycle is a notebook run by papermill; its executed copy and the HTML report lie in the run's
    folder. Nothing is asked: what passes all gates is applied, measured again on fresh cases, and kept or
    rolled back. A cycle that was stopped is gone on with. With --cycles it ends early when nothing is due.
    With --sentinel it exits with 9 when a baseline has moved.
    """
    from harnesslib.workspace import Workspace

    if (run_id != "") + afresh + dry_run + sentinel > 1:
        raise InputError("harness cycle: name at most one of --resume, --new, --dry-run, --sentinel")
    with Workspace(workspace) as place:
        place.require()
        if dry_run:
            return show_plan(place, as_json=as_json)
        with alone(place):
            if sentinel:
                return run_sentinel_here(place, quiet=quiet, as_json=as_json)
            results = run_cycles(place, run_id, cycles, afresh=afresh, timeout_s=timeout_s, quiet=quiet)
        asked = Asked(require_no_regression, summary, junit)
        regressed, checks = judge(place, results.cycles[-1].outcome.run_id, asked)
    checked = msgspec.structs.replace(results.cycles[-1], checks=checks)
    results = msgspec.structs.replace(results, cycles=(*results.cycles[:-1], checked))
    show(results if cycles > 1 else checked, cycles_in_words(results), as_json=as_json)
    improved = any(one.outcome.status in {"promoted", "partly_kept"} for one in results.cycles)
    return regressed or (EXIT_NOT_PROMOTED if require_promote and not improved else 0)


@click.command("demo")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@quiet_option
@json_option
def demo_command(folder: Path, quiet: bool, as_json: bool) -> int:
    """Make a demo workspace in FOLDER if there is none, and run one cycle in it.

    The demo measures six simulated models, served by the built-in server on this machine, whose truth is
    declared: the report ends with what was concluded beside what is true.
    """
    from harnesslib.cli.setting_up import init_demo
    from harnesslib.workspace import Workspace

    with Workspace(folder) as place:
        if place.is_unfinished():
            place.finish()
        elif not place.exists():
            init_demo(place)
            say(f"Made a demo workspace in {place.root}")
        with alone(place):
            result = run_cycle(place, "", timeout_s=None, quiet=quiet)
    show(result, in_words(result), as_json=as_json)
    return 0


@click.command("report")
@click.argument("run", default="last")
@workspace_option
@json_option
def report_command(run: str, workspace: Path, as_json: bool) -> int:
    """Render the HTML report of a cycle again and print its path (RUN: an id, or 'last')."""
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        manifest = place.runs.latest(kind="cycle") if run == "last" else place.runs.manifest(run)
        if manifest is None:
            raise InputError(f"{place.root}: no cycle has been run yet; run one with `harness cycle`")
        report = render(place, manifest.run_id)
    show({"run_id": manifest.run_id, "report": str(report)}, str(report), as_json=as_json)
    return 0


@contextmanager
def alone(place: Workspace) -> Iterator[None]:
    """Keep other cycles out of the workspace, from before there is a run until its report is written.

    A notebook takes the lock "cycle" only when its kernel is up; until then two starts would take each
    other's run for one that was left unfinished.

    Raises
    ------
    LockedError
        A cycle is running here.
    """
    from harnesslib.lock_manager import LockManager

    locks = LockManager(place.root / ".locks", command="harness cycle")
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.hold("runner", wait_s=0.0))
        except LockedError:
            _refuse_beside(place, "runner")
            raise
        _refuse_beside(place, "cycle")
        yield


def _refuse_beside(place: Workspace, lock: str) -> None:
    owner = place.locks.owner(lock)
    if owner:
        raise LockedError(
            f"workspace {place.root}: a cycle is running here (pid {owner.pid} on {owner.host} since "
            f"{owner.since:%H:%M:%S}); wait for it to end, then try again"
        ) from None


def run_cycles(
    place: Workspace, run_id: str, cycles: int, *, afresh: bool, timeout_s: float | None, quiet: bool
) -> CyclesResult:
    """Run cycles one after another: the first goes on with what is unfinished, unless a new one is wanted."""
    done: list[CycleResult] = []
    named = run_id or ("" if afresh else unfinished(place))
    for number in range(cycles):
        chosen = named if number == 0 else ""
        done.append(run_cycle(place, chosen, timeout_s=timeout_s, quiet=quiet))
        if number + 1 < cycles and not anything_due(place, done[-1].outcome.run_id):
            return CyclesResult(cycles=tuple(done), stopped="nothing is due: every candidate has been tried")
    return CyclesResult(cycles=tuple(done), stopped=f"{cycles} were asked for")


def anything_due(place: Workspace, run_id: str) -> bool:
    """Whether a cycle that would begin now has a candidate, the models being those of the last one."""
    from harnesslib.cycle_planning import plan_cycle
    from harnesslib.records import Plan

    last = place.runs.load(run_id, "plan", Plan)
    effects, config = place.effects(endpoints=False), place.config.harness()
    plan = plan_cycle(effects, config, "next", digests=last.digests if last else {})
    return any(phase.candidates for phase in plan.phases)


def unfinished(place: Workspace) -> str:
    """Return the newest cycle if it is unfinished and can be gone on with; "" begins a new one.

    One that can't, because the routing or a suite has changed since, is named on stderr.
    """
    from harnesslib.cycle_history import why_not_resumable

    newest = place.runs.latest(kind="cycle")
    if newest is None or _is_over(place, newest):
        return ""
    sealed = newest.status == "done"
    reason = "" if sealed else why_not_resumable(place.effects(endpoints=False), newest.run_id)
    said = f"is left as it is: {reason}" if reason else "is gone on with (--new begins a new one)"
    say(f"Cycle {newest.run_id} was not finished, and {said}")
    return "" if reason else newest.run_id


def run_cycle(place: Workspace, run_id: str, *, timeout_s: float | None, quiet: bool) -> CycleResult:
    """Run (or go on with) a cycle through its notebook; the report is rendered whatever happens."""
    from harnesslib.notebook_runner import run_notebook
    from harnesslib.notices import tell_ended

    run_id = _reopened(place, run_id) if run_id else place.new_cycle({"resumed": False})
    folder = place.runs.path(run_id)
    os.environ["HARNESS_COMMAND"] = "harness cycle"
    # While the kernel works there is time to load what renders the report.
    threading.Thread(target=import_module, args=("harnesslib.report.page",), daemon=True).start()
    try:
        with progress(partial(place.runs.read_events, run_id), "starting the notebook kernel", quiet=quiet):
            run_notebook(
                notebook_path("cycle"),
                folder / "cycle.ipynb",
                {"workspace": str(place.root), "run_id": run_id},
                run_id=run_id,
                timeout_s=timeout_s,
                log_dir=folder,
            )
    except HarnessError as error:
        close_failed(place, run_id, error)
        raise
    report = render(place, run_id)
    outcome = place.runs.load(run_id, "outcome", CycleOutcome)
    if outcome is None:
        raise InputError(
            f"{folder}: the notebook ended without an outcome; was notebooks/cycle.ipynb changed?"
        )
    say_problems(tell_ended(place, outcome, report))
    return CycleResult(outcome=outcome, report=str(report), notebook=str(folder / "cycle.ipynb"))


def close_failed(place: Workspace, run_id: str, error: HarnessError) -> None:
    """Write down why a cycle failed, and render what there is."""
    from harnesslib.cli.reports import publish_index
    from harnesslib.notices import tell_failed

    manifest = place.runs.manifest(run_id)
    if manifest.status == "running":
        changes: dict[str, Any] = {"status": "failed", "reason": str(error), "exit_code": error.exit_code}
        place.runs.save_manifest(msgspec.structs.replace(manifest, ended_at=place.clock.now(), **changes))
    report = None
    if (place.runs.path(run_id) / "cycle.ipynb").is_file():
        report = render(place, run_id)
        say(f"What there is of this cycle: {report}")
        say(f"Go on with it: harness cycle --resume {run_id}")
    else:
        publish_index(place)
    say_problems(tell_failed(place, run_id, error, report))


def say_problems(problems: tuple[str, ...]) -> None:
    """Say what went wrong with hooks; it changes no exit code."""
    for problem in problems:
        say(f"harness: {problem}")


def _reopened(place: Workspace, run_id: str) -> str:
    """Return the cycle to go on with, reopened by this process."""
    open_ones = [m for m in place.runs.manifests() if m.kind == "cycle" and not _is_over(place, m)]
    chosen = open_ones[-1:] if run_id == "last" else [m for m in open_ones if m.run_id == run_id]
    if not chosen:
        raise InputError(
            f"--resume {run_id}: no unfinished cycle of that name; unfinished: "
            f"{', '.join(m.run_id for m in open_ones) or 'none'}"
        )
    if chosen[0].status == "done":
        return chosen[0].run_id
    changes: dict[str, Any] = {"status": "running", "ended_at": None, "reason": "", "exit_code": None}
    changes |= {"pid": os.getpid(), "pid_started": processes.started()}
    place.runs.save_manifest(msgspec.structs.replace(chosen[0], **changes))
    return chosen[0].run_id


def _is_over(place: Workspace, manifest: Manifest) -> bool:
    """Whether nothing is left to do: a cycle that was killed after its seal still owes its report."""
    from harnesslib.run_seal import SEAL

    folder = place.runs.path(manifest.run_id)
    owes_report = (folder / "cycle.ipynb").exists() and not (folder / SEAL).exists()
    return manifest.status == "done" and not owes_report


def render(place: Workspace, run_id: str) -> Path:
    """Render a cycle's report from its executed notebook."""
    from harnesslib.cli.reports import publish_index
    from harnesslib.report.page import render as render_page
    from harnesslib.run_seal import REPORT, seal_report

    folder = place.runs.path(run_id)
    executed = folder / "cycle.ipynb"
    if not executed.is_file():
        raise InputError(
            f"{folder}: this cycle has no executed notebook; go on with it: harness cycle --resume {run_id}"
        )
    finished = place.runs.manifest(run_id).status == "done"
    render_page(executed, folder / REPORT, () if finished else _known_sections(place, run_id))
    if finished:
        seal_report(folder, run_id)
    publish_index(place)
    return folder / REPORT


def _known_sections(place: Workspace, run_id: str) -> tuple[Section, ...]:
    """Return what can be said of a cycle that did not finish, whichever of its cells ran."""
    from harnesslib.cycle_history import load_records
    from harnesslib.report import SECTIONS

    try:
        records = load_records(place.stores(), run_id)
    except HarnessError as error:
        say(f"harness: the report shows only what the notebook holds: {error}")
        return ()
    return tuple(part for part in (make(records) for make in SECTIONS) if not part.empty)


def notebook_path(name: str) -> Path:
    """Return a notebook that comes with the package: in the wheel, or beside a source checkout."""
    folder = notebook_folder()
    if (folder / f"{name}.ipynb").is_file():
        return folder / f"{name}.ipynb"
    known = ", ".join(sorted(path.stem for path in folder.glob("*.ipynb")))
    raise InputError(f"notebook '{name}': there is none of that name; there are: {known}")


def notebook_folder() -> Path:
    """Return where the notebooks of the package lie."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_notebooks", package.parent / "notebooks"):
        if (folder / "cycle.ipynb").is_file():
            return folder
    raise InputError("the notebooks are not installed; reinstall harnesslib")


def cycles_in_words(results: CyclesResult) -> str:
    """Return the ends of several cycles for people."""
    parts = [in_words(result) for result in results.cycles]
    if len(parts) > 1 or results.stopped.startswith("nothing"):
        parts.append(f"Cycles: {len(parts)}; no further one: {results.stopped}.")
    return "\n".join(parts)


def in_words(result: CycleResult) -> str:
    """Return the end of a cycle for people."""
    outcome = result.outcome
    lines = ["", f"Verdict: {outcome.headline}", ""]
    rows = [
        (phase, model, "n/a" if outcome.accuracy[phase] is None else f"{outcome.accuracy[phase]:.1%}")
        for phase, model in sorted(outcome.baselines.items())
    ]
    lines += [table(("phase", "served by", "served accuracy"), rows), ""]
    if outcome.truth:
        right = sum(row.right for row in outcome.truth)
        lines += [
            f"Simulated models: {right} of {len(outcome.truth)} conclusions agree with the declared truth.",
            "",
        ]
    lines += [
        f"Routing: generation {outcome.generation} (before: {outcome.generation_before})",
        f"Report: {result.report}",
    ]
    return "\n".join(lines)
