"""Checks of a workspace and of what it needs; each problem comes with its cure."""

from __future__ import annotations

import shutil
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from harnesslib.errors import EXIT_AUDIT, EXIT_DATA, EXIT_ENDPOINT, EXIT_INPUT, EXIT_NOTEBOOK, HarnessError
from harnesslib.executors.local import complete
from harnesslib.records.base import Record
from harnesslib.routing_log import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnesslib.ports import Client
    from harnesslib.workspace import Workspace

LEAST_FREE_BYTES = 200_000_000


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
        _guard("runs", EXIT_DATA, lambda: _runs(place)),
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
    stale = place.runs.stale()
    if not stale:
        return Check(
            name="runs", state="good", finding=f"{len(place.runs.manifests())} runs, none left half done"
        )
    return Check(
        name="runs",
        state="look",
        finding=f"{len(stale)} run(s) were killed: {', '.join(m.run_id for m in stale)}",
        cure=f"go on with it: harness cycle --resume {stale[-1].run_id}",
    )


def _notebooks() -> Check:
    missing = [name for name in ("papermill", "nbconvert", "ipykernel") if find_spec(name) is None]
    if missing:
        cure = f"pip install {' '.join(missing)}"
        found = f"not installed: {', '.join(missing)}"
        return Check(name="notebooks", state="bad", finding=found, cure=cure, exit_code=EXIT_NOTEBOOK)
    return Check(name="notebooks", state="good", finding="papermill, nbconvert and ipykernel are installed")


def _disk(place: Workspace) -> Check:
    existing = next(folder for folder in (place.root, *place.root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / 1e9:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        return Check(name="disk", state="bad", finding=found, cure="free some space", exit_code=EXIT_DATA)
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
