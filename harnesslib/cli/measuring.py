"""``harness run`` and ``suite``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import msgspec

from harnesslib.cli.diagnosing import in_short
from harnesslib.cli.output import json_option, progress, quiet_option, show, table, workspace_option
from harnesslib.errors import InputError
from harnesslib.records import SPLITS, Estimate, Repeats, SpecSummary, Split

NO_USAGE = "no sample was answered with its usage throughout"
NO_COST = "harness.toml states no price, or the endpoint no usage"


def interval(estimate: Estimate, scale: float = 1.0) -> str:
    """Return an estimate for people: value and interval, or why there is none."""
    if estimate.value is None:
        return f"n/a ({estimate.reason})"
    value = f"{estimate.value * scale:.3g}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{estimate.low * scale:.3g}, {estimate.high * scale:.3g}]"


def total(value: float | None, known: int | None, samples: int, reason: str) -> str:
    """Return a sum for people, with the samples behind it where that is not all; or why there is none."""
    if value is None:
        return f"n/a ({reason})"
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    return shown if known in {None, samples} else f"{shown} (known of {known} of {samples} samples)"


def in_words(summary: SpecSummary) -> str:
    """Return one spec's summary for people."""
    outcomes = ", ".join(f"{count} {name}" for name, count in summary.outcomes.items() if count)
    rows = [
        ("served accuracy", interval(summary.served)),
        ("skill accuracy", interval(summary.skill)),
        ("restraint", interval(summary.restraint)),
        ("latency p50, ms", interval(summary.latency_p50_s, 1000)),
        ("latency p95, ms", interval(summary.latency_p95_s, 1000)),
        *of_repeats(summary.repeats),
        ("outcomes", outcomes),
        ("requests", str(summary.requests)),
        ("tokens read", total(summary.input_tokens, summary.token_samples, summary.samples, NO_USAGE)),
        ("tokens written", total(summary.output_tokens, summary.token_samples, summary.samples, NO_USAGE)),
        ("cost", total(summary.cost, summary.cost_samples, summary.samples, NO_COST)),
    ]
    return table(("", f"{summary.spec.model} on {summary.spec.phase}, {summary.samples} samples"), rows)


def of_repeats(repeats: Repeats | None) -> list[tuple[str, str]]:
    """Return the rows about repeats; none where no case was asked again."""
    if repeats is None or repeats.k is None:
        return []
    k = repeats.k
    rows = [(f"pass@{k}, pass^{k}", f"{interval(repeats.pass_at_k)}, {interval(repeats.pass_hat_k)}")]
    parts = (repeats.case_variance, repeats.run_variance, repeats.call_variance)
    total = sum(part or 0.0 for part in parts)
    if total > 0:
        named = zip(("cases", "runs", "single calls"), parts, strict=True)
        split = ", ".join(f"{100 * (part or 0.0) / total:.0f} % {name}" for name, part in named)
        rows.append(("variance from", split))
    return rows


