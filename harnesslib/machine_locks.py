"""Where the locks lie that hold for all workspaces of a user on this machine.

A server that two benchmarks ask at once is measured by neither: each sees the other's load.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harnesslib.errors import DataError
from harnesslib.storage import speaking


def folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the user's folder for such locks, made where it is missing and open to nobody else.

    It is ``$XDG_STATE_HOME/harnesslib/locks``; without that variable it lies in the folder for temporary
    files, under the number of the user.

    Raises
    ------
    DataError
        It can't be made, or is somebody else's.
    """
    state = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    own = Path(state) / "harnesslib" if state else Path(tempfile.gettempdir()) / f"harnesslib-{os.getuid()}"
    with speaking(own, "make the folder"):
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = own.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise DataError(
            f"{own}: is not a folder of this user, and locks in it could be anybody's; "
            "cure: remove it, or set XDG_STATE_HOME to a folder of yours"
        )
    return own / "locks"
