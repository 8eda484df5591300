"""Run the built-in model server: ``python -m harnesslib.simulator --world FILE --port 0``.

Writes one line to standard output when it serves: ``{"base_url": "http://127.0.0.1:PORT"}``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from harnesslib.errors import HarnessError
from harnesslib.simulator.process import declared_suites, serve
from harnesslib.simulator.truth import load_world


def main() -> int:
    """Serve until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harnesslib.simulator", description=main.__doc__)
    parser.add_argument("--world", type=Path, required=True, help="world file")
    parser.add_argument("--suites-root", type=Path, help="folder of suites that are not packaged")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--lifeline", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    try:
        world = load_world(options.world)
        suites = declared_suites(world, options.suites_root or options.world.parent)
        serve(world, suites, port=options.port, ready=_announcer(lifeline=options.lifeline))
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _announcer(*, lifeline: bool) -> Callable[[str], None]:
    def announce(base_url: str) -> None:
        if lifeline:
            watch = asyncio.get_running_loop().add_reader
            watch(sys.stdin.fileno(), signal.raise_signal, signal.SIGTERM)
        sys.stdout.write(json.dumps({"base_url": base_url}) + "\n")
        sys.stdout.flush()

    return announce


if __name__ == "__main__":
    sys.exit(main())
