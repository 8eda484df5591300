"""Is the candidate better, decided as early as the data allow: the exact group-sequential test of two arms.

Calls come in stages. After each stage there is a look: enough evidence ends the test. All looks together
share one chance of error. Arrays hold one entry per case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harnesslib.records import Estimate
from harnesslib.stats.intervals import LEVEL, normal_quantile, unmeasured
from harnesslib.stats.paired import Floats, null_law

Integers: TypeAlias = NDArray[np.int64]

ROUNDING = 1e-13
"""Sums of chances are compared with this allowance: a bound that is met exactly counts as met."""


EDGE = 0.15
"""Chances of cases are thought to be Beta(EDGE, EDGE) before any call."""


LUCK = 0.8
"""Share of the bias of a crossing that is taken off a credited gain."""

_WEIGHTED = "weighted stages, smoothed standard error"


class Stage(NamedTuple):
    """What one stage measured: integers, one entry per case.

    The statistic adds `weights` x `candidate_passes`. `balanced` gives the weights with which every stage
    estimates the same thing, the mean gain over the cases.
    """

    candidate_passes: ArrayLike
    baseline_passes: ArrayLike
    candidate_calls: ArrayLike
    baseline_calls: ArrayLike
    weights: ArrayLike

    def table(self) -> Integers:
        """Return the five arrays as rows, without the cases that an arm has no call of."""
        table = np.stack(np.broadcast_arrays(*self)).astype(np.int64).reshape(len(self), -1)
        measured: Integers = table[:, (table[2] > 0) & (table[3] > 0)]
        return measured


class Look(NamedTuple):
    """What one look saw.

    `fraction` is the share of the planned information, `critical` the least statistic that would have
    crossed (None where no outcome of these calls could), `spent` the chance of a false crossing up to and
    with this look, `p` the p-value if the test ended here.
    """

    fraction: float
    statistic: int
    critical: int | None
    spent: float
    crossed: bool
    p: float


class SequentialTest(NamedTuple):
    """The test at level `alpha`; `rho` says how the chance of error is spread over the looks.

    After a share t of the planned information, alpha * t**rho may have been spent; 1 spreads evenly, less
    than 1 favours early looks.

    Notes
    -----
    Source: exact conditional law of stratified 2x2 tables (see `paired.null_law`), carried from look to look
    as the law of those paths that have not crossed, as C. Jennison and B. W. Turnbull (2000), Group
    Sequential Methods, chapter 19 do for normal data; spending after K. K. G. Lan and D. L. DeMets (1983),
    family of K. Kim and D. L. DeMets (1987). The chance to cross is at most alpha, exactly, where the arms
    have the same chance in every case, whatever the numbers of calls. Stopping early for futility only lowers
    it. Assumes calls that alternate in time, and that the calls of a stage depend on earlier stages by the
    cases' totals over both arms only, never on which arm passed.
    """

    alpha: float = 0.05
    rho: float = 1.0

    def looks(self, stages: Sequence[Stage], fractions: Sequence[float]) -> tuple[Look, ...]:
        """Return one look per stage, up to the one that crosses.

        Parameters
        ----------
        stages
            What was measured, in order; each stage holds its own calls only.
        fractions
            Share of the planned information after each stage, rising, at most 1; more may follow.
        """
        return tuple(self._walk(stages, fractions))

    def _walk(self, stages: Sequence[Stage], fractions: Sequence[float]) -> Iterator[Look]:
        law, least, statistic, spent = np.ones(1), 0, 0, 0.0
        for stage, fraction in zip(stages, fractions, strict=False):
            added, shift, seen = _stage_law(stage)
            law = np.convolve(law, added)
            least, statistic = least + shift, statistic + seen
            share = min(1.0, fraction) ** self.rho
            tail = np.cumsum(law[::-1])[::-1]
            cut = int(np.sum(tail > self.alpha * share - spent + ROUNDING))
            crossed = statistic - least >= cut
            stagewise = spent + float(tail[statistic - least])
            if cut < tail.size:
                spent += float(tail[cut])
                law[cut:] = 0.0
            yield Look(
                fraction=fraction,
                statistic=statistic,
                critical=least + cut if cut < tail.size else None,
                spent=spent,
                crossed=crossed,
                p=min(1.0, stagewise if crossed else stagewise / share),
            )
            if crossed:
                return


def _stage_law(stage: Stage) -> tuple[Floats, int, int]:
    """Return the law of a stage's statistic above its least value, that value, and the statistic seen."""
    law, least, seen = np.ones(1), 0, 0
    table = stage.table()
    for weight in np.unique(table[4]).tolist():
        mine, theirs, my_calls, their_calls = table[:4, table[4] == weight]
        lowest, chances = null_law(mine, theirs, my_calls, their_calls)
        least += weight * lowest
        seen += weight * int(mine.sum())
        spaced = np.zeros(weight * (len(chances) - 1) + 1)
        spaced[::weight] = chances
        law = np.convolve(law, spaced)
    return law, least, seen


