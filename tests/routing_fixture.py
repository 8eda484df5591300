"""A workspace whose routing is changed in every way there is, and a disk small enough to be filled.

Tests load it by its path, and so do the processes that they start.
"""

from __future__ import annotations

import errno
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from harnesslib import routing, routing_enforcer
from harnesslib.config_manager import ConfigManager
from harnesslib.lock_manager import LockManager
from harnesslib.ports import Effects
from harnesslib.records import (
    Applied,
    Decisions,
    PolicyConfig,
    RoutingConfig,
    Summary,
    Verification,
    encode_pretty,
)
from harnesslib.routing_log import RoutingLog, verify
from harnesslib.testing import EPOCH, FakeClock, MemoryEvents, MemoryRunStore, tiny_harness


def _load(name: str, path: Path) -> ModuleType:
    """Load a module that lies beside the tests' folders."""
    found = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


made_up = _load("routing_records", Path(__file__).with_name("routing_records.py"))
HARNESS = tiny_harness("steady", "better", "sprinter")


def effects_of(root: Path) -> Effects:
    """Return what a new process would work with."""
    return Effects(
        clock=FakeClock(),
        clients={},
        config=ConfigManager(root),
        runs=MemoryRunStore(),
        log=RoutingLog(root / "routing_decisions.jsonl"),
        locks=LockManager(root / ".locks", command="pytest"),
        events=MemoryEvents(),
        suites={},
    )


def workspace(root: Path) -> Effects:
    """Make a workspace whose first generation is in force and logged."""
    root.mkdir(exist_ok=True)
    effects = effects_of(root)
    effects.config.initialise(routing.initial(HARNESS, now=EPOCH))
    routing_enforcer.recover(effects)
    return effects


PROMOTION = made_up.decision("promote", "better")
DENIAL = made_up.decision("deny", "sprinter", fallback="better")


def _summary() -> Summary:
    return made_up.summary(*(made_up.spec(model.id) for model in HARNESS.models))


def enforce(effects: Effects) -> RoutingConfig:
    """Promote `better`, and deny `sprinter`."""
    decisions = Decisions(run_id="run", decisions=(PROMOTION, DENIAL))
    return routing_enforcer.enforce(decisions, _summary(), effects, policy=PolicyConfig())


def confirm(effects: Effects) -> RoutingConfig:
    """Keep the promotion, and take the denial back."""
    return _settle(effects, made_up.verdict(PROMOTION, kept=True))


def take_back(effects: Effects) -> RoutingConfig:
    """Keep nothing: the old file is back."""
    return _settle(effects)


def _settle(effects: Effects, *kept: Verification) -> RoutingConfig:
    generation = max(entry.generation for entry in effects.log.entries() if entry.event == "applied")
    return routing_enforcer.settle(
        Applied(run_id="run", generation_before=1, generation=generation), kept, effects
    )


def roll_back(effects: Effects) -> RoutingConfig:
    """Put the first generation in force again, as a person does."""
    return routing_enforcer.rollback(1, effects, reason="r")


EDITED = """
version = 1

[endpoints.local]
base_url = "http://127.0.0.1:9/v1"

[[models]]
id = "steady"
endpoint = "local"
settings = { timeout_s = 9.0 }

[[models]]
id = "newcomer"
endpoint = "local"

[phases.atomic]
suite = "atomic"
baseline = "steady"

[phases.extended]
suite = "extended"
baseline = "newcomer"
"""


def edit_harness_file(effects: Effects) -> None:
    """Write a file with other settings, a new model and a new phase."""
    effects.config.harness_path.write_text(EDITED)


def synchronise(effects: Effects) -> RoutingConfig:
    """Take the edited file over."""
    return routing_enforcer.synchronise(effects)


CHANGES = {
    "enforce": (lambda _effects: None, enforce),
    "confirm": (enforce, confirm),
    "take back": (enforce, take_back),
    "roll back": (enforce, roll_back),
    "synchronise": (edit_harness_file, synchronise),
}
"""Name -> what comes before, and the change itself."""


def assert_agreement(root: Path) -> None:
    """Log and file agree, no byte of the log was changed, and what is in force is stored."""
    effects = effects_of(root)
    in_force = effects.config.routing()
    digest = effects.config.routing_sha256()
    assert () == verify(effects.log.path, digest, in_force.generation).problems
    assert in_force == effects.config.generation(in_force.generation)
    assert effects.config.routing_path.read_bytes() == encode_pretty(in_force)


@contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Mount a disk of 256 kB in memory; yields why not where that is not allowed, and "" otherwise."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not (mount and umount):
        yield "there is no mount command"
        return
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        yield done.stderr.strip()
        return
    try:
        yield ""
    finally:
        subprocess.run([umount, str(folder)], check=True)


def remount(folder: Path, *, writable: bool) -> None:
    """Make a mounted disk read-only, or writable again."""
    command = [shutil.which("mount"), "-o", f"remount,{'rw' if writable else 'ro'}", str(folder)]
    subprocess.run(command, check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