@click.command("run")
@click.argument("model")
@click.argument("phase")
@workspace_option
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Samples per case.")
@click.option("--split", type=click.Choice(SPLITS), default="search", show_default=True, help="Which cases.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed asks the same way.")
@click.option("--limit", type=click.IntRange(0), default=0, help="Only the first N cases (0 = all).")
@click.option("--force-model", is_flag=True, help="Measure MODEL even where the routing denies it.")
@click.option("--isolate", is_flag=True, help="Take each sample in a process of its own (slower).")
@quiet_option
@json_option
def run_command(
    model: str,
    phase: str,
    workspace: Path,
    repeats: int,
    split: Split,
    seed: int,
    limit: int,
    force_model: bool,
    isolate: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Measure MODEL on the suite of PHASE, as the routing serves it ('auto': whatever is best now).

    A denied model is served by its fallback, and a model with a warm-up rule is warmed up first.
    """
    from harnesslib.run_benchmark import RunOptions, run
    from harnesslib.run_diagnosis import diagnosed
    from harnesslib.workspace import Workspace

    options = RunOptions(
        repeats=repeats, split=split, seed=seed, force_model=force_model, limit=limit, isolate=isolate
    )
    with Workspace(workspace) as place:
        place.require()
        manifest = place.new_manifest("run", msgspec.to_builtins(options) | {"model": model, "phase": phase})
        effects = place.effects(manifest.run_id)
        with progress(partial(place.runs.read_events, manifest.run_id), "asking the routing", quiet=quiet):
            result = run(model, phase, effects, options, manifest)
        findings = diagnosed(effects, manifest.run_id).findings
    measured = result.summary.specs[0]
    causes = [f"  {in_short(finding)}" for finding in findings]
    if causes:
        causes = ["", "Causes (`harness diagnose` shows their evidence):", *causes]
    lines = [in_words(measured), *causes, "", f"Run: {place.runs.path(manifest.run_id)}"]
    if result.resolution.model != model:
        lines.insert(0, f"{model} was not asked: {result.resolution.reason}\n")
    show(result.summary, "\n".join(lines), as_json=as_json)
    return 0


@click.group("suite")
def suite_command() -> None:
    """List and check suites."""


@suite_command.command("list")
@json_option
def list_suites(as_json: bool) -> int:
    """List the suites that come with harnesslib."""
    from harnesslib.suites import load_suite, packaged

    suites = [load_suite(name, root=Path()) for name in packaged()]
    facts = [
        {
            "name": suite.name,
            "version": suite.version,
            "cases": len(suite.cases),
            "search": len(suite.part("search")),
            "holdout": len(suite.part("holdout")),
            "no_call": sum(not case.wants_call for case in suite.cases),
            "parametric": sum(bool(case.parameters) for case in suite.cases),
            "smoke": sum(case.smoke for case in suite.cases),
            "hash": suite.content_hash,
            "title": suite.title,
        }
        for suite in suites
    ]
    counts = ("cases", "search", "holdout", "no_call", "parametric", "smoke")
    header = ("name", "version", *counts, "title")
    rows = [[str(fact[key]) for key in header] for fact in facts]
    show(facts, table(header, rows), as_json=as_json)
    return 0


@suite_command.command("check")
@click.argument("suites", nargs=-1)
@json_option
def check_suites(suites: tuple[str, ...], as_json: bool) -> int:
    """Check SUITES (names or files; default: those that come with harnesslib)."""
    from harnesslib.suite_proof import prove
    from harnesslib.suites import load_suite, packaged

    problems = {name: prove(load_suite(name, root=Path())) for name in suites or packaged()}
    lines = [
        f"{name}: {'good' if not found else f'{len(found)} problems'}" for name, found in problems.items()
    ]
    lines += [f"{name}: {problem}" for name, found in problems.items() for problem in found]
    show(problems, "\n".join(lines), as_json=as_json)
    if any(problems.values()):
        raise InputError("a suite has problems; correct them before you measure with it")
    return 0


@suite_command.command("import")
@click.argument("kind", metavar="FORMAT", type=click.Choice(["bfcl"]))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Default: NAME.json here.")
@json_option
def import_suite(kind: str, path: Path, output: Path | None, as_json: bool) -> int:  # noqa: ARG001 - one kind
    """Turn files of another benchmark into a suite.

    FORMAT is bfcl: PATH is a question file BFCL_v4_<category>.json of the Berkeley Function-Calling
    Leaderboard, or the folder that holds them, with possible_answer/ in it.
    """
    from harnesslib import storage
    from harnesslib.records import encode_pretty
    from harnesslib.suites import bfcl

    imported = bfcl.import_suite(path)
    target = output or Path(f"{imported.suite.name}.json")
    if target.exists():
        raise InputError(f"{target}: exists; cure: remove it, or name another file with --output")
    storage.write_atomic(target, encode_pretty(imported.suite))
    suite = imported.suite
    lines = [f"{target}: {len(suite.cases)} cases, {len(suite.tools)} tools"]
    lines += [f"left out {one.id}: {one.reason}" for one in imported.left_out]
    lines += [f"not read {name}: its category has more than calls of one turn" for name in imported.not_read]
    facts = {
        "file": str(target),
        "cases": len(suite.cases),
        "tools": len(suite.tools),
        "hash": suite.content_hash,
        "left_out": imported.left_out,
        "not_read": imported.not_read,
    }
    show(facts, "\n".join(lines), as_json=as_json)
    return 0


@suite_command.command("explain")
@click.argument("kind", metavar="FORMAT", type=click.Choice(["bfcl"]))
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("run")
@workspace_option
@json_option
def explain_suite(kind: str, path: Path, run: str, workspace: Path, as_json: bool) -> int:  # noqa: ARG001
    """Name every difference between another benchmark's verdict and ours, over the samples of RUN.

    FORMAT is bfcl: PATH is the question file that the run's suite was imported from.
    """
    from harnesslib.scoring.bfcl import RULES, explain
    from harnesslib.suites.bfcl import import_suite, read_questions
    from harnesslib.workspace import Workspace

    cases = {case.id: case for case in import_suite(path).suite.cases}
    questions = {question.id: question for question in read_questions(path) if question.id in cases}
    with Workspace(workspace) as place:
        samples = [sample for sample in place.runs.samples(run) if sample.case_id in questions]
    if not samples:
        raise InputError(
            f"run {run}: it holds no sample of {path}; expected a run on the suite imported from it"
        )
    found = [
        {
            "case": sample.case_id,
            "repeat": sample.repeat,
            "rule": difference.rule,
            "detail": difference.detail,
        }
        for sample in samples
        if sample.latency_s is not None
        for difference in explain(
            questions[sample.case_id],
            cases[sample.case_id],
            sample.turns,
            sample.detail if sample.outcome == "malformed" else "",
        )
    ]
    lines = [
        f"{one['case']}, repeat {one['repeat']}: {RULES.get(str(one['rule']), one['detail'])}"
        for one in found
    ]
    lines.append(f"{len(samples)} samples, {len(found)} differences")
    show(found, "\n".join(lines), as_json=as_json)
    return 0
