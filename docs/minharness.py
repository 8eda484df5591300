"""The whole idea of harnesslib in one small program: measure, decide, apply, prove, keep or undo.

    python docs/minharness.py [FOLDER]

A model is a function from a case and a seed to an answer. The loop finds out which one should serve, writes
that into ``routing.json``, proves it on cases that nobody has looked at, and takes it back when it does not
hold. What is missing here is what the other modules are for: endpoints, time, faults, several kinds of
work, a log that shows any edit, and a report.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from math import comb
from pathlib import Path
from random import Random

Model = Callable[[str, int], str]
Result = bool | None
"""True: right; False: wrong; none: no answer, which is nobody's wrong answer."""

SEARCH = [f"search-{number}" for number in range(30)]  # the cases to choose and decide on
HOLDOUT = [f"holdout-{number}" for number in range(30)]  # those to prove a change on, and nothing else
ALPHA = 0.05
FEWEST = 20  # pairs of answers; with fewer, nothing is decided


def measure(model: Model, case: str, seed: int) -> Result:
    """Ask once, and judge the answer; a dead endpoint is no answer."""
    try:
        return model(case, seed) == "right"
    except ConnectionError:
        return None


def pairs(new: Model, old: Model, cases: Sequence[str], seeds: Sequence[int]) -> list[tuple[bool, bool]]:
    """Ask both, alternating call by call; a pair counts only when both have answered."""
    asked = [(measure(new, case, seed), measure(old, case, seed)) for case in cases for seed in seeds]
    return [(one, other) for one, other in asked if one is not None and other is not None]


def p_better(measured: Sequence[tuple[bool, bool]]) -> float:
    """Return the chance of so many wins of the new one if both were equal: the exact sign test.

    Pairs with two equal results say nothing about who is better, so they don't count.
    """
    wins = sum(new > old for new, old in measured)
    losses = sum(new < old for new, old in measured)
    decided = wins + losses
    return sum(comb(decided, k) for k in range(wins, decided + 1)) / 2**decided


def gain(measured: Sequence[tuple[bool, bool]]) -> float:
    """Return the difference of the two shares of right answers."""
    return (sum(new for new, _ in measured) - sum(old for _, old in measured)) / len(measured)


def screen(models: dict[str, Model], serving: str) -> str | None:
    """Return who looks best after one call per case: whom to test, and no proof of anything."""
    right = {
        name: sum(measure(model, case, seed=0) is True for case in SEARCH) for name, model in models.items()
    }
    best = max(right, key=lambda name: right[name])
    return best if right[best] > right[serving] else None


def decide(measured: Sequence[tuple[bool, bool]]) -> str:
    """Return PROMOTE, REJECT, or HOLD where too little is known: unknown is neither a pass nor a failure."""
    if len(measured) < FEWEST:
        return "HOLD"
    return "PROMOTE" if p_better(measured) <= ALPHA else "REJECT"


def save(file: Path, text: str) -> None:
    """Replace a file as a whole: a reader sees the old one or the new one, never half of one."""
    temporary = file.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, file)


def cycle(models: dict[str, Model], file: Path, number: int) -> str:
    """Run one cycle; returns what it came to, in words."""
    before = file.read_text()
    serving = json.loads(before)["serves"]
    candidate = screen(models, serving)
    if candidate is None:
        return f"{serving} still serves: nothing looks better"
    fresh = range(1 + 10 * number, 6 + 10 * number)  # never the calls that it was chosen by
    verdict = decide(pairs(models[candidate], models[serving], SEARCH, fresh))
    if verdict != "PROMOTE":
        return f"{serving} still serves: {candidate} is on {verdict}"
    save(file, json.dumps({"serves": candidate, "before": serving}))
    proof = pairs(models[candidate], models[serving], HOLDOUT, fresh)
    if decide(proof) != "PROMOTE":
        save(file, before)
        return f"{serving} serves again: {candidate} did not hold on fresh cases"
    # The gain on the cases that it was chosen by is too good; this one is credited.
    return f"{candidate} now serves: {100 * gain(proof):+.0f} points on fresh cases"


def simulated(accuracy: float, *, on_holdout: float | None = None, down: float = 0.0) -> Model:
    """Return a model whose truth is known: how often it is right, and how often it does not answer."""

    def answer(case: str, seed: int) -> str:
        dice = Random(f"{accuracy} {case} {seed}")
        if dice.random() < down:
            raise ConnectionError
        chance = accuracy if on_holdout is None or case.startswith("search") else on_holdout
        return "right" if dice.random() < chance else "wrong"

    return answer


def main(folder: Path) -> None:
    """Find the best of three models, and then find nothing left to improve."""
    models = {"old": simulated(0.6), "better": simulated(0.9), "worse": simulated(0.4)}
    file = folder / "routing.json"
    save(file, json.dumps({"serves": "old"}))
    for number in range(2):
        print(cycle(models, file, number))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
