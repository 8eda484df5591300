"""Cold start: bad at first, and only at first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harnesslib.records import Significance
from harnesslib.stats.guards import sign_flip_p
from harnesslib.stats.paired import null_law

Floats: TypeAlias = NDArray[np.float64]

PREFIXES = (1, 2, 4, 8, 16, 32)
"""Lengths of the start of a session that are looked at."""

COLD_RUNS = 3
"""A cold start is looked for in the first 1, 2 and 3 runs."""

COLD_PASS = 0.05
"""Chance to pass in a cold run, and to fail in a warm one, under the law of a cold start."""

SHARES = (0.1, 0.3, 0.6, 1.0)
"""Shares of the cases that a cold start may concern, mixed evenly."""

CLIP = 1.0
"""Log ratio to a case's median beyond which a time counts no more: one outlier is no cold start."""

DRAWS = 1999


def session_p(cold_failures: ArrayLike, warm_failures: ArrayLike) -> float | None:
    """Return the one-sided p-value of "first calls fail more often without a warm-up", paired by session.

    Parameters
    ----------
    cold_failures, warm_failures
        Share of the first calls that failed, one entry per session.

    Returns
    -------
    float or None
        None without a session. With k sessions it can't get below 2^-k: five are needed for 5 %.

    Notes
    -----
    Source: exact sign-flip test (`guards.sign_flip_p`) with the session as the unit, because the
    first calls of a session wait for the same load. Assumes that cold and warm sessions alternate.
    """
    gains = np.asarray(cold_failures, dtype=float) - np.asarray(warm_failures, dtype=float)
    return sign_flip_p(gains) if gains.size else None


def prefix_p(failed: Sequence[bool]) -> float:
    """Return the p-value of "failures are bunched at the start".

    Parameters
    ----------
    failed
        Failures of a session in the order in which its calls were started.

    Returns
    -------
    float
        Smallest exact p-value over starts of 1, 2, 4, 8, 16 and 32 calls, times the number of starts looked
        at: as many calls fail first as are started at once.

    Notes
    -----
    Source: hypergeometric law of the failures among the first calls given all failures, Bonferroni over the
    lengths. Assumes that cases come in random order. It can't tell a cold start from a fault that happened to
    come first: that needs sessions.
    """
    total, failures = len(failed), sum(failed)
    lengths = [length for length in PREFIXES if length < total]
    if failures == 0 or not lengths:
        return 1.0
    smallest = 1.0
    for length in lengths:
        seen = sum(failed[:length])
        least, law = null_law([seen], [failures - seen], [length], [total - length])
        smallest = min(smallest, float(law[seen - least :].sum()))
    return min(1.0, len(lengths) * smallest)


def pattern_test(passed: ArrayLike, *, seed: int = 0) -> Significance:
    """Return the test of "the first runs of this session fail, the later ones pass".

    Parameters
    ----------
    passed
        1, 0, or nan for a call without a valid outcome; cases (rows) by runs (columns) of one session, runs
        in the order of their start, cases in random order inside a run.
    seed
        Seed of the permutations.

    Returns
    -------
    Significance
        `statistic` is the natural logarithm of an e-value: from log 100 = 4.6 on it is by itself a test at
        1 %. `n` counts the cases that both passed and failed: the others say nothing about order.

    Notes
    -----
    Source: likelihood ratio of each case's order of outcomes, given how many of its calls failed, between
    "the first 1, 2 or 3 runs pass with chance 0.05, the others with 0.95" and "every order is as likely";
    averaged over these lengths and over the share of cases concerned, so its expected value is 1 without a
    cold start. The p-value redraws the orders case by case, which is sharper than 1 over the e-value. Assumes
    calls that are interchangeable inside a case. An outage of a whole run breaks that too: ask
    `worst_at_start`, and see it again after the next start before it is called confirmed.

    Examples
    --------
    >>> import numpy as np
    >>> session = np.ones((12, 7))
    >>> session[:3, :2] = 0
    >>> pattern_test(session).p_value <= 0.01
    True
    """
    method, alternative = "order of outcomes, permuted", "the first runs fail and the later ones pass"
    table = _table(passed)
    if table.shape[1] < 2:  # noqa: PLR2004 - an order needs two
        reason = "fewer than 2 runs: there is no later run to compare the first one with"
        return _unknown(method, alternative, reason)
    mixed = _mixed(table)
    if mixed.shape[0] == 0:
        return Significance(p_value=1.0, statistic=0.0, n=0, method=method, alternative=alternative)
    laws = _evidence_tables(mixed)
    seen = float(_average(_log_evidence(mixed[None], laws))[0])
    drawn = _average(_log_evidence(_reordered(mixed, seed), laws))
    p = _share_reaching(drawn, seen)
    return Significance(p_value=p, statistic=seen, n=len(mixed), method=method, alternative=alternative)


