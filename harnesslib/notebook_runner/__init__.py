"""Run a notebook through papermill with guards: strict input, honest exits, nothing left running."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from harnesslib import errors
from harnesslib.errors import EXIT_NOTEBOOK, HarnessError, InputError, NotebookError
from harnesslib.notebook_runner.parameters import check, declared
from harnesslib.notebook_runner.processes import end_processes, kernel_manager, swept
from harnesslib.storage import read, write_atomic

__all__ = ["EXIT_KERNEL_LOST", "EXIT_TIME_LIMIT", "end_processes", "run_notebook"]

EXIT_TIME_LIMIT = 124
EXIT_KERNEL_LOST = 138
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AUTOSAVE_S = 5
_START_S = 60


class _Stopped(KeyboardInterrupt):
    """A signal arrived. Not an Exception: nothing between here and the runner may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run_notebook(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    run_id: str,
    timeout_s: float | None,
    log_dir: Path,
) -> None:
    """Run a notebook in a kernel on this interpreter; return when every cell has ended well.

    Parameters
    ----------
    notebook
        The source; it is never written to.
    output
        The executed copy, saved as a whole after each cell, and kept whatever happens.
    parameters
        Name -> JSON value, for names that the cell tagged ``parameters`` declares.
    run_id
        Marks all processes of the run; those of an earlier attempt are ended before it starts.
    timeout_s
        Limit of the whole run, seconds.
    log_dir
        Where ``stdout.log`` and ``stderr.log`` of the cells go, message by message, and ``kernel.log``.

    Raises
    ------
    InputError
        The notebook, a path or a parameter can't be used. Nothing was started.
    NotebookError
        A cell raised an error (exit code 7, or that of the harnesslib error it raised), the time limit
        (124), a lost kernel (138) or signal n (128 + n).

    Notes
    -----
    Signals and the time limit act in the main thread only. On leaving, all processes of the run are
    ended, detached ones too, and the signal handlers are as before.
    """
    notebook, output = notebook.resolve(), output.resolve()
    _check_paths(notebook, output)
    source = read(notebook)
    check(notebook, _declared(notebook, source), parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    log_dir.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            stack.enter_context(_stoppable(timeout_s))
            scratch = stack.enter_context(swept(run_id))
            stdout = stack.enter_context((log_dir / "stdout.log").open("a", encoding="utf-8"))
            stderr = stack.enter_context((log_dir / "stderr.log").open("a", encoding="utf-8"))
            kernel_log = stack.enter_context((log_dir / "kernel.log").open("a", encoding="utf-8"))
            kernel = kernel_manager(run_id, scratch, kernel_log)
            _execute(notebook, output, dict(parameters), (kernel, stdout, stderr))
    except _Stopped as stop:
        _forget_tasks()
        _fail(output, _stopped(stop, timeout_s))
    except NotebookError as error:
        _fail(output, error)


def _execute(notebook: Path, output: Path, parameters: dict[str, Any], tools: tuple[Any, Any, Any]) -> None:
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # 2 s of a grammar nobody uses
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    _save_atomically()
    manager, stdout, stderr = tools
    try:
        papermill.execute_notebook(
            str(notebook),
            str(output),
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            stdout_file=stdout,
            stderr_file=stderr,
            start_timeout=_START_S,
            autosave_cell_every=_AUTOSAVE_S,
            kernel_manager_class=manager,
        )
    except PapermillExecutionError as error:
        raise _cell_error(notebook, error) from None
    except (DeadKernelError, RuntimeError) as error:
        lost = "the kernel was lost (killed, or out of memory?); see kernel.log; run it again"
        raise NotebookError(f"{notebook.name}: {lost}", EXIT_KERNEL_LOST) from error


def _cell_error(notebook: Path, error: Any) -> NotebookError:  # noqa: ANN401 - papermill has no types
    known = getattr(errors, error.ename, None)
    if isinstance(known, type) and issubclass(known, HarnessError):
        return NotebookError(error.evalue, getattr(known, "exit_code", EXIT_NOTEBOOK))
    said = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
    return NotebookError(f"{notebook.name}, cell {error.exec_count}: {said}")


def _stopped(stop: _Stopped, timeout_s: float | None) -> NotebookError:
    if stop.number == signal.SIGALRM:
        return NotebookError(f"the time limit of {timeout_s:g} s was reached", EXIT_TIME_LIMIT)
    return NotebookError(f"stopped by {signal.Signals(stop.number).name}", 128 + stop.number)


def _forget_tasks() -> None:
    """Let what the signal interrupted end unheard: nobody waits for it, and asyncio would print it."""
    from jupyter_core.utils import ensure_event_loop

    ensure_event_loop().set_exception_handler(lambda _loop, _context: None)


def _fail(output: Path, error: NotebookError) -> NoReturn:
    """Write why it failed into the executed notebook, whose own marks call unreached cells completed.

    A notebook whose cells all ended is left as it is: what came later stopped the kernel's shutdown only.
    """
    if output.is_file():
        import nbformat

        form: Any = nbformat
        copy = form.reads(read(output).decode(), as_version=4)
        if not _reached_the_end(copy):
            copy.metadata["harness"] = {"problem": str(error), "exit_code": error.exit_code}
            copy.metadata.setdefault("papermill", {})["exception"] = True
            for cell in _code(copy):
                _mark(cell)
            write_atomic(output, form.writes(copy).encode())
    raise error


def _mark(cell: Any) -> None:  # noqa: ANN401 - a NotebookNode has no types
    marks = cell.metadata.get("papermill", {})
    if marks.get("start_time") is None:
        marks["status"] = "not run"
    elif marks.get("status") != "failed" and not _replied(cell):
        marks["status"] = "stopped"


def _reached_the_end(copy: Any) -> bool:  # noqa: ANN401 - as above
    return all(
        _replied(cell) and cell.metadata.get("papermill", {}).get("status") != "failed"
        for cell in _code(copy)
    )


def _code(copy: Any) -> list[Any]:  # noqa: ANN401 - as above
    return [cell for cell in copy.cells if cell.cell_type == "code"]


def _replied(cell: Any) -> bool:  # noqa: ANN401 - as above
    return "shell.execute_reply" in cell.metadata.get("execution", {})


def _check_paths(notebook: Path, output: Path) -> None:
    for path in (notebook, output):
        if "{" in str(path) or "}" in str(path):
            raise InputError(f"{path}: a path with braces is taken for a template; rename the folder")
    if not notebook.is_file():
        raise InputError(f"{notebook}: no such notebook; check the path")
    if output.exists() and output.samefile(notebook):
        raise InputError(f"{output}: the output would overwrite the notebook; give another path")


def _declared(notebook: Path, source: bytes) -> dict[str, str]:
    import json

    try:
        cells = list(json.loads(source)["cells"])
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{notebook}: not a notebook of format 4 ({error}); save it again") from error
    try:
        return declared("".join(tagged[0]["source"])) if tagged else {}
    except SyntaxError as error:
        raise InputError(f"{notebook}: the parameters cell is not Python: {error}") from error


@contextmanager
def _stoppable(timeout_s: float | None) -> Iterator[None]:
    """Turn signals and the end of the time limit into `_Stopped`; a second one while stopping is ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        for other in (*_STOPS, signal.SIGALRM):
            signal.signal(other, signal.SIG_IGN)
        raise _Stopped(number)

    before = {number: signal.signal(number, stop) for number in (*_STOPS, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_REAL, timeout_s or 0.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


@lru_cache(maxsize=1)
def _save_atomically() -> None:
    """Make papermill replace files as a whole; its own way leaves torn ones to readers and to kill -9."""
    from papermill.iorw import LocalHandler, papermill_io

    class WholeFiles(LocalHandler):  # type: ignore[misc]
        def write(self, buf: str, path: str) -> None:
            target = Path(path)
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            try:
                temporary.write_text(buf, encoding="utf-8")
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    papermill_io.register("/", WholeFiles())
