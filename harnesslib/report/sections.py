"""The sections about results: verdict, decisions, effects, verification, causes, truth, plan."""

from __future__ import annotations

from harnesslib.records import CycleRecords, PhasePlan, TruthRow
from harnesslib.report.html import (
    Column,
    Safe,
    Section,
    definitions,
    details,
    figure,
    framed,
    gap,
    join,
    paragraph,
    pill,
    scroller,
    section,
    table,
    tag,
)
from harnesslib.report.view import decisions as decided
from harnesslib.report.view.decisions import PILLS, DecisionRow
from harnesslib.report.view.effects import Forest, forests
from harnesslib.report.view.fallback import fallbacks
from harnesslib.report.view.gaps import missing, uncompared
from harnesslib.report.view.measured import STAGE_NAMES
from harnesslib.report.view.numbers import DASH, listed, margin, percent, plural, points, probability
from harnesslib.report.view.runs import RunsFigure, runs_figures
from harnesslib.report.view.verdict import Fact, Verdict
from harnesslib.report.view.verdict import verdict as concluded

_GLYPHS = {"good": "✓", "warn": "?", "bad": "✕", "info": "="}
_WORDS = (
    (
        "served accuracy",
        "share of answers that are right; a timeout counts as wrong, a broken endpoint as nobody's",
    ),
    ("points", "percentage points: from 80 % to 86 % is +6 points"),
    ("[low, high]", "95 % interval: where the true value lies in 95 of 100 such measurements"),
    ("baseline, candidate", "what serves now, and what might serve instead; they differ in one thing"),
    ("screen", "a few calls for every candidate on what the baseline fails, to find out who is worth more"),
    ("confirmation", "fresh calls for the leader and the baseline, side by side"),
    (
        "verification",
        "cases never used before, asked as an application asks; its gain is the one that is credited",
    ),
    ("gate", "one condition of a change: pass, fail, or unknown where the data can't tell"),
    ("promote, hold, reject", "all gates pass; one is unknown; one fails"),
    ("restraint", "share of the cases that want no tool call and get none"),
    ("generation", "number of the routing file in force; each change makes a new one"),
)
_CAUSES = {
    "cold_start": "cold start",
    "capability_limit": "capability limit",
    "over_calling": "over-calling",
    "flaky": "flaky",
    "infrastructure": "infrastructure",
    "timeout_bound": "timeout-bound",
    "format_mismatch": "format mismatch",
    "concurrency_dependent": "worse under load",
    "cached_replicates": "cached replicates",
    "drift": "drift",
}


def verdict(records: CycleRecords) -> Section:
    """Return the top of the page: title, verdict and key numbers."""
    view = concluded(records)
    run = join(("run ", tag("data", view.run_id, value=view.run_id, data_fact="run")))
    meta = tag("p", join((tag("span", part) for part in (run, *view.meta)), " "), class_="meta")
    title = tag("h1", view.title, id_="verdict-title")
    return Section(
        "verdict", tag("header", join((meta, title, _note(view), _box(view), _words()), "\n"), id_="verdict")
    )


def decisions(records: CycleRecords) -> Section:
    """Return every proposed change with its decision; the gates of each are folded under the table."""
    if records.decisions is None:
        return section("decisions", "Decisions", gap(missing(records, "decisions")))
    rows = decided.decisions(records)
    if not rows:
        return section("decisions", "Decisions", gap("Nothing was proposed, so nothing was decided."))
    intro = (
        "Every change this cycle considered. One gate that fails rejects a change; one that can't be judged "
        "puts it on hold; only a change that passes all of them is applied. "
        "Effects carry their 95\u00a0% interval."
    )
    columns = (
        Column("model"),
        Column("change"),
        Column("effect, points", numeric=True),
        Column("cases \u00d7 repeats"),
        Column("decision"),
        Column("reason"),
    )
    cells = ((r.model, r.change, r.effect, r.calls, _states(r), _why(r)) for r in rows)
    gates = tag("h3", "Gates, one by one")
    folded = tag("div", join((_gates(row) for row in rows), "\n"), class_="gates")
    return section(
        "decisions", "Decisions", paragraph(intro), framed("Decisions", columns, cells), gates, folded
    )


