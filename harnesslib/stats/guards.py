"""Guards: evidence that a change does no harm, or that it does."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

BETS = np.array([0.2, 0.4, 0.6, 0.8, 0.95])
"""Stakes of the betting e-value: from cautious to bold, mixed evenly."""

ENUMERATED = 32
"""Up to so many values all sign assignments are counted."""

DRAWS = 19_999


def non_inferiority_e(differences: ArrayLike, margin: float) -> float:
    """Return the e-value against "the candidate is worse by `margin` or more".

    Parameters
    ----------
    differences
        Candidate minus baseline, one entry in {-1, 0, 1} per pair of calls, any shape; at least one.
    margin
        The loss to be excluded, as a share (0.15 = 15 points).

    Returns
    -------
    float
        At least 0. Expected value at most 1 if the mean difference is -margin or less, so 20 is evidence at
        5 %. E-values of separate data may be multiplied.

    Notes
    -----
    Source: testing by betting, I. Waudby-Smith and A. Ramdas (2024), Estimating means of bounded random
    variables by betting; even mixture over fixed stakes. Assumes independent pairs; cases may differ, for the
    geometric mean of their bets never exceeds the arithmetic one. It may be looked at after every pair.
    """
    gains = np.asarray(differences, dtype=float).ravel()
    wealth = np.log1p(BETS[:, None] * (gains[None, :] + margin)).sum(axis=1)
    return float(np.exp(np.logaddexp.reduce(wealth) - np.log(BETS.size)))


def non_inferiority_p(differences: ArrayLike, margin: float) -> float:
    """Return the exact one-sided p-value against "the candidate is worse by `margin` or more".

    Parameters
    ----------
    differences
        As in `non_inferiority_e`.
    margin
        As in `non_inferiority_e`.

    Notes
    -----
    Source: if the mean difference is -margin or less, a pair is lost (baseline passed, candidate did not)
    with a mean chance of `margin` or more; the number of lost pairs is then, in its lower tail, no smaller
    than binomial: W. Hoeffding (1956), On the distribution of the number of successes in independent trials,
    theorem 4. Assumes independent pairs and a number of pairs that was fixed beforehand; there it is sharper
    than the e-value. Won pairs earn nothing, which only makes it cautious.
    """
    gains = np.asarray(differences, dtype=float).ravel()
    lost = int(np.sum(gains < 0))
    return float(special.bdtr(lost, gains.size, margin))


def sign_flip_p(values: ArrayLike, *, seed: int = 0) -> float:
    """Return the one-sided p-value of "the mean is above 0", by flipping signs.

    Parameters
    ----------
    values
        Independent differences; at least one.
    seed
        Seed of the random assignments that stand for all of them above 32 values.

    Returns
    -------
    float
        Share of sign assignments with a sum of at least the one observed; never 0.

    Notes
    -----
    Source: R. A. Fisher (1935), The Design of Experiments, section 21. Exact by counting up to 32 values (the
    two halves are enumerated, sorted and matched), Monte Carlo with the observed assignment counted above.
    Assumes differences that are symmetric around 0 under the null hypothesis.
    """
    numbers = np.asarray(values, dtype=float).ravel()
    least = float(numbers.sum()) - 1e-9 * max(1.0, float(np.abs(numbers).sum()))
    if numbers.size > ENUMERATED:
        signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), (DRAWS, numbers.size))
        return float((1 + np.sum(signs @ numbers >= least)) / (DRAWS + 1))
    first = _signed_sums(numbers[: numbers.size // 2])
    second = np.sort(_signed_sums(numbers[numbers.size // 2 :]))
    reaching = second.size - np.searchsorted(second, least - first, side="left")
    return float(reaching.sum() / (first.size * second.size))


def _signed_sums(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for number in numbers:
        sums = np.concatenate((sums - number, sums + number))
    return sums
