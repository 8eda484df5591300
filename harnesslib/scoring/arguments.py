"""Compare the arguments of a call with what is expected of them."""

from __future__ import annotations

from harnesslib.records import Call, ExpectedCall
from harnesslib.scoring.values import matches


def differing(expected: ExpectedCall, call: Call) -> list[str]:
    """Return the names of the arguments that are missing, unexpected or not equal."""
    missing = [
        name for name in expected.arguments if name not in call.arguments and name not in expected.optional
    ]
    unequal = [
        name
        for name, value in call.arguments.items()
        if name not in expected.arguments or not matches(expected.arguments[name], value)
    ]
    return missing + unequal
