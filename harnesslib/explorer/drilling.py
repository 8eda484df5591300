"""The way down, step by step: decisions, the gates of one, its cases, the samples of one, a conversation."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from harnesslib.errors import InputError
from harnesslib.explorer.conversation import conversation
from harnesslib.frames import load_cycles, load_decisions, load_gates, load_samples, pairs
from harnesslib.report.html import Section, gap, section
from harnesslib.suites import load_suite
from harnesslib.workspace import Workspace, nearest

if TYPE_CHECKING:
    import pandas as pd

    from harnesslib.records import Suite

_PROMOTED_FIRST = {"PROMOTE": 0, "REJECT": 1, "HOLD": 2}


class Explorer:
    """What stands behind the decisions of one cycle.

    Every step has a choice that is there from the start, so that everything can be shown without a person:
    `decision`, `case` and `sample` hold it, and `choose` changes it.

    Parameters
    ----------
    workspace
        A workspace, or what `find_runs` returned.
    run
        A cycle's id; "last" is the newest one that decided something.
    """

    def __init__(self, workspace: str | PathLike[str], run: str = "last") -> None:
        decisions = load_decisions(workspace, None if run == "last" else run)
        if decisions.empty:
            raise InputError(
                f"run '{run}': it decided nothing; name a finished cycle, or run one: harness cycle"
            )
        self.run_id = str(decisions["run_id"].iloc[-1])
        mine = decisions[decisions["run_id"] == self.run_id]
        order = mine["verdict"].map(_PROMOTED_FIRST)
        self.decisions = mine.assign(order=order).sort_values(
            ["order", "phase"], kind="stable", ignore_index=True
        )
        self.decisions = self.decisions.drop(columns="order")
        self._gates = load_gates(workspace, self.run_id)
        self._cycles = load_cycles(workspace, self.run_id)
        self._samples = load_samples(workspace, self.run_id)
        self._place = Workspace(
            nearest(str(workspace) if isinstance(workspace, str) else workspace.__fspath__())
        )
        self._suites: dict[str, Suite | None] = {}
        self.choose()

    def choose(self, decision: str = "", case: str = "", sample: int = 0) -> Explorer:
        """Choose a decision, a case and the how-manieth of its samples; "" and 0 take what stands out most.

        Parameters
        ----------
        decision
            A decision's id, or the end of it, like ``atomic-promote-better``.
        case
            A case's id; one that is not among the decision's cases gives the one that changed most.
        sample
            Index in `samples`, whose failures come first.
        """
        ends = self.decisions["decision_id"].str.endswith(decision)
        if not ends.any():
            known = ", ".join(self.decisions["decision_id"].str.rpartition(":")[2])
            raise InputError(f"decision '{decision}': not in run '{self.run_id}'; it has: {known}")
        self.decision: Any = self.decisions[ends].iloc[0]
        known_cases = list(self.cases["case_id"])
        self.case = case if case in known_cases else next(iter(known_cases), "")
        self.sample = min(sample, max(0, len(self.samples) - 1))
        return self

    @property
    def gates(self) -> pd.DataFrame:
        """The gates of the chosen decision: what was observed, asked for, and what would settle it."""
        mine = self._gates[self._gates["decision_id"] == self.decision["decision_id"]]
        shown: pd.DataFrame = mine[["gate", "verdict", "observed", "threshold", "settle"]]
        return shown.reset_index(drop=True)

    @property
    def cases(self) -> pd.DataFrame:
        """The cases of the chosen decision, the largest change first: baseline beside candidate."""
        candidate, baseline = self._arms()
        both = pairs(baseline, candidate) if len(baseline) and len(candidate) else pairs(candidate, candidate)
        largest = both["change"].abs().sort_values(ascending=False, kind="stable").index
        shown: pd.DataFrame = both.loc[largest, ["case_id", "skill", "first", "second", "change"]]
        return shown.rename(columns={"first": "baseline", "second": "candidate"}).reset_index(drop=True)

    @property
    def samples(self) -> pd.DataFrame:
        """Both arms' samples of the chosen case, failures first."""
        import pandas as pd

        candidate, baseline = self._arms()
        both = pd.concat([candidate, baseline[~baseline.index.isin(candidate.index)]])
        found = both[both["case_id"] == self.case]
        return found.sort_values("served", kind="stable").reset_index(drop=True)

    @property
    def conversation(self) -> Section:
        """The chosen sample, turn by turn."""
        if self.samples.empty:
            return section("conversation", "Conversation", gap("No sample stands behind this decision."))
        row = {str(name): value for name, value in self.samples.iloc[self.sample].items()}
        suite = self._suite(str(row["phase"]))
        case = next((case for case in suite.cases if case.id == self.case), None) if suite else None
        hashes = set(self._cycles[self._cycles["phase"] == row["phase"]]["suite_hash"])
        changed = suite is not None and suite.content_hash not in hashes
        return conversation(row, case, changed=changed)

    def panel(self) -> Any:  # noqa: ANN401 - a widget, or its static state
        """Return the whole way down as controls; without ipywidgets, or on paper, the present choice."""
        from harnesslib.explorer.panel import panel

        return panel(self)

    def _arms(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        here = self._samples[self._samples["phase"] == self.decision["phase"]]
        cycle = self._cycles[self._cycles["phase"] == self.decision["phase"]]
        baseline = here[here["spec_id"].isin(cycle["baseline_spec_id"])]
        return here[here["model"] == self.decision["model"]], baseline

    def _suite(self, phase: str) -> Suite | None:
        """Return the suite as it is now; none where ``harness.toml`` no longer has the phase."""
        if phase not in self._suites:
            found = self._place.config.harness().phases.get(phase)
            self._suites[phase] = load_suite(found.suite, root=self._place.root) if found else None
        return self._suites[phase]


def explore(workspace: str | PathLike[str] = ".", run: str = "last") -> Explorer:
    """Return what stands behind a cycle's decisions; see `Explorer`."""
    return Explorer(workspace, run)
