"""Whether a finished cycle is what it was: its numbers, and the chain from its report to the routing.

Nothing here trusts a number because it is written down: samples are summarized again, verdicts follow from
their gates again, the report's key numbers are made again from the records, and every link (report, run,
decisions, log, generation) is compared with the next one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec

from harnesslib.cycle_history import load_records
from harnesslib.errors import HarnessError, InputError
from harnesslib.harness_feedback_loop import cold_calls
from harnesslib.records import (
    Comparison,
    CycleRecords,
    Decision,
    PolicyConfig,
    Sample,
    Spec,
    Summary,
    sha256,
)
from harnesslib.records.base import Record
from harnesslib.records.routing import IN_FORCE
from harnesslib.report.html import escape
from harnesslib.report.view.numbers import plural
from harnesslib.report.view.verdict import verdict
from harnesslib.routing_log import verify as verify_log
from harnesslib.run_journal import JOURNAL
from harnesslib.run_seal import REPORT, seal_problems
from harnesslib.run_store import TABLE
from harnesslib.storage import read, read_if_there
from harnesslib.summarize import summarize
from harnesslib.workspace import Workspace

_RUN = re.compile(rb'<data value="([A-Za-z0-9][A-Za-z0-9._-]{0,119})" data-fact="run">')
_CLOSE = 1e-9
_VERIFYING = ("verify", "verify_sessions", "verify_fallback")


class Step(Record):
    """One thing that was checked: what, how much of it, and each problem in one sentence."""

    name: str
    checked: str
    problems: tuple[str, ...]


class RunAudit(Record):
    """What `harness verify` found. No problem = every number comes out again, and no byte was changed."""

    run_id: str
    steps: tuple[Step, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems, in the order of the steps."""
        return tuple(problem for step in self.steps for problem in step.problems)


def run_of_report(report: Path) -> str:
    """Return the run that a report says it is of; InputError for a page that is no report."""
    found = _RUN.search(read(report))
    if found is None:
        raise InputError(f"{report}: no report of a cycle; name one, or a run's id")
    return found.group(1).decode()


def audit_run(place: Workspace, run_id: str, report: Path | None = None) -> RunAudit:
    """Check one finished cycle of a workspace.

    Parameters
    ----------
    place
        The workspace.
    run_id
        The cycle.
    report
        A copy of its report, to be checked in place of the one in the run's folder.

    Raises
    ------
    DataError
        There is no such run.
    """
    manifest = place.runs.manifest(run_id)
    if manifest.status != "done":
        open_end = f"is not finished ({manifest.reason or manifest.status}), so nothing of it is sealed"
        problem = f"run '{run_id}': {open_end}; go on with it: harness cycle --resume {run_id}"
        return RunAudit(run_id=run_id, steps=(Step(name="data", checked="finished", problems=(problem,)),))
    steps = [_step("data", "files as sealed", lambda: place.runs.check(run_id))]
    if manifest.kind != "cycle":
        return RunAudit(run_id=run_id, steps=tuple(steps))
    folder = place.runs.path(run_id)
    written = "report, notebook, logs and manifest as sealed"
    steps.append(_step("folder", written, lambda: seal_problems(folder, run_id)))
    steps.append(_step("log", "the chain, and the routing in force", lambda: _log(place)))
    try:
        records = load_records(place.stores(), run_id)
    except HarnessError as error:
        unread = Step(name="records", checked="decode", problems=(_short(error),))
        return RunAudit(run_id=run_id, steps=(*steps, unread))
    numbers = plural(len(records.samples), "sample")
    page = report or folder / REPORT
    steps += [
        _step("table", f"{TABLE} against {JOURNAL}, {numbers}", lambda: _table(place, records)),
        _step("numbers", f"recomputed from {numbers}", lambda: _numbers(records)),
        _step("decisions", _tally(records), lambda: _decisions(records)),
        _step("routing", "decisions, log and generations", lambda: _routing(place, records)),
        _step("report", "key numbers against the records", lambda: _report(page, folder, records)),
    ]
    return RunAudit(run_id=run_id, steps=tuple(steps))


def _step(name: str, checked: str, find: Callable[[], Iterable[str]]) -> Step:
    try:
        problems = tuple(find())
    except HarnessError as error:
        problems = (_short(error),)
    return Step(name=name, checked=checked, problems=problems)


def _short(error: HarnessError) -> str:
    return str(error).partition("; cure")[0]


