"""Small real cycles on the built-in server, killed at a chosen moment, and what must hold afterwards.

A moment is something that can be seen from outside: so many samples in the journal, so many events, a file
that is there. A victim is a process of the cycle: the runner, its notebook kernel, the model server, or all.
Tests load this file by its path.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from harnesslib import routing, routing_enforcer
from harnesslib.cli import main
from harnesslib.notebook_runner.processes import marked
from harnesslib.records import Decisions, Manifest, Sample, Verifications
from harnesslib.run_seal import SEAL
from harnesslib.workspace import Workspace

TOML = """
version = 1
[endpoints.demo]
simulator = "world.toml"
concurrency = 4
[phases.atomic]
suite = "atomic-quick"
baseline = "hasty"
max_slowdown = 20.0 # how busy the machine is must decide nothing here
[phases.atomic.settings]
timeout_s = 30.0
[[models]]
id = "hasty"
endpoint = "demo"
[[models]]
id = "sure"
endpoint = "demo"
"""
WORLD = """
version = 1
seed = 7
[[models]]
id = "hasty"
[models.phases.atomic]
accuracy = 0.3
[[models]]
id = "sure"
[models.phases.atomic]
accuracy = 0.98
restraint = 0.99
"""
STATES = (
    "plan.json",
    "selection.json",
    "confirmation.json",
    "summary.json",
    "findings.json",
    "drift.json",
    "decisions.json",
    "held.json",
    "applied.json",
    "verification.json",
    "outcome.json",
    "proposer.json",
    "samples.parquet",
    "report.html",
    SEAL,
)
"""What a cycle leaves, in the order in which it is there for good; the last one is its end."""
KEY = ["stage", "spec_id", "case_id", "repeat", "session"]
PATIENCE_S = 60.0


class Kill(NamedTuple):
    """What is killed when. `moment` is ``samples:N``, ``events:N`` or ``file:NAME``."""

    moment: str
    victim: str = "runner"
    number: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.number.name} to {self.victim} at {self.moment}"


class Attempt(NamedTuple):
    """One process that was started, what it said, and every process that was seen below it."""

    code: int
    said: str
    hit: bool
    family: tuple[psutil.Process, ...]


def make_workspace(folder: Path) -> Path:
    """Make a workspace of two models, of which the one that serves is much worse."""
    with Workspace(folder) as place:
        place.initialise(TOML, {"world.toml": WORLD})
    return folder


def started(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start ``harness`` in a workspace; what it says goes to a file, which never fills up as a pipe does."""
    with (folder / "said.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "harnesslib", *arguments], cwd=folder, stdout=said, stderr=said
        )


def attempt(folder: Path, *arguments: str, kill: Kill | None = None) -> Attempt:
    """Run ``harness`` to its end, or until it is killed."""
    process = started(folder, *arguments)
    family: tuple[psutil.Process, ...] = ()
    hit = kill is not None and _is_reached(folder, process, kill.moment)
    if kill is not None and hit:
        family = _family(process.pid)
        hit = _strike(kill, family)
    process.wait(PATIENCE_S)
    return Attempt(process.returncode, (folder / "said.txt").read_text("utf-8", "replace"), hit, family)


def _is_reached(folder: Path, process: subprocess.Popen[bytes], moment: str) -> bool:
    kind, _, what = moment.partition(":")
    ended = os.pidfd_open(process.pid)
    try:
        while not _is_there(folder, kind, what):
            if select.select([ended], [], [], 0.002)[0]:
                return False
        return True
    finally:
        os.close(ended)


def _is_there(folder: Path, kind: str, what: str) -> bool:
    runs = sorted((folder / "runs").glob("*-cycle-*"))
    if not runs:
        return False
    if kind == "file":
        return (runs[-1] / what).exists()
    with suppress(FileNotFoundError):
        lines = (runs[-1] / {"samples": "journal.jsonl", "events": "events.jsonl"}[kind]).read_bytes()
        return lines.count(b"\n") >= int(what)
    return False


def _family(pid: int) -> tuple[psutil.Process, ...]:
    with suppress(psutil.NoSuchProcess):
        runner = psutil.Process(pid)
        return (runner, *runner.children(recursive=True))
    return ()


def _strike(kill: Kill, family: tuple[psutil.Process, ...]) -> bool:
    """Send the signal; returns whether there was somebody to send it to."""
    chosen = [process for process in family if kill.victim in {"all", _part(process, family[0])}]
    for process in chosen:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(kill.number)
    return bool(chosen)


