"""Where variance comes from: cases, runs or single calls; whether runs differ more than chance explains."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harnesslib.records import Estimate, Significance
from harnesslib.stats.intervals import LEVEL, unmeasured

DRAWS = 1999

Floats: TypeAlias = NDArray[np.float64]
Model = Literal["one-way", "two-way random", "two-way fixed"]
FORMS: dict[Model, str] = {"one-way": "1,1", "two-way random": "2,1", "two-way fixed": "3,1"}


class Components(NamedTuple):
    """Variances of one result, in squared units of the results: of its case, of its run, and of itself."""

    case: float
    run: float
    residual: float


class _Squares(NamedTuple):
    """Mean squares of a table, with the sizes they rest on."""

    cases: int
    runs: int
    between_cases: float
    between_runs: float
    residual: float

    @property
    def within_cases(self) -> float:
        return (self.between_runs + (self.cases - 1) * self.residual) / self.cases


def overdispersion_p(passed: ArrayLike, *, seed: int = 0) -> float | None:
    """Return the p-value of "some runs are worse than others, beyond chance".

    Parameters
    ----------
    passed
        1 or 0 per case (rows) and run (columns); the arms of a comparison may stand below each other.
    seed
        Seed of the permutations.

    Returns
    -------
    float or None
        None with fewer than 2 runs or without a case.

    Notes
    -----
    Source: variance of the runs' passes beside what their cases' own variance explains (an index of
    dispersion), compared with its law when every case's results are shuffled among the runs; observed order
    counted. Exact but for the Monte Carlo draws. Assumes calls that are interchangeable between runs, which
    is just what a fault, a drift or a shared cache breaks.
    """
    table = np.asarray(passed, dtype=float)
    if table.ndim != 2 or table.shape[0] == 0 or table.shape[1] < 2:  # noqa: PLR2004 - cases by runs
        return None
    mixed = table[(table.min(axis=1) != table.max(axis=1))]
    if mixed.shape[0] == 0:
        return 1.0
    copies = np.broadcast_to(mixed, (DRAWS, *mixed.shape))
    shuffled = np.random.default_rng(seed).permuted(copies, axis=2)
    seen, expected = mixed.sum(axis=0).var(), shuffled.sum(axis=1).var(axis=1)
    return float((1 + np.sum(expected >= seen - 1e-9)) / (DRAWS + 1))


def overdispersion_index(passed: ArrayLike) -> Significance:
    """Return the test of "some runs are worse than others" from the index of dispersion.

    Parameters
    ----------
    passed
        As in `overdispersion_p`.

    Returns
    -------
    Significance
        `statistic` is chi-squared with runs - 1 degrees of freedom: about runs - 1 where only chance is at
        work. `n` counts the cases that both passed and failed.

    Notes
    -----
    Source: W. G. Cochran (1950), The comparison of percentages in matched samples: squared deviations of the
    runs' passes over the variance that the cases explain, s (n - s) / (n (n - 1)) for a case with s of n.
    Large-sample; `overdispersion_p` is the exact answer, this the number to show beside it. Assumes calls
    that are interchangeable between the runs of a case.
    """
    method, alternative = "Cochran's Q", "runs differ more than chance explains"
    table = _complete(passed)
    cases, runs = table.shape
    if cases == 0 or runs < 2:  # noqa: PLR2004 - a spread needs two
        reason = "fewer than 2 runs of the same cases"
        return Significance(
            p_value=None, statistic=None, n=0, method=method, alternative=alternative, reason=reason
        )
    passes = table.sum(axis=1)
    spread = passes * (runs - passes) / (runs * (runs - 1))
    deviations = table.sum(axis=0) - passes.sum() / runs
    explained = float(spread.sum())
    index = float((deviations**2).sum()) / explained if explained > 0 else 0.0
    p, mixed = float(special.chdtrc(runs - 1, index)), int(np.sum(spread > 0))
    return Significance(p_value=p, statistic=index, n=mixed, method=method, alternative=alternative)


def _complete(values: ArrayLike) -> Floats:
    """Return cases by runs, without the cases that lack a value."""
    table = np.asarray(values, dtype=float)
    if table.ndim != 2:  # noqa: PLR2004 - cases by runs
        return np.empty((0, 0))
    complete: Floats = table[~np.isnan(table).any(axis=1)]
    return complete


def components(results: ArrayLike) -> Components | None:
    """Return how the variance of one result splits into case, run and residual.

    Parameters
    ----------
    results
        One number per case (rows) and run (columns), such as 1 for a pass; a case with a nan is left out.

    Returns
    -------
    Components or None
        None with fewer than 2 complete cases or 2 runs. A component that comes out below 0 is 0.

    Notes
    -----
    Source: analysis of variance of a two-way table without replication, random effects; e.g. P. E. Shrout and
    J. L. Fleiss (1979), Intraclass correlations: uses in assessing rater reliability, table 3. Assumes that
    effects of cases and runs add up. A new case is worth more than one more repeat of the old ones where the
    variance between cases is the larger one.
    """
    squares = _mean_squares(results)
    if squares is None:
        return None
    return Components(
        case=max(0.0, (squares.between_cases - squares.residual) / squares.runs),
        run=max(0.0, (squares.between_runs - squares.residual) / squares.cases),
        residual=squares.residual,
    )


def _mean_squares(results: ArrayLike) -> _Squares | None:
    table = _complete(results)
    cases, runs = table.shape
    if min(cases, runs) < 2:  # noqa: PLR2004 - a spread needs two
        return None
    by_case = table.mean(axis=1, keepdims=True) - table.mean()
    by_run = table.mean(axis=0, keepdims=True) - table.mean()
    left = table - table.mean() - by_case - by_run
    return _Squares(
        cases,
        runs,
        between_cases=runs * float((by_case**2).sum()) / (cases - 1),
        between_runs=cases * float((by_run**2).sum()) / (runs - 1),
        residual=float((left**2).sum()) / ((cases - 1) * (runs - 1)),
    )


def icc(results: ArrayLike, model: Model = "one-way", *, level: float = LEVEL) -> Estimate:
    """Return the intraclass correlation: the share of a single result's variance that its case explains.

    Parameters
    ----------
    results
        As in `components`.
    model
        "one-way" is ICC(1,1): runs are exchangeable. "two-way random" is ICC(2,1): runs are a draw of runs
        and their differences count as noise. "two-way fixed" is ICC(3,1): their differences are taken out.
    level
        Confidence of the two-sided interval.

    Returns
    -------
    Estimate
        1 where repeats of a case always agree, about 0 (or below) where they are as different as other cases.
        `n` counts cases.

    Notes
    -----
    Source: Shrout and Fleiss (1979); for ICC(2,1) their interval with F. E. Satterthwaite's degrees of
    freedom. Assumes normal effects, so the interval is approximate for passes and failures.
    """
    method = f"ICC({FORMS[model]})"
    squares = _mean_squares(results)
    if squares is None:
        return unmeasured(method, "fewer than 2 cases with 2 complete runs", level=level)
    cases, runs, between = squares.cases, squares.runs, squares.between_cases
    noise = squares.within_cases if model == "one-way" else squares.residual
    extra = runs * (squares.between_runs - noise) / cases if model == "two-way random" else 0.0
    total = between + (runs - 1) * noise + extra
    if total <= 0:
        return unmeasured(method, "all results are equal: there is no variance", level=level, n=cases)
    value, low, high, reason = (between - noise) / total, None, None, ""
    if noise <= 0:
        reason = "repeats of a case never differed, which does not prove that they can't"
    elif model == "two-way random":
        low, high = _random_bounds(squares, value, level)
    else:
        freedom = cases * (runs - 1) if model == "one-way" else (cases - 1) * (runs - 1)
        low, high = _ratio_bounds(squares, noise, freedom, level)
    return Estimate(value=value, low=low, high=high, level=level, n=cases, method=method, reason=reason)


def _ratio_bounds(squares: _Squares, noise: float, freedom: float, level: float) -> tuple[float, float]:
    """Return the interval from the F law of the ratio between cases to noise."""
    ratio, upper = squares.between_cases / noise, 0.5 + level / 2
    least = ratio / float(special.fdtri(squares.cases - 1, freedom, upper))
    most = ratio * float(special.fdtri(freedom, squares.cases - 1, upper))
    return (least - 1) / (least + squares.runs - 1), (most - 1) / (most + squares.runs - 1)


def _random_bounds(squares: _Squares, value: float, level: float) -> tuple[float, float]:
    """Return the interval of ICC(2,1), whose denominator mixes two mean squares."""
    n, k, upper = squares.cases, squares.runs, 0.5 + level / 2
    odds = k * value / (n * (1 - value))
    of_runs, of_residual = odds * squares.between_runs, (1 + odds * (n - 1)) * squares.residual
    freedom = (of_runs + of_residual) ** 2 / (of_runs**2 / (k - 1) + of_residual**2 / ((n - 1) * (k - 1)))
    noise = k * squares.between_runs + (k * n - k - n) * squares.residual
    fewer = float(special.fdtri(n - 1, freedom, upper))
    more = float(special.fdtri(freedom, n - 1, upper))
    between = n * squares.between_cases
    low = (between - n * fewer * squares.residual) / (fewer * noise + between)
    high = (more * between - n * squares.residual) / (noise + more * between)
    return low, high