def effects(records: CycleRecords) -> Section:
    """Return the forest plot of each phase: what every candidate changes, in every stage that measured it."""
    drawn = forests(records)
    if not drawn:
        return section("effects", "Effects", gap(uncompared(records)))
    from harnesslib.report.charts import forest

    spread = {item.arms.phase: item for item in runs_figures(records)}
    pictures = []
    for item in drawn:
        pictures.append(figure(_forest_title(item), _forest_note(item), forest(item), _forest_numbers(item)))
        if item.phase in spread:
            pictures.append(_spread(spread[item.phase]))
    intro = (
        "Change of served accuracy against the baseline, paired by case. The screen asks candidates what the "
        "baseline fails, and its promise is a guess; the confirmation asks again with fresh calls; "
        "the verification asks cases never used before. Only the last is credited. The last line of each "
        "picture is the control: what serves now, compared with itself."
    )
    return section("effects", "Effects", paragraph(intro), tag("div", join(pictures, "\n"), class_="grid"))


def verification(records: CycleRecords) -> Section:
    """Return what was proven after the change was made, and whether it was kept."""
    title = "Verification on fresh cases"
    rows = decided.verifications(records)
    if not rows:
        nothing = records.decisions is not None and not records.decisions.promoted
        said = "No change was applied, so there was nothing to verify." if nothing else ""
        return section("verification", title, gap(said or missing(records, "verification")))
    intro = (
        "Each applied change was measured again on holdout cases with new seeds, through the routing "
        "config as an application uses it. The gain seen here is the one that is credited; what did not hold "
        "was undone."
    )
    columns = (
        Column("model"),
        Column("change"),
        Column("credited gain, points", numeric=True),
        Column("p-value"),
        Column("result"),
        Column("reason"),
    )
    cells = ((r.model, r.change, r.effect, r.p_value, pill(*PILLS[r.result]), r.reason) for r in rows)
    shown = framed("Verification", columns, cells)
    return section("verification", title, paragraph(intro), shown, _fallbacks(records))


def causes(records: CycleRecords) -> Section:
    """Return the findings: cause, evidence, and the experiment that would refute it."""
    if records.feedback is None:
        return section("causes", "Causes", gap(missing(records, "a diagnosis")))
    findings = records.feedback.findings
    if not findings:
        return section("causes", "Causes", gap("The diagnosis found nothing out of the ordinary."))
    intro = "Why models failed where they failed. Each cause names the experiment that would prove it wrong."
    cards = []
    for item in findings:
        sure = ("bad", "●", "confirmed") if item.certainty == "confirmed" else ("warn", "◐", "probable")
        given = [probability(item.p_value)] if item.p_value is not None else []
        if item.posterior is not None:
            given.append(f"posterior {percent(item.posterior)}")
        head = join(
            (
                tag("h3", f"{item.model}, {item.phase}: {_CAUSES[item.cause]}"),
                pill(*sure),
                tag("span", " · ".join(given), class_="note"),
            ),
            " ",
        )
        evidence = tag("ul", join(tag("li", line) for line in item.evidence))
        refute = tag("p", join((tag("b", "Would refute it: "), item.refute)), class_="note")
        cases = details(plural(len(item.case_ids), "case"), tag("p", ", ".join(item.case_ids), class_="mono"))
        parts = (tag("div", head, class_="head"), paragraph(item.headline), evidence, refute)
        cards.append(tag("article", join((*parts, cases if item.case_ids else Safe("")))))
    return section("causes", "Causes", paragraph(intro), tag("div", join(cards, "\n"), class_="grid cards"))


