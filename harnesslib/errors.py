"""Every exception of harnesslib: one base, one exit code each.

A message says *where: what; got and expected; cure*. A model's timeout is a sample and a HOLD is a
decision: neither is an exception.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_INPUT = 2
EXIT_NOT_PROMOTED = 3
EXIT_DATA = 4
EXIT_AUDIT = 5
EXIT_ENDPOINT = 6
EXIT_NOTEBOOK = 7
EXIT_REGRESSION = 8
EXIT_DRIFT = 9
EXIT_LOCKED = 75
EXIT_INTERRUPTED = 130


class HarnessError(Exception):
    """Base of all errors that harnesslib raises on purpose."""

    exit_code = 1


class InputError(HarnessError):
    """A command, a parameter or a file that a person wrote can't be used."""

    exit_code = EXIT_INPUT


class DataError(HarnessError):
    """A stored record is missing, torn, of an unknown version or against its schema."""

    exit_code = EXIT_DATA


class AuditError(HarnessError):
    """The audit log and what it speaks of don't agree."""

    exit_code = EXIT_AUDIT


class ConflictError(AuditError):
    """The routing config is not at the generation that a change was made for."""


class EndpointError(HarnessError):
    """An endpoint can't be used at all (unreachable, refuses the key, lacks the model)."""

    exit_code = EXIT_ENDPOINT


class NotebookError(HarnessError):
    """A notebook did not finish.

    Parameters
    ----------
    message
        What happened, in one sentence.
    exit_code
        Exit code of the process: 7, or 124 for a time limit, 138 for a lost kernel, 128 + n for signal n,
        or the code of the harnesslib error that a cell raised.
    """

    def __init__(self, message: str, exit_code: int = EXIT_NOTEBOOK) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class LockedError(HarnessError):
    """Somebody else holds the lock, and is alive."""

    exit_code = EXIT_LOCKED
