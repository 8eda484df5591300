"""The sections about results: verdict, decisions, effects, verification, causes, truth, plan."""

from __future__ import annotations

from harnesslib.records import CycleRecords, PhasePlan, TruthRow
from harnesslib.report.html import (
    Column,
    Safe,
    Section,
    details,
    figure,
    framed,
    gap,
    join,
    paragraph,
    pill,
    section,
    table,
    tag,
)
from harnesslib.report.view import decisions as decided
from harnesslib.report.view.decisions import PILLS, DecisionRow
from harnesslib.report.view.effects import Forest, forests
from harnesslib.report.view.gaps import missing, uncompared
from harnesslib.report.view.numbers import DASH, listed, margin, percent, plural, probability
from harnesslib.report.view.verdict import Verdict
from harnesslib.report.view.verdict import verdict as concluded

_GLYPHS = {"good": "✓", "warn": "?", "bad": "✕", "info": "="}
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
    meta = tag("p", join((tag("span", part) for part in view.meta), " "), class_="meta")
    title = tag("h1", view.title, id_="verdict-title")
    return Section(
        "verdict", tag("header", join((meta, title, _note(view), _box(view)), "\n"), id_="verdict")
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
    cells = ((r.model, r.change, r.effect, r.calls, _states(r), r.reason) for r in rows)
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

    pictures = join(
        (figure(_forest_title(f), _forest_note(f), forest(f), _forest_numbers(f)) for f in drawn), "\n"
    )
    intro = (
        "Change of served accuracy against the baseline, paired by case. The screen looks at everybody "
        "with few calls, so its best looks better than it is; the confirmation asks again with fresh calls; "
        "the verification asks cases never used before. Only the last is credited."
    )
    return section("effects", "Effects", paragraph(intro), tag("div", pictures, class_="grid"))


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
    return section("verification", title, paragraph(intro), framed("Verification", columns, cells))


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


def _note(view: Verdict) -> Safe:
    if not view.simulated:
        return Safe("")
    mark = tag("strong", "Simulated.")
    return tag("p", join((mark, " The models are simulated by the built-in server.")), class_="banner info")


def _box(view: Verdict) -> Safe:
    facts = join((tag("li", join((tag("b", f.value), tag("small", f.label)))) for f in view.facts), "\n")
    parts = (
        pill(view.tone, _GLYPHS[view.tone], view.word),
        tag("p", view.lead, class_="lead"),
        *(paragraph(line) for line in view.lines),
        tag("ul", facts, class_="kpis") if view.facts else Safe(""),
    )
    return tag("section", join(parts, "\n"), class_=f"verdict {view.tone}", aria_label="Verdict")


def _states(row: DecisionRow) -> Safe:
    shown = [pill(*PILLS[row.verdict])]
    if row.proof:
        shown.append(pill(*PILLS[row.proof]))
    return tag("span", join(shown, " "), class_="pills")


def _gates(row: DecisionRow) -> Safe:
    passed = sum(gate.verdict == "pass" for gate in row.gates)
    said = f"{row.model}, {row.change}: {passed} of {plural(len(row.gates), 'gate')} passed"
    columns = [Column("gate"), Column("result"), Column("observed"), Column("asked for")]
    cells = [[g.name, pill(*PILLS[g.verdict]), g.observed, g.threshold] for g in row.gates]
    if any(gate.settle for gate in row.gates):
        columns.append(Column("what would settle it"))
        cells = [[*line, gate.settle or DASH] for line, gate in zip(cells, row.gates, strict=True)]
    inside = join((paragraph(row.hypothesis, "note"), framed(said, columns, cells)))
    return details(join((said, " ", _states(row))), inside)


def _forest_title(item: Forest) -> str:
    return f"{item.phase}: change against {item.baseline}"


def _forest_note(item: Forest) -> str:
    zone = ""
    if item.zone is not None:
        zone = f" Grey: ±{margin(item.zone)} points, too small for this plan to find."
    unknown = f" Without an estimate: {listed(item.unknown)}." if item.unknown else ""
    marks = "Hollow: screen. Square: confirmation. Diamond: verification."
    return f"{marks} Lines: 95\u00a0% intervals.{zone}{unknown}"


def _forest_numbers(item: Forest) -> Safe:
    columns = (
        Column("model"),
        Column("stage"),
        *(Column(n, numeric=True) for n in ("effect", "low", "high")),
    )
    cells = (
        (
            row.label,
            row.stage,
            *("n/a" if v is None else f"{100 * v:+.1f}" for v in (row.value, row.low, row.high)),
        )
        for row in item.rows
    )
    return tag("div", table(columns, cells, css=""), class_="scroll")


def _agreement(row: TruthRow) -> Safe:
    return pill("good", "✓", "right") if row.right else pill("bad", "✕", "wrong")


def _skipped(item: PhasePlan) -> Safe:
    lines = join(tag("li", f"{skip.spec.id}: {skip.reason}") for skip in item.skipped)
    return details(f"{item.phase}: {plural(len(item.skipped), 'candidate')} left out", tag("ul", lines))