def case_e(passed: ArrayLike, length: int) -> Floats:
    """Return the e-value of each case for "its first `length` runs were cold": large ones name the cases.

    Parameters
    ----------
    passed
        As in `pattern_test`.
    length
        1 to 3, and less than the number of runs.

    Returns
    -------
    numpy.ndarray
        One number per row. Expected value 1 without a cold start; exactly 1 for a case that always passed or
        always failed.

    Notes
    -----
    Source and assumptions: `pattern_test`.
    """
    table = np.asarray(passed, dtype=float)
    early = (table[:, :length] == 0).sum(axis=1)
    e_values: Floats = _evidence_tables(table)[length - 1][np.arange(len(table)), early]
    return e_values


def _table(values: ArrayLike) -> Floats:
    """Return cases by runs, without the cases that have no value at all."""
    table = np.asarray(values, dtype=float)
    if table.ndim != 2:  # noqa: PLR2004 - cases by runs
        return np.empty((0, 0))
    seen: Floats = table[~np.isnan(table).all(axis=1)]
    return seen


def _mixed(table: Floats) -> Floats:
    """Return the cases that both passed and failed."""
    mixed: Floats = table[np.nanmin(table, axis=1, initial=1) != np.nanmax(table, axis=1, initial=0)]
    return mixed


def _unknown(method: str, alternative: str, reason: str) -> Significance:
    return Significance(
        p_value=None, statistic=None, n=0, method=method, alternative=alternative, reason=reason
    )


def _share_reaching(drawn: Floats, seen: float) -> float:
    return float((1 + np.sum(drawn >= seen - 1e-9)) / (drawn.size + 1))


def _lengths(runs: int) -> range:
    return range(1, min(COLD_RUNS, runs - 1) + 1)


def _evidence_tables(mixed: Floats) -> list[Floats]:
    """Return the e-value of every case (rows) by its failures in the first j runs, for each length j."""
    observed = ~np.isnan(mixed)
    calls, failures = observed.sum(axis=1), (mixed == 0).sum(axis=1)
    tables = []
    for length in _lengths(mixed.shape[1]):
        early = observed[:, :length].sum(axis=1)
        count = np.arange(length + 1)[None, :]
        late_failures = failures[:, None] - count
        late = (calls - early)[:, None]
        surprises = (early[:, None] - count) + late_failures
        fit = np.exp(special.xlogy(surprises, COLD_PASS / (1 - COLD_PASS)))
        orders = special.binom(early[:, None], count) * special.binom(late, late_failures)
        possible = (count <= early[:, None]) & (late_failures >= 0) & (late_failures <= late)
        chances = np.where(possible, orders, 0.0) / special.binom(calls, failures)[:, None]
        tables.append(fit / (chances * fit).sum(axis=1, keepdims=True))
    return tables


def _log_evidence(sessions: Floats, tables: Sequence[Floats]) -> Floats:
    """Return the log e-value of each session (draws by cases by runs), one row per length of the start."""
    cases = np.arange(sessions.shape[1])
    rows = []
    for length, table in enumerate(tables, 1):
        early = (sessions[:, :, :length] == 0).sum(axis=2)
        rows.append(_average([np.log1p(w * (table - 1))[cases, early].sum(axis=1) for w in SHARES]))
    return np.stack(rows)


def _average(logarithms: Sequence[Floats] | Floats) -> Floats:
    """Return the logarithm of the mean of numbers that are given by their logarithms."""
    mean: Floats = special.logsumexp(np.stack(list(logarithms)), axis=0) - math.log(len(logarithms))
    return mean


def _reordered(table: Floats, seed: int) -> Floats:
    """Return draws of the table with the values of every case in another order; gaps stay where they are."""
    keys = np.random.default_rng(seed).random((DRAWS, *table.shape))
    gaps = np.isnan(table)
    keys[:, gaps] = np.inf
    places = np.argsort(gaps, axis=1, kind="stable")
    values = np.take_along_axis(np.broadcast_to(table, keys.shape), np.argsort(keys, axis=2), axis=2)
    drawn = np.empty_like(keys)
    np.put_along_axis(drawn, np.broadcast_to(places, keys.shape), values, axis=2)
    return drawn


