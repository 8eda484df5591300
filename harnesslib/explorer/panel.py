"""The explorer's controls. Loads ipywidgets where it is installed; without it the present choice is shown."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harnesslib.report.html import Column, Section, join, pill, section, table

if TYPE_CHECKING:
    from harnesslib.explorer.drilling import Explorer

_PILLS = {"pass": ("good", "✓"), "fail": ("bad", "✕"), "unknown": ("warn", "?")}
_ALL = "all"


def panel(explorer: Explorer) -> Any:  # noqa: ANN401 - a widget, or a section
    """Return the explorer as a widget, or as the section that it shows now."""
    return _controls(explorer) if find_spec("ipywidgets") else state(explorer)


def state(explorer: Explorer) -> Section:
    """Return the present choice: the decision with its gates, and the conversation."""
    decision = explorer.decision
    title = f"{decision['model']}, {decision['phase']}, {decision['action']}: {decision['verdict']}"
    columns = (Column("gate"), Column("result"), Column("observed"), Column("asked for"))
    rows = (
        (row["gate"], pill(*_PILLS[row["verdict"]], row["verdict"]), row["observed"], row["threshold"])
        for row in explorer.gates.to_dict("records")
    )
    shown = section("explorer", title, table(columns, rows), join((decision["reason"],)))
    return shown + explorer.conversation


def _controls(explorer: Explorer) -> Any:  # noqa: ANN401 - ipywidgets has no types
    import ipywidgets as widgets

    wide = widgets.Layout(width="98%")
    verdict = widgets.ToggleButtons(options=[_ALL, "PROMOTE", "HOLD", "REJECT"], description="verdict")
    decision = widgets.Dropdown(description="decision", layout=wide)
    case = widgets.Dropdown(description="case", layout=wide)
    sample = widgets.Dropdown(description="sample", layout=wide)
    shown = widgets.HTML()
    settled = [False]  # whether a person moved something, and not this code

    def fill() -> None:
        settled[0] = False
        decision.options = _decisions(explorer, verdict.value)
        decision.value = explorer.decision["decision_id"]
        case.options = _cases(explorer)
        case.value = explorer.case or None
        sample.options = _samples(explorer)
        sample.value = explorer.sample if sample.options else None
        shown.value = state(explorer).html
        settled[0] = True

    def moved(change: dict[str, Any]) -> None:
        if not settled[0]:
            return
        if change["owner"] is verdict:
            explorer.choose(_decisions(explorer, verdict.value)[0][1])
        elif change["owner"] is decision:
            explorer.choose(decision.value)
        elif change["owner"] is case:
            explorer.choose(decision.value, case.value)
        else:
            explorer.choose(decision.value, case.value, sample.value or 0)
        fill()

    for control in (verdict, decision, case, sample):
        control.observe(moved, names="value")
    fill()
    return _with_static_state(widgets.VBox([verdict, decision, case, sample, shown]), explorer)


def _with_static_state(box: Any, explorer: Explorer) -> Any:  # noqa: ANN401 - as above
    """Let a page without a kernel show the present choice: a stored widget alone would be an empty place."""

    class Panel(type(box)):  # type: ignore[misc]
        def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:  # noqa: ANN401
            bundle = super()._repr_mimebundle_(**options) or {}
            now = state(explorer)
            return {**bundle, "text/html": now.html, "text/plain": repr(now)}

    return Panel(box.children)


def _decisions(explorer: Explorer, verdict: str) -> list[tuple[str, str]]:
    """Return label and id of the decisions of a verdict; all of them where none has it."""
    rows = explorer.decisions.to_dict("records")
    chosen = [row for row in rows if verdict in {_ALL, row["verdict"]}] or rows
    return [(f"{r['verdict']}: {r['action']} {r['model']} in {r['phase']}", r["decision_id"]) for r in chosen]


def _cases(explorer: Explorer) -> list[tuple[str, str]]:
    rows = explorer.cases.to_dict("records")
    return [(f"{r['case_id']}: {r['baseline']:.0%} to {r['candidate']:.0%}", r["case_id"]) for r in rows]


def _samples(explorer: Explorer) -> list[tuple[str, int]]:
    rows = explorer.samples.to_dict("records")
    return [
        (f"{r['outcome']}: {r['model']}, {r['stage']}, repeat {r['repeat']}", n) for n, r in enumerate(rows)
    ]
