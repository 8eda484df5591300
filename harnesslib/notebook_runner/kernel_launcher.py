"""Start the kernel of a notebook run so that it can't outlive the runner, whatever it is doing."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_PARENT = "JPY_PARENT_PID"  # set by jupyter_client


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends: ipykernel's poller needs the GIL to notice."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    parent = int(os.environ.get(_PARENT, "0"))
    if parent and os.getppid() != parent:  # it ended before the request was made
        os._exit(1)


if __name__ == "__main__":
    die_with_parent()
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # 2 s of a grammar nobody uses
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