def _log(place: Workspace) -> tuple[str, ...]:
    stored = place.config.newest_stored()
    return verify_log(place.log.path, place.config.routing_sha256(), stored=stored).problems


def _tally(records: CycleRecords) -> str:
    return plural(len(records.decisions.decisions) if records.decisions else 0, "decision")


def _table(place: Workspace, records: CycleRecords) -> Iterator[str]:
    """Compare the sealed table with the journal it was made of, sample by sample."""
    frame = place.runs.load_samples_frame(records.manifest.run_id)
    if len(frame) != len(records.samples):
        yield f"{TABLE}: {len(frame)} rows, {JOURNAL} has {len(records.samples)} samples"
        return
    told = frame[["stage", "spec_id", "case_id", "repeat", "session", "outcome"]].itertuples(index=False)
    for number, (row, sample) in enumerate(zip(told, records.samples, strict=True), start=1):
        kept = (*sample.key, sample.outcome)
        if tuple(row) != kept:
            yield f"{TABLE}: row {number} is {tuple(row)}, {JOURNAL} says {kept}"
            return


def _numbers(records: CycleRecords) -> Iterator[str]:
    """Summarize the samples again, and compare with what is written down."""
    if records.summary is not None:
        found = [sample for sample in records.samples if sample.stage not in _VERIFYING]
        yield from _again(records, records.summary, found, "summary.json")
    verified = records.verifications
    if verified is None or verified.evidence is None:
        return
    found = [sample for sample in records.samples if sample.stage in _VERIFYING]
    yield from _again(records, verified.evidence, found, "verification.json")
    yield from _credited(records, verified.evidence)


def _again(records: CycleRecords, stored: Summary, samples: list[Sample], where: str) -> Iterator[str]:
    rules = records.plan.policy if records.plan else None
    specs: dict[str, Spec] = {item.spec.id: item.spec for item in stored.specs}
    specs |= {spec.id: spec for c in stored.comparisons for spec in (c.candidate, c.baseline)}
    made = summarize(
        samples,
        specs,
        [(c.stage, c.candidate.id, c.baseline.id) for c in stored.comparisons],
        run_id=stored.run_id,
        leaders=stored.leaders,
        policy=rules or PolicyConfig(),
        cold=cold_calls(samples),
        selected=frozenset(item.spec.id for item in stored.specs if item.selected),
    )
    for name in ("specs", "comparisons", "sessions"):
        before = {_key(item): msgspec.to_builtins(item) for item in getattr(stored, name)}
        after = {_key(item): msgspec.to_builtins(item) for item in getattr(made, name)}
        for path, old, new in _differences(before, after, name):
            yield f"{where}: {path} is {old}, the samples give {new}"


def _key(item: Any) -> str:  # noqa: ANN401 - a spec summary, a comparison or sessions
    if isinstance(item, Comparison):
        return f"{item.stage} {item.candidate.id} {item.baseline.id}"
    if hasattr(item, "spec"):
        return f"{item.stage} {item.spec.id}"
    return f"{item.stage} {item.phase} {item.model}"


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(old.get(name), new.get(name), f"{path}, {name}")
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for number, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _differences(left, right, f"{path}[{number}]")
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=_CLOSE, abs_tol=_CLOSE):
            yield path, old, new
    elif old != new:
        yield path, old, new


def _credited(records: CycleRecords, evidence: Summary) -> Iterator[str]:
    """Compare each credited gain with the comparison that it is taken from."""
    made = {d.id: d for d in records.decisions.decisions} if records.decisions else {}
    for item in records.verifications.verifications if records.verifications else ():
        decision = made.get(item.decision_id)
        if decision is None:
            yield f"verification.json: {item.decision_id} was verified, and never decided"
            continue
        seen = _seen(decision, evidence)
        if item.effect.value is not None and item.effect not in seen:
            yield f"verification.json: {item.decision_id} is credited with {item.effect.value}, not measured"


def _seen(decision: Decision, evidence: Summary) -> list[Any]:
    spec = decision.recommendation.spec
    gains = [c.effect for c in evidence.comparisons if c.candidate.id == spec.id]
    return gains + [s.effect for s in evidence.sessions if (s.model, s.phase) == (spec.model, spec.phase)]