def worst_at_start(passed: ArrayLike) -> bool | None:
    """Return whether no later stretch of runs is worse than the start.

    Parameters
    ----------
    passed
        As in `pattern_test`.

    Returns
    -------
    bool or None
        False where up to 3 neighbouring runs further on fail more: that is a transient fault. None where no
        run stands out, or with fewer than 2 runs.

    Notes
    -----
    Source: failures beyond each case's own mean, summed over a window of runs and divided by
    sqrt(w (n - w)), as a scan statistic; a tie counts for the start.
    """
    table = _table(passed)
    if table.shape[1] < 2:  # noqa: PLR2004 - there must be something later
        return None
    excess = np.nan_to_num(np.nanmean(table, axis=1, keepdims=True) - table).sum(axis=0)
    if np.allclose(excess, 0):
        return None
    runs = excess.size
    sums = np.concatenate(([0.0], np.cumsum(excess)))
    scores = [(sums[w:] - sums[:-w]) / math.sqrt(w * (runs - w)) for w in _lengths(runs)]
    return bool(max(score[0] for score in scores) >= max(score.max() for score in scores) - 1e-9)


def cold_runs(passed: ArrayLike) -> int | None:
    """Return how many runs at the start (1 to 3) are most probably cold; none where nothing tells.

    Notes
    -----
    Source: the length with the largest e-value of `pattern_test`. It is the number of warm-up calls to try.
    """
    mixed = _mixed(_table(passed))
    if mixed.shape[0] == 0:
        return None
    evidence = _log_evidence(mixed[None], _evidence_tables(mixed))[:, 0]
    return int(np.argmax(evidence)) + 1 if evidence.max() > 0 else None


def latency_test(latency_s: ArrayLike, *, seed: int = 0) -> Significance:
    """Return the test of "the first runs of this session take longer".

    Parameters
    ----------
    latency_s
        Seconds of each answer, above 0, nan without one; cases (rows) by runs (columns), as in
        `pattern_test`. Times are to contain the wait for a model that loads, if that is to be found.
    seed
        Seed of the permutations.

    Returns
    -------
    Significance
        `statistic` is the largest standardized sum over the first 1, 2 and 3 runs; `n` counts the cases with
        at least two answers.

    Notes
    -----
    Source: logarithms less the case's median, clipped to +-1, centred, summed over the first runs; the
    largest of these sums against its law when each case's times are shuffled. Assumes times of a case that
    are interchangeable.
    """
    method, alternative = "log times of the first runs, permuted", "the first runs take longer"
    table = _table(latency_s)
    table = table[(~np.isnan(table)).sum(axis=1) > 1]
    if table.shape[0] == 0:
        return _unknown(method, alternative, "no case has two answers whose times could be compared")
    times = np.log(table)
    times = np.clip(times - np.nanmedian(times, axis=1, keepdims=True), -CLIP, CLIP)
    times -= np.nanmean(times, axis=1, keepdims=True)
    seen = float(_largest_prefix(times[None])[0])
    drawn = _largest_prefix(_reordered(times, seed))
    p = _share_reaching(drawn, seen)
    return Significance(p_value=p, statistic=seen, n=len(times), method=method, alternative=alternative)


def _largest_prefix(sessions: Floats) -> Floats:
    runs = sessions.shape[2]
    lengths = np.array(_lengths(runs))
    sums = np.cumsum(np.nansum(sessions, axis=1), axis=1)[:, : lengths.size]
    largest: Floats = (sums / np.sqrt(lengths * (runs - lengths))).max(axis=1)
    return largest


def startup_test(passed: ArrayLike, latency_s: ArrayLike, *, seed: int = 0) -> Significance:
    """Return the test of "the first runs are worse", in outcomes or in times.

    Parameters
    ----------
    passed
        As in `pattern_test`.
    latency_s
        As in `latency_test`; the two need not have the same cases.
    seed
        Seed of the permutations.

    Returns
    -------
    Significance
        Twice the smaller p-value of the two tests; that of the one which can be given, where the other can't.

    Notes
    -----
    Source: Bonferroni over `pattern_test` and `latency_test`; it holds however they depend on each other.
    """
    tests = (pattern_test(passed, seed=seed), latency_test(latency_s, seed=seed))
    given = [test for test in tests if test.p_value is not None]
    method, alternative = "outcomes and times of the first runs, Bonferroni", "the first runs are worse"
    if not given:
        return _unknown(method, alternative, "; ".join(test.reason for test in tests))
    least = min(test.p_value for test in given if test.p_value is not None)
    return Significance(
        p_value=min(1.0, len(given) * least),
        statistic=least,
        n=max(test.n for test in given),
        method=method,
        alternative=alternative,
    )
