"""Which process is which: a pid alone is not a name, because pids are used again."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SAME_START_S = 2.0  # the kernel's start of time is known to a second only, and moves with the clock


def started(pid: int | None = None) -> float:
    """Return when a process was created, in seconds since 1970; this process by default.

    Raises
    ------
    psutil.NoSuchProcess
        Nobody has this pid.
    """
    return float(psutil.Process(pid or os.getpid()).create_time())


def is_alive(pid: int, pid_started: float) -> bool:
    """Return whether the very process that had `pid` since `pid_started` still runs; a zombie does not."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - pid_started) < _SAME_START_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.AccessDenied:
        return True


def boot_id() -> str:
    """Return what names this boot of this machine."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return f"boot-{psutil.boot_time():.0f}"


def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()