def _part(process: psutil.Process, runner: psutil.Process) -> str:
    with suppress(psutil.Error):
        command = " ".join(process.cmdline())
        if "kernel_launcher" in command:
            return "kernel"
        if "harnesslib.simulator" in command:
            return "server"
    return "runner" if process == runner else ""


def cycle_of(folder: Path) -> Manifest:
    """Return the newest cycle."""
    with Workspace(folder) as place:
        return place.runs.latest(kind="cycle")


def is_finished(folder: Path) -> bool:
    """Whether the newest cycle is sealed and has its sealed report."""
    with Workspace(folder) as place:
        newest = place.runs.latest(kind="cycle")
        return newest is not None and (place.runs.path(newest.run_id) / SEAL).exists()


def samples_of(folder: Path) -> dict[str, Sample]:
    """Return the samples of the newest cycle by key; a key that stands twice is an error."""
    with Workspace(folder) as place:
        newest = place.runs.latest(kind="cycle")
        samples = place.runs.samples(newest.run_id) if newest else ()
    found = {str(sample.key): sample for sample in samples}
    assert len(found) == len(samples)
    return found


def assert_whole(folder: Path, before: dict[str, Sample]) -> dict[str, Sample]:
    """Assert what holds at every moment; returns the samples that there are now.

    Every sample that was finished is there as it was. The routing in force is one of the stored
    generations, byte for byte, or that of the beginning.
    """
    now = samples_of(folder)
    assert before == {key: now[key] for key in before}
    in_force = (folder / "routing_config.json").read_bytes()
    assert in_force in {path.read_bytes() for path in (folder / "generations").glob("*.json")}
    return now


def end_of(folder: Path) -> dict[str, object]:
    """Return what a cycle came to, without times and numbers of generations."""
    with Workspace(folder) as place:
        run = place.runs.latest(kind="cycle").run_id
        decisions = place.runs.load(run, "decisions", Decisions).decisions
        verified = place.runs.load(run, "verification", Verifications).verifications
        taken = sorted((str(s.key), s.seed, s.outcome) for s in place.runs.samples(run))
        in_force = place.config.routing()
    return {
        "samples": taken,
        "decided": [(one.recommendation.id, one.verdict, one.effect) for one in decisions],
        "verified": [(one.decision_id.rpartition(":")[2], one.kept, one.effect) for one in verified],
        "serves": {phase: base.spec for phase, base in in_force.baselines.items()},
        "rules": [(rule.model, rule.phase, rule.allow, rule.status) for rule in in_force.rules],
    }


def assert_ended_like(folder: Path, unbroken: dict[str, object]) -> None:
    """Assert that the newest cycle is done, ended like the unbroken one, and is proven by its own files."""
    ended = end_of(folder)
    for name, expected in unbroken.items():
        assert expected == ended[name], name
    with Workspace(folder) as place:
        manifest = place.runs.latest(kind="cycle")
        assert ("done", 0) == (manifest.status, manifest.exit_code)
        assert () == place.runs.check(manifest.run_id)
        sealed = place.runs.load_samples_frame(manifest.run_id)
        assert len(ended["samples"]) == len(sealed) == len(sealed.drop_duplicates(KEY))
        assert () == place.runs.stale()
        effects = place.stores()
        assert "" == routing_enforcer.recover(effects)
        assert () == routing.check(effects.config.routing())
    assert 0 == main(["log", "verify", "-w", str(folder)])
    assert 0 == main(["verify", manifest.run_id, "-w", str(folder)])


def assert_nothing_runs(folder: Path, family: tuple[psutil.Process, ...] = ()) -> None:
    """Assert that no process of the workspace's runs is left: by parentage, by mark, by command line."""
    _, alive = psutil.wait_procs([p for p in family if not _is_zombie(p)], timeout=10)
    assert [] == [process for process in alive if not _is_zombie(process)]
    own = {path.name for path in (folder / "runs").glob("*-*")}
    assert {} == {run: pids for run, pids in marked().items() if run in own}
    assert [] == list(_naming(folder))


def _naming(folder: Path) -> Iterator[str]:
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if str(folder) in command and not _is_zombie(process):
            yield command


def _is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def problems_in(said: str) -> list[str]:
    """Return the lines that no user should ever see."""
    return [line for line in said.splitlines() if "Traceback" in line or "internal error" in line]


def checks_of(folder: Path, *arguments: str) -> dict[str, dict[str, str]]:
    """Return what ``harness doctor`` finds, by name."""
    command = [sys.executable, "-m", "harnesslib", "doctor", "--json", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return {check["name"]: check for check in json.loads(done.stdout)}
