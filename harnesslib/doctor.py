"""Checks of a workspace and of what it needs; each problem comes with its cure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from harnesslib import routing
from harnesslib.errors import EXIT_AUDIT, EXIT_DATA, EXIT_ENDPOINT, EXIT_INPUT, EXIT_NOTEBOOK, HarnessError
from harnesslib.executors.local import complete
from harnesslib.leftovers import find_leftovers
from harnesslib.records.base import Record
from harnesslib.routing_log import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnesslib.ports import Client
    from harnesslib.workspace import Workspace

LEAST_FREE_BYTES = 200_000_000
LEAST_FREE_FILES = 2000
_SLACK_S = 60.0  # what clocks of two machines that share a workspace may differ by
_KERNEL_S = 60.0


class Check(Record):
    """One thing that was looked at. `exit_code` is what the command returns when it is bad."""

    name: str
    state: Literal["good", "look", "bad"]
    finding: str
    cure: str = ""
    exit_code: int = 0


def examine(place: Workspace) -> tuple[Check, ...]:
    """Look at everything; a check that fails keeps no other from being made."""
    checks = [
        _guard("workspace", EXIT_INPUT, lambda: _workspace(place)),
        _guard("routing", EXIT_DATA, lambda: _routing(place)),
        _guard("audit log", EXIT_AUDIT, lambda: _log(place)),
        _guard("lock", EXIT_DATA, lambda: _lock(place)),
        _guard("config", EXIT_INPUT, lambda: _fit(place)),
        _guard("runs", EXIT_DATA, lambda: _runs(place)),
        _guard("processes", EXIT_DATA, lambda: _processes(place)),
        _guard("clock", EXIT_DATA, lambda: _clock(place)),
        _notebooks(),
        _disk(place),
    ]
    if checks[0].state == "good":
        checks += _endpoints(place)
    return tuple(checks)


def _guard(name: str, exit_code: int, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except HarnessError as error:
        finding, _, cure = str(error).rpartition("; ")
        return Check(name=name, state="bad", finding=finding or cure, cure=cure, exit_code=exit_code)


def _workspace(place: Workspace) -> Check:
    place.require()
    config = place.config.harness()
    found = f"{place.root}: {len(config.models)} models, {len(config.phases)} phases"
    return Check(name="workspace", state="good", finding=found)


def _routing(place: Workspace) -> Check:
    config = place.config.routing()
    return Check(
        name="routing",
        state="good",
        finding=f"generation {config.generation}, {len(config.rules)} rules, all sound",
    )


def _log(place: Workspace) -> Check:
    stored = place.config.newest_stored()
    audit = verify(place.log.path, place.config.routing_sha256(), stored=stored)
    if audit.problems:
        cure = "see `harness log verify`; restore routing_decisions.jsonl from a backup"
        return Check(
            name="audit log", state="bad", finding=audit.problems[0], cure=cure, exit_code=EXIT_AUDIT
        )
    return Check(name="audit log", state="good", finding=f"{audit.entries} entries, the chain is whole")


def _lock(place: Workspace) -> Check:
    owner = place.locks.owner("cycle")
    if owner is None:
        return Check(name="lock", state="good", finding="free")
    found = f"held by pid {owner.pid} on {owner.host} since {owner.since:%H:%M:%S} ({owner.command})"
    return Check(name="lock", state="look", finding=found, cure="a cycle is running; wait for it")


def _runs(place: Workspace) -> Check:
    left = find_leftovers(place)
    if left.stale:
        found = f"{len(left.stale)} run(s) were killed: {', '.join(left.stale)}"
        cure = f"go on: harness cycle --resume {left.stale[-1]}; or close as lost: harness doctor --fix"
        return Check(name="runs", state="look", finding=found, cure=cure)
    there = len(place.runs.manifests())
    return Check(name="runs", state="good", finding=f"{there} runs, none left half done")


def _processes(place: Workspace) -> Check:
    pids = find_leftovers(place).pids
    if not pids:
        return Check(name="processes", state="good", finding="none of a run that is over")
    found = f"{len(pids)} of runs that are over: pid {', '.join(map(str, pids))}"
    return Check(name="processes", state="look", finding=found, cure="end them: harness doctor --fix")


def _fit(place: Workspace) -> Check:
    config = place.config.routing()
    learned = {(rule.model, rule.phase) for rule in config.rules if rule.source != "init"}
    found = [
        each
        for each in routing.mismatches(config, place.config.harness())
        if each.kind != "settings_differ" or (each.model, each.phase) not in learned
    ]
    if not found:
        return Check(name="config", state="good", finding="harness.toml and the rules fit together")
    unusable = any(each.kind in routing.UNUSABLE for each in found)
    return Check(
        name="config",
        state="bad" if unusable else "look",
        finding="; ".join(each.what for each in found),
        cure="see `harness config check`",
        exit_code=EXIT_INPUT if unusable else 0,
    )


def _clock(place: Workspace) -> Check:
    now = place.clock.now()
    known = [manifest.ended_at or manifest.started_at for manifest in place.runs.manifests()]
    known += [entry.time for entry in place.log.entries()[-1:]]
    ahead = (max(known, default=now) - now).total_seconds()
    if ahead > _SLACK_S:
        return Check(
            name="clock",
            state="bad",
            finding=f"it is {now:%Y-%m-%d %H:%M:%S} UTC, and something here is {ahead:.0f} s younger",
            cure="set the clock, for example with `timedatectl set-ntp true`; ages and reviews depend on it",
            exit_code=EXIT_DATA,
        )
    return Check(name="clock", state="good", finding=f"{now:%Y-%m-%d %H:%M:%S} UTC, after all that is stored")


def _notebooks() -> Check:
    missing = [name for name in ("papermill", "nbconvert", "ipykernel") if find_spec(name) is None]
    if missing:
        cure = f"pip install {' '.join(missing)}"
        found = f"not installed: {', '.join(missing)}"
        return Check(name="notebooks", state="bad", finding=found, cure=cure, exit_code=EXIT_NOTEBOOK)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", "import ipykernel.kernelapp"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_KERNEL_S,
        )
        said = (done.stderr.strip().splitlines() or [""])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        said = f"did not load within {_KERNEL_S:g} s"
    if said:
        cure = "reinstall it: pip install --force-reinstall ipykernel"
        found = f"the kernel can't start: {said}"
        return Check(name="notebooks", state="bad", finding=found, cure=cure, exit_code=EXIT_NOTEBOOK)
    return Check(name="notebooks", state="good", finding="papermill, nbconvert and a kernel that loads")


def _disk(place: Workspace) -> Check:
    existing = next(folder for folder in (place.root, *place.root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / 1e9:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        return Check(name="disk", state="bad", finding=found, cure="free some space", exit_code=EXIT_DATA)
    room = os.statvfs(existing)
    if room.f_files and room.f_favail < LEAST_FREE_FILES:
        found = f"{found}, but only {room.f_favail} more files fit"
        cure = "remove small files; a run needs about twenty"
        return Check(name="disk", state="bad", finding=found, cure=cure, exit_code=EXIT_DATA)
    if not os.access(existing, os.W_OK):
        cure = f"give yourself write permission: chmod u+w {existing}"
        found = f"{existing} can't be written"
        return Check(name="disk", state="bad", finding=found, cure=cure, exit_code=EXIT_DATA)
    return Check(name="disk", state="good", finding=found)


def _endpoints(place: Workspace) -> list[Check]:
    config = place.config.harness()
    try:
        clients = place.effects().clients
    except HarnessError as error:
        finding, _, cure = str(error).rpartition("; ")
        return [
            Check(
                name="endpoints", state="bad", finding=finding or cure, cure=cure, exit_code=error.exit_code
            )
        ]
    checks = []
    for name, endpoint in config.endpoints.items():
        wanted = {model.id for model in config.models if model.endpoint == name}
        where = endpoint.base_url or " ".join(endpoint.command) or f"built-in server ({endpoint.simulator})"
        look = partial(_endpoint, f"endpoint {name}", clients[name], wanted, where)
        checks.append(_guard(f"endpoint {name}", EXIT_ENDPOINT, look))
    return checks


def _endpoint(check: str, client: Client, wanted: set[str], where: str) -> Check:
    offered, can = complete(_asked(client, wanted))
    missing = sorted(wanted - offered)
    if missing:
        return Check(
            name=check,
            state="bad",
            finding=f"{where} does not offer {', '.join(missing)}",
            cure=f"it offers {', '.join(sorted(offered))}: correct [[models]], or load the model",
            exit_code=EXIT_ENDPOINT,
        )
    unable = sorted(name for name in can if "tools" not in can[name])
    if unable:
        return Check(
            name=check,
            state="bad",
            finding=f"{where} says that {', '.join(unable)} can't call tools",
            cure="take them out of [[models]], or get a build of them whose template has tools",
            exit_code=EXIT_ENDPOINT,
        )
    told = "; all of them call tools" if can.keys() == wanted else ""
    return Check(name=check, state="good", finding=f"{where}: all {len(wanted)} models are offered{told}")


async def _asked(client: Client, wanted: set[str]) -> tuple[set[str], dict[str, tuple[str, ...]]]:
    """Return the models that an endpoint offers, and what the wanted ones can do, where it tells."""
    async with client:
        offered = {info.id for info in await client.models()}
        told = {name: await client.capabilities(name) for name in sorted(wanted & offered)}
    return offered, {name: can for name, can in told.items() if can is not None}
