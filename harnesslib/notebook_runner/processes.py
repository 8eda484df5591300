"""The processes of a notebook run: a kernel on this interpreter, and a sweep that leaves nothing behind."""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

from harnesslib.notebook_runner import kernel_launcher
from harnesslib.records import sha256

MARKER = "HARNESS_RUN_ID"
"""Environment variable that every process of a run carries."""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_SUBREAPER_IS = 37  # PR_GET_CHILD_SUBREAPER
_PATIENCE_S = 2.0
_SHUTDOWN_S = 2.0


def kernel_manager(run_id: str, scratch: Path, log: IO[str]) -> type[Any]:
    """Return a kernel manager class for one run.

    Parameters
    ----------
    run_id
        Marks the kernel and all its descendants.
    scratch
        A short path for the kernel's sockets (a socket's path may have 107 bytes) and settings.
    log
        Takes what the kernel itself says, as when it is interrupted or dies; cells have their own logs.

    Notes
    -----
    The kernel is always this interpreter, whatever kernelspec the notebook names and whatever is
    installed; it talks over sockets in `scratch`, so that no port is opened.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> Any:  # noqa: ANN401
            argv = [sys.executable, "-P", kernel_launcher.__file__, "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name=kernel_name, language="python")

    class RunKernelManager(AsyncKernelManager):
        def __init__(self, **settings: Any) -> None:  # noqa: ANN401
            super().__init__(**settings)
            self.kernel_spec_manager = ThisInterpreter()
            self.transport = "ipc"
            self.ip = str(scratch / "k")
            self.connection_file = str(scratch / "kernel.json")
            self.shutdown_wait_time = _SHUTDOWN_S

        async def _async_start_kernel(self, **settings: Any) -> None:  # noqa: ANN401
            own = {MARKER: run_id, "IPYTHONDIR": str(scratch / "ipython")}
            settings["env"] = {**(settings.get("env") or os.environ), **own}
            settings |= {"stdout": log, "stderr": log}
            await super()._async_start_kernel(**settings)

        start_kernel = _async_start_kernel

    return RunKernelManager


@contextmanager
def swept(run_id: str) -> Iterator[Path]:
    """Yield a scratch folder; on leaving, every process of the run is ended and the folder removed.

    What an earlier attempt at the same run left behind (its runner was killed) is ended first.
    """
    end_processes(run_id)
    remove_scratch(run_id)
    before = _descendants()
    scratch = Path(tempfile.mkdtemp(prefix=_scratch_name(run_id), dir=_short_folder()))
    was = _adopt_orphans(on=True)
    try:
        yield scratch
    finally:
        end_processes(run_id, _descendants() - before)
        _adopt_orphans(on=was)
        shutil.rmtree(scratch, ignore_errors=True)


def remove_scratch(run_id: str) -> None:
    """Remove the scratch folders that killed runners of a run left behind."""
    folder = Path(_short_folder() or tempfile.gettempdir())
    for left in folder.glob(f"{_scratch_name(run_id)}*"):
        shutil.rmtree(left, ignore_errors=True)


def _scratch_name(run_id: str) -> str:
    return f"hk-{sha256(run_id.encode())[:8]}-"


def end_processes(run_id: str, also: AbstractSet[psutil.Process] = frozenset()) -> int:
    """End every process that carries the run's marker, and `also`; returns how many there were."""
    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    found = also | {process for process in psutil.process_iter() if _carries(process, run_id)}
    victims = [process for process in found if process.pid not in spared]
    for process in victims:
        _signal(process, "terminate")
    for process in _alive_after(victims):
        _signal(process, "kill")
    _alive_after(victims)
    return len(victims)


def marked() -> dict[str, tuple[int, ...]]:
    """Return the pids that carry the mark of a run, by run id: those of this user, without this process."""
    found: dict[str, list[int]] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            run_id = process.environ().get(MARKER, "")
            if run_id and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.setdefault(run_id, []).append(process.pid)
    return {run_id: tuple(pids) for run_id, pids in found.items()}


def _descendants() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _carries(process: psutil.Process, run_id: str) -> bool:
    try:
        return process.environ().get(MARKER) == run_id
    except (psutil.Error, OSError):
        return False


def _alive_after(
    processes: Iterable[psutil.Process], patience_s: float = _PATIENCE_S
) -> list[psutil.Process]:
    """Wait until all have ended, and return those that have not.

    A zombie counts as ended: the init of a container may never reap it, and psutil would wait for that.
    """
    deadline = time.monotonic() + patience_s
    alive = []
    for process in processes:
        _wait(process, max(0.0, deadline - time.monotonic()))
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


def _wait(process: psutil.Process, patience_s: float) -> None:
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            return
        try:
            select.select([descriptor], [], [], patience_s)
        finally:
            os.close(descriptor)
        patience_s = 0.0
    with suppress(psutil.TimeoutExpired):
        process.wait(patience_s)  # reaps it where it is our own


def _signal(process: psutil.Process, method: str) -> None:
    with suppress(psutil.Error):
        getattr(process, method)()


def _adopt_orphans(*, on: bool) -> bool:
    """Make orphaned grandchildren come back to this process instead of to init; returns what was before."""
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int(0)
    library.prctl(_SUBREAPER_IS, ctypes.byref(before), 0, 0, 0)
    library.prctl(_SUBREAPER, int(on), 0, 0, 0)
    return bool(before.value)


def _short_folder() -> str | None:
    return "/tmp" if Path("/tmp").is_dir() and os.access("/tmp", os.W_OK) else None  # noqa: S108 - short path
