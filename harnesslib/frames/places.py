"""Which runs to look at: those of a workspace, or where it has none yet, those of the example."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from harnesslib.errors import InputError
from harnesslib.frames.loading import load_runs
from harnesslib.workspace import HARNESS_FILE, nearest

EXAMPLE = "example"


@dataclass(frozen=True)
class Place:
    """A workspace with finished runs. Wherever a workspace is asked for, a place will do."""

    root: Path
    is_example: bool
    sentence: str

    def __fspath__(self) -> str:
        return str(self.root)

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.sentence)}</p>"


def find_runs(workspace: str | Path = ".", kind: str | None = None) -> Place:
    """Return the workspace to look at, and say in one sentence which it is.

    Parameters
    ----------
    workspace
        A workspace or a folder inside it; "example" is the one that comes with the package. So is a folder
        without a finished run: there is something to look at before the first cycle.
    kind
        "cycle" or "run", where only such runs count.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if str(workspace) == EXAMPLE:
        return _example("The example that comes with harnesslib")
    if not Path(workspace).is_dir():
        raise InputError(f"workspace '{workspace}': no such folder; name one that exists, or 'example'")
    root = nearest(workspace)
    counted = _counted(root, kind) if (root / HARNESS_FILE).is_file() else ""
    if counted:
        return Place(root, is_example=False, sentence=f"{root.name}: {counted}.")
    missing = "finished run" if kind is None else f"finished {kind}"
    return _example(f"This folder holds no {missing} yet, so this is the example")


def example_folder() -> Path:
    """Return the folder of the example: in the wheel, or beside a source checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_example", package.parent / "docs" / "example" / "workspace"):
        if (folder / HARNESS_FILE).is_file():
            return folder
    raise InputError("the example is not installed; reinstall harnesslib")


def _example(words: str) -> Place:
    root = example_folder()
    return Place(root, is_example=True, sentence=f"{words}: {_counted(root, None)}, simulated models.")


def _counted(root: Path, kind: str | None) -> str:
    runs = load_runs(root)
    done = [str(name) for name in runs[runs["status"] == "done"]["kind"] if kind in {None, name}]
    counts = [(done.count(name), name) for name in sorted(set(done))]
    return " and ".join(f"{count} finished {name}{'' if count == 1 else 's'}" for count, name in counts)