def _released(records: CycleRecords) -> set[str]:
    """Return the promoted decisions that the cycle put in force by itself."""
    promoted = {decision.id for decision in records.decisions.promoted} if records.decisions else set()
    return promoted - {item.decision_id for item in (records.proposed.held if records.proposed else ())}


def _decisions(records: CycleRecords) -> Iterator[str]:
    """Let every verdict follow from its gates again, and every routing change from a verdict."""
    if records.decisions is None:
        return
    for decision in records.decisions.decisions:
        results = {gate.verdict for gate in decision.gates}
        due = "REJECT" if "fail" in results else "HOLD" if "unknown" in results else "PROMOTE"
        if decision.verdict != due:
            yield f"decisions.json: {decision.id} is {decision.verdict}, its gates say {due}"
    promoted = _released(records)
    proven = records.verifications.verifications if records.verifications else ()
    for name in sorted(promoted ^ {item.decision_id for item in proven}):
        yield f"verification.json: {name} was promoted or verified, and not both"


def _routing(place: Workspace, records: CycleRecords) -> Iterator[str]:
    """Follow the decisions to the log's entries of this run, and these to the generations."""
    promoted = _released(records)
    logged = {name for entry in records.log for name in entry.decision_ids}
    for name in sorted(promoted - logged):
        yield f"routing_decisions.jsonl: {name} was promoted, and no entry of this run names it"
    used = {entry.generation for entry in records.log} | {records.plan.generation if records.plan else 0}
    for entry in place.log.entries():
        if entry.event not in IN_FORCE or entry.generation not in used:
            continue
        path = place.config.generations / f"{entry.generation:06d}.json"
        data = read_if_there(path)
        if data is None or sha256(data) != entry.config_sha256:
            found = "missing" if data is None else f"hash {sha256(data)[:12]}"
            yield f"generations/{path.name}: {found}, entry {entry.seq} says {entry.config_sha256[:12]}"
    generations = {entry.generation for entry in records.log}
    outcome, verified = records.outcome, records.verifications
    if outcome and verified and outcome.generation != verified.generation:
        yield f"outcome.json: ends at generation {outcome.generation}, verification at {verified.generation}"
    if outcome and promoted and outcome.generation not in generations | {outcome.generation_before}:
        yield f"outcome.json: ends at generation {outcome.generation}, which no entry of this run names"


def _report(report: Path, folder: Path, records: CycleRecords) -> Iterator[str]:
    """Make the key numbers of the report again, and compare them with what the page claims."""
    page = read_if_there(report)
    if page is None:
        yield f"{report.name}: is missing; render it again with `harness report {records.manifest.run_id}`"
        return
    own = read_if_there(folder / REPORT)
    if own is not None and own != page:
        yield f"{report.name}: differs from {REPORT} in the run's folder"
    claims = _Claims()
    claims.feed(page.decode(errors="replace"))
    view = verdict(records)
    due = {fact.key: (fact.exact, fact.value) for fact in view.facts}
    due["run"] = (view.run_id, view.run_id)
    due["heading"] = ("", view.title)
    for key, pair in due.items():
        expected = (_shown(pair[0]), _shown(pair[1]))
        claimed = claims.found.get(_shown(key))
        if claimed is None:
            yield f"{report.name}: does not show '{key}', the records give {pair[1]}"
        elif claimed != expected:
            yield f"{report.name}: '{key}' is {_told(claimed)}, the records give {_told(expected)}"
    for key in sorted(claims.found.keys() - set(map(_shown, due))):
        yield f"{report.name}: claims '{key}' ({claims.found[key][1]}), which the records don't have"


def _shown(text: str) -> str:
    """Return a text as a reader of the page gets it."""
    return unescape(escape(text))


def _told(pair: tuple[str, str]) -> str:
    return f"{pair[1]} ({pair[0]})" if pair[0] else f"'{pair[1]}'"


class _Claims(HTMLParser):
    """The key numbers of a page and its heading: name -> exact value, and what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}
        self._key = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a key number or the heading."""
        given = dict(attrs)
        if tag == "data" and given.get("data-fact"):
            self._key = str(given["data-fact"])
            self.found[self._key] = (given.get("value") or "", "")
        elif tag == "h1":
            self._key = "heading"
            self.found[self._key] = ("", "")

    def handle_data(self, data: str) -> None:
        """Add to what is shown."""
        if self._key:
            exact, shown = self.found[self._key]
            self.found[self._key] = (exact, shown + data)

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        if tag in {"data", "h1"}:
            self._key = ""
