"""Pair rows with columns at the least total cost."""

from __future__ import annotations

from collections.abc import Sequence


def cheapest_pairs(costs: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return (row, column) pairs: every row or every column is in one, whichever are fewer.

    Notes
    -----
    Kuhn (1955), The Hungarian method for the assignment problem, by `scipy.optimize.linear_sum_assignment`.
    """
    if not costs or not costs[0]:
        return []
    if len(costs) == 1:
        return [(0, min(range(len(costs[0])), key=costs[0].__getitem__))]
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def preload() -> None:
    """Load the assignment library now.

    Otherwise the first turn with several calls loads it, and everything that is being timed waits.
    """
    cheapest_pairs([[0, 0], [0, 0]])