def sequential_p(
    stages: Sequence[Stage], fractions: Sequence[float], rho: float, *, alpha: float = 0.05
) -> float:
    """Return the p-value of the whole test: at most `alpha` exactly if it has crossed; 1 without a stage.

    Notes
    -----
    Source: stagewise ordering, C. Jennison and B. W. Turnbull (2000), Group Sequential Methods, section 8.4:
    the chance under the null hypothesis of an earlier crossing, or of a statistic at least as large at this
    look. It belongs to the boundary of level `alpha`. A test that ended before its last look without crossing
    gets that chance divided by the share of alpha it could have spent, so it never looks like a crossing.
    """
    looks = SequentialTest(alpha, rho).looks(stages, fractions)
    return looks[-1].p if looks else 1.0


def balanced(
    counts: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]], sweeps: Sequence[int]
) -> tuple[Stage, ...]:
    """Return the stages with the weights that make every case count the same, whatever calls were lost.

    Parameters
    ----------
    counts
        Per stage: passes of candidate and baseline, valid calls of candidate and baseline.
    sweeps
        How many sweeps over the suite each stage stands for: the weight of its estimate.

    Notes
    -----
    A weight is proportional to sweeps x (1 / candidate's calls + 1 / baseline's calls) / 2, so that each
    stage adds sweeps x the sum of the case gains, but for a part that depends on totals only. All weights
    are whole numbers with one common factor, which changes neither crossings nor p-values.
    """
    arrays = [
        [np.asarray(each, dtype=int) for each in np.broadcast_arrays(*stage, np.zeros(1, dtype=int))[:4]]
        for stage in counts
    ]
    parts = [
        (np.where(usable, size * (mine + theirs), 0), np.where(usable, 2 * mine * theirs, 1))
        for (_, _, mine, theirs), size in zip(arrays, sweeps, strict=False)
        for usable in [(mine > 0) & (theirs > 0)]
    ]
    reduced = [(over // np.gcd(over, under), under // np.gcd(over, under)) for over, under in parts]
    scale = math.lcm(1, *(int(each) for _, under in reduced for each in np.unique(under)))
    weights = [over * (scale // under) for over, under in reduced]
    common = math.gcd(*(int(each) for weight in weights for each in np.unique(weight))) or 1
    return tuple(
        Stage(a, b, c, d, weight // common) for (a, b, c, d), weight in zip(arrays, weights, strict=False)
    )


def futile(
    candidate_passes: ArrayLike,
    baseline_passes: ArrayLike,
    calls: ArrayLike,
    *,
    smallest_gain: float,
    level: float,
) -> bool:
    """Return whether a gain of `smallest_gain` (0.1 = 10 points) has become unlikely.

    Parameters
    ----------
    candidate_passes, baseline_passes
        Passes so far, over all stages.
    calls
        Calls so far of either arm, per case; cases without a call are left out.
    smallest_gain
        The gain worth finding.
    level
        Stop when so small a gain as the one seen, or a smaller one, had less than this chance.

    Notes
    -----
    Source: normal approximation around the mean of the case gains, with `likely_spread`. It only steers costs
    and power: the error of `SequentialTest` does not lean on it.
    """
    mine, theirs, asked = (
        np.asarray(each, dtype=float)
        for each in np.broadcast_arrays(candidate_passes, baseline_passes, calls)
    )
    seen = asked > 0
    mine, theirs, asked = mine[seen], theirs[seen], asked[seen]
    if asked.size == 0:
        return False
    gain = float(np.mean((mine - theirs) / asked))
    spreads = likely_spread(mine, asked) + likely_spread(theirs, asked)
    error = math.sqrt(float(np.sum(spreads / asked))) / asked.size
    return gain < smallest_gain and float(special.ndtr((gain - smallest_gain) / error)) < level


def likely_spread(passes: ArrayLike, calls: ArrayLike) -> Floats:
    """Return what p(1-p) of each case is likely to be, after a few calls.

    Notes
    -----
    Source: posterior mean of p(1-p) where chances are Beta(a, a) beforehand, most of them near 0 or 1 as
    those of a usable suite are. One call settles little: it leaves 0.058, the mean of such a suite.
    """
    got, asked = np.asarray(passes, dtype=float), np.asarray(calls, dtype=float)
    after = asked + 2 * EDGE
    spread: Floats = (got + EDGE) * (asked - got + EDGE) / (after * (after + 1))
    return spread


def without_luck(gain: ArrayLike, bound: ArrayLike, error: ArrayLike) -> Floats:
    """Return gains that were seen because they lay above a bound, less what luck is likely to have added.

    Parameters
    ----------
    gain, bound, error
        The plain estimate, the least one that would have crossed, and the standard error.

    Notes
    -----
    Source: bias of a normal estimate that is kept only above a bound, error x phi(z) / (1 - Phi(z)), computed
    at the value that results from taking it off once (to the end it would be the conditional maximum
    likelihood, S. Zhong and R. L. Prentice 2008, which overshoots). `LUCK` of it comes off, because a test
    that has not crossed at one look may cross at the next. Bias by simulation: docs/STATISTICS.md.
    """
    seen, least, width = (np.asarray(each, dtype=float) for each in (gain, bound, error))
    luck = np.zeros(np.broadcast_shapes(seen.shape, least.shape, width.shape))
    for _ in range(2):
        z = (least - seen + luck) / width
        luck = width * np.exp(-z * z / 2 - special.log_ndtr(-z)) / math.sqrt(2 * math.pi)
    value: Floats = seen - LUCK * luck
    return value


def weighted_effect(stages: Sequence[Stage], *, level: float = LEVEL) -> Estimate:
    """Return the difference of accuracy on these cases (0.1 = 10 points), every case weighing the same.

    Each stage estimates it without bias, whatever its allocation; stages count by their sweeps. A case that
    lost all its calls in a stage is left out of that stage.

    Notes
    -----
    Source: mean of case differences per stage, stages weighted by weight x calls, standard error with
    `likely_spread`. Assumes that the number of stages was set beforehand: after an early stop for success the
    value is too high, see `credited_effect`.
    """
    gain = _gain_of(stages)
    if gain is None:
        return unmeasured(_WEIGHTED, "no case was measured in both arms", level=level)
    return _around(gain.value, gain.error, gain.cases, level, _WEIGHTED)


def credited_effect(stages: Sequence[Stage], look: Look, *, level: float = LEVEL) -> Estimate:
    """Return the effect to credit after the last `look`: without the luck that a crossing selects for.

    Notes
    -----
    Source: `without_luck`; the lower bound moves down with the value, the upper one stays. Without a crossing
    it is `weighted_effect`.
    """
    plain, gain = weighted_effect(stages, level=level), _gain_of(stages)
    if gain is None or not look.crossed or look.critical is None:
        return plain
    bound = gain.value + (look.critical - 0.5 - look.statistic) * gain.per_unit
    value = max(-1.0, float(without_luck(gain.value, bound, gain.error)))
    half = normal_quantile(level) * gain.error
    method = f"{_WEIGHTED}, less the luck of a crossing"
    low, high = max(-1.0, value - half), min(1.0, gain.value + half)
    return Estimate(value=value, low=low, high=high, level=level, n=gain.cases, method=method)


class _Gain(NamedTuple):
    """The mean gain, its standard error, the cases, and what one more unit of the statistic adds to it."""

    value: float
    error: float
    cases: int
    per_unit: float


def _gain_of(stages: Sequence[Stage]) -> _Gain | None:
    tables = [np.stack(np.broadcast_arrays(*stage), axis=-1).astype(float).T for stage in stages]
    usable = [(table[2] > 0) & (table[3] > 0) for table in tables]
    parts = [table[:, seen] for table, seen in zip(tables, usable, strict=True)]
    sizes = [float(np.mean(2 * p[4] * p[2] * p[3] / (p[2] + p[3]))) if p.size else 0.0 for p in parts]
    if sum(sizes) == 0:
        return None
    value, spread = 0.0, np.zeros((2, tables[0].shape[1]))
    for part, seen, size in zip(parts, usable, sizes, strict=True):
        weight = size / sum(sizes) / max(1, int(seen.sum()))
        value += weight * float(np.sum(part[0] / part[2] - part[1] / part[3]))
        spread[:, seen] += weight**2 / part[2:4]
    passes, calls = sum(table[:2] for table in tables), sum(table[2:4] for table in tables)
    error = math.sqrt(float(np.sum(likely_spread(passes, calls) * spread)))
    cases = int(np.any(usable, axis=0).sum())
    return _Gain(value, error, cases, 2 / (sum(sizes) * cases))


def _around(value: float, error: float, n: int, level: float, method: str) -> Estimate:
    half = normal_quantile(level) * error
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Estimate(value=value, low=low, high=high, level=level, n=n, method=method)