def truth(records: CycleRecords) -> Section:
    """Return what the harness concluded beside the declared truth, where models are simulated."""
    title = "Concluded against the truth"
    if not records.manifest.simulated:
        return section("truth", title, gap("These models are real, so nobody knows their truth."))
    rows = records.outcome.truth if records.outcome else ()
    if not rows:
        return section("truth", title, gap(missing(records, "a comparison with the declared truth")))
    right = sum(row.right for row in rows)
    intro = (
        "The models are simulated, so the truth behind each is known. The harness never sees it; "
        f"{right} of {len(rows)} conclusions agree with it."
    )
    columns = (Column("model"), Column("declared"), Column("concluded"), Column("agreement"))
    cells = ((f"{r.model}, {r.phase}", r.declared, r.concluded, _agreement(r)) for r in rows)
    return section("truth", title, paragraph(intro), framed("Concluded against the truth", columns, cells))


def plan(records: CycleRecords) -> Section:
    """Return what was asked: baselines, candidates, suites, and the smallest effect that could be seen."""
    if records.plan is None:
        return section("plan", "What was asked", gap(missing(records, "a plan")))
    columns = (
        Column("phase"),
        Column("suite"),
        Column("baseline"),
        Column("candidates"),
        Column("cases, search + holdout"),
        Column("smallest gain it finds (80\u00a0% power)", numeric=True),
    )
    cells = (
        (
            p.phase,
            f"{p.suite} {p.suite_version}",
            p.baseline.model,
            listed(tuple(spec.model for spec in p.candidates)) or "none",
            f"{p.search_cases} + {p.holdout_cases}",
            f"{margin(p.smallest_effect)} points" if p.smallest_effect is not None else "n/a",
        )
        for p in records.plan.phases
    )
    skipped = join(_skipped(p) for p in records.plan.phases if p.skipped)
    intro = (
        f"Drawn up at routing generation {records.plan.generation}, before anything was measured. "
        "Changes are tuned on the search cases and proven on the holdout cases."
    )
    return section("plan", "What was asked", paragraph(intro), framed("Plan", columns, cells), skipped)


def _fallbacks(records: CycleRecords) -> Safe:
    rows = fallbacks(records)
    if not rows:
        return Safe("")
    columns = (
        Column("denied model"),
        Column("answers now"),
        Column("right by itself"),
        Column("right through the fallback"),
        Column("restraint"),
        Column("asked"),
        Column("result"),
    )
    cells = (
        (f"{r.denied}, {r.phase}", r.fallback, r.own, r.served, r.restraint, r.asked, pill(*PILLS[r.result]))
        for r in rows
    )
    intro = "Who asks for a denied model gets its fallback; these are the answers it gets."
    heading = tag("h3", "Quality of the fallbacks")
    return join((heading, paragraph(intro), framed("Fallbacks", columns, cells)), "\n")


def _note(view: Verdict) -> Safe:
    if not view.simulated:
        return Safe("")
    mark = tag("strong", "Simulated.")
    return tag("p", join((mark, " The models are simulated by the built-in server.")), class_="banner info")


def _box(view: Verdict) -> Safe:
    facts = join((_fact(fact) for fact in view.facts), "\n")
    see = Safe('<a href="#checks">checks</a>')
    doubts = join((f"Don't take this at its word: {listed(view.doubts)} failed; see the ", see, "."))
    parts = (
        pill(view.tone, _GLYPHS[view.tone], view.word),
        tag("p", view.lead, class_="lead"),
        tag("p", tag("strong", doubts)) if view.doubts else Safe(""),
        *(paragraph(line) for line in view.lines),
        tag("ul", facts, class_="kpis") if view.facts else Safe(""),
    )
    return tag("section", join(parts, "\n"), class_=f"verdict {view.tone}", aria_label="Verdict")


def _words() -> Safe:
    """Return what the page's words mean, folded."""
    meanings = definitions((word, meaning, False) for word, meaning in _WORDS)
    return details("The words on this page", meanings, "words noprint")


