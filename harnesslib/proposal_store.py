"""The folder ``proposals/``: what people and programs drop in, and the answers beside it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from harnesslib.errors import DataError, InputError
from harnesslib.records import ProposalVerdict, Submitted, decode, encode_pretty, sha256
from harnesslib.storage import make_folder, read, read_if_there, speaking, write_atomic, write_once

LARGEST = 65_536
MOST = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_SUFFIXES = frozenset({".toml", ".json"})
_VERDICT = ".verdict.json"


class ProposalFolder:
    """All proposals of one workspace; implements `ports.ProposalStore`.

    Parameters
    ----------
    folder
        ``proposals/``. It need not be there.

    Notes
    -----
    Only plain files of the folder itself are read: no links, no subfolders, nothing large. What can't be read
    is a proposal with a problem, never an error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def submitted(self) -> tuple[Submitted, ...]:
        """Return the files, by name; a name stands for one file only."""
        if not self.folder.is_dir():
            return ()
        with speaking(self.folder, "list"):
            paths = sorted(path for path in self.folder.iterdir() if path.suffix in _SUFFIXES)
        files = [path for path in paths if not path.name.endswith(_VERDICT)][:MOST]
        found: dict[str, Submitted] = {}
        for path in files:
            one = _read(path)
            if path.stem in found:
                first = found[path.stem]
                text = f"{first.file} and {path.name} have one name; cure: remove one of them"
                one = Submitted(name=first.name, file=first.file, text="", sha256=first.sha256, problem=text)
            found[path.stem] = one
        return tuple(found.values())

    def verdict(self, name: str) -> ProposalVerdict | None:
        """Return the answer to a proposal; none where there is none that can be read."""
        path = self.folder / f"{name}{_VERDICT}"
        data = read_if_there(path)
        try:
            return None if data is None else decode(data, ProposalVerdict, str(path))
        except DataError:
            return None  # somebody wrote over it: it is answered again

    def answer(self, verdict: ProposalVerdict) -> None:
        """Write the answer beside the proposal."""
        write_atomic(self.folder / f"{verdict.name}{_VERDICT}", encode_pretty(verdict))

    def submit(self, name: str, text: str) -> None:
        """Add a proposal; DataError where another one has its name."""
        if not _NAME.fullmatch(name):
            raise InputError(f"proposal '{name}': expected a name of small letters, digits, '-' and '_'")
        make_folder(self.folder)
        write_once(self.folder / f"{name}.json", text.encode())


def _read(path: Path) -> Submitted:
    blank = {"name": path.stem, "file": path.name, "text": "", "sha256": ""}
    if not _NAME.fullmatch(path.stem):
        return Submitted(**blank, problem="its name: expected small letters, digits, '-' and '_', at most 60")
    try:
        status = path.lstat()
    except OSError as error:
        return Submitted(**blank, problem=f"can't be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Submitted(**blank, problem="it is no plain file: links and folders are not followed")
    if status.st_size > LARGEST:
        return Submitted(**blank, problem=f"it has {status.st_size} bytes, expected at most {LARGEST}")
    try:
        data = read(path)
        return Submitted(name=path.stem, file=path.name, text=data.decode(), sha256=sha256(data))
    except (DataError, UnicodeDecodeError) as error:
        return Submitted(**blank, problem=f"can't be read: {error}")
