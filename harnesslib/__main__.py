"""``python -m harnesslib`` and the ``harness`` command."""

from __future__ import annotations

import sys

from harnesslib.cli import main

if __name__ == "__main__":
    sys.exit(main())