def _fact(fact: Fact) -> Safe:
    """Show a number, and beside it, for `harness verify`, what exactly is claimed."""
    number = tag("data", fact.value, value=fact.exact, data_fact=fact.key)
    return tag("li", join((tag("b", number), tag("small", fact.label))))


def _states(row: DecisionRow) -> Safe:
    shown = [pill(*PILLS[row.verdict])]
    if row.proof:
        shown.append(pill(*PILLS[row.proof]))
    return tag("span", join(shown, " "), class_="pills")


def _why(row: DecisionRow) -> Safe:
    settle = join((tag("b", "Would settle it: "), row.settle)) if row.settle else Safe("")
    return join((row.reason, tag("small", settle) if settle else settle), " ")


def _gates(row: DecisionRow) -> Safe:
    passed = sum(gate.verdict == "pass" for gate in row.gates)
    said = f"{row.model}, {row.change}: {passed} of {plural(len(row.gates), 'gate')} passed"
    if row.gates and all(gate.verdict == "unknown" for gate in row.gates):
        said = f"{row.model}, {row.change}: not confirmed, so no gate could be judged"
    columns = [Column("gate"), Column("result"), Column("observed"), Column("asked for")]
    cells = [[g.name, pill(*PILLS[g.verdict]), g.observed, g.threshold] for g in row.gates]
    if any(gate.settle for gate in row.gates):
        columns.append(Column("what would settle it"))
        cells = [[*line, gate.settle or DASH] for line, gate in zip(cells, row.gates, strict=True)]
    inside = join((paragraph(row.hypothesis, "note"), framed(said, columns, cells)))
    return details(join((said, " ", _states(row))), inside)


def _spread(item: RunsFigure) -> Safe:
    from harnesslib.report.scatter import runs

    stage = STAGE_NAMES[item.arms.stage]
    note = f"One mark per run of the {stage}; equal runs are stacked, the tick below is the mean."
    partial = any(not run.whole for arm in (item.candidate, item.baseline) for run in arm.runs)
    note += " Hollow: a run that asked a part of the cases only, and counts for no mean." if partial else ""
    columns = (Column("model"), Column("run", numeric=True), Column("cases", numeric=True), Column("right"))
    cells = (
        (arm.label, number, run.cases, percent(run.accuracy))
        for arm in (item.candidate, item.baseline)
        for number, run in enumerate(arm.runs, start=1)
    )
    numbers = scroller(table(columns, cells, css=""), f"every run in {item.arms.phase}")
    return figure(f"{item.arms.phase}: every run of both", note, runs(item), numbers)


def _forest_title(item: Forest) -> str:
    return f"{item.phase}: change against {item.baseline}"


def _forest_note(item: Forest) -> str:
    zone = ""
    if item.zone is not None:
        zone = f" Grey: ±{margin(item.zone)} points, too small for this plan to find."
    unknown = f" Without an estimate: {listed(item.unknown)}." if item.unknown else ""
    marks = "Hollow: screen. Square: confirmation. Diamond: verification. Cross: control."
    return f"{marks} Lines: 95\u00a0% intervals.{zone}{unknown}"


def _forest_numbers(item: Forest) -> Safe:
    columns = (
        Column("model"),
        Column("stage"),
        *(Column(n, numeric=True) for n in ("effect", "low", "high")),
    )
    cells = [(r.label, r.stage, points(r.value), points(r.low), points(r.high)) for r in item.rows]
    if item.control is not None:
        e = item.control.effect
        cells.append((item.control.model, "control", points(e.value), points(e.low), points(e.high)))
    return scroller(table(columns, cells, css=""), f"effects in {item.phase}")


def _agreement(row: TruthRow) -> Safe:
    return pill("good", "✓", "right") if row.right else pill("bad", "✕", "wrong")


def _skipped(item: PhasePlan) -> Safe:
    lines = join(tag("li", f"{skip.spec.id}: {skip.reason}") for skip in item.skipped)
    return details(f"{item.phase}: {plural(len(item.skipped), 'candidate')} left out", tag("ul", lines))
