"""``harness init``, ``doctor`` and ``serve``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, say, show, table, workspace_option
from harnesslib.errors import EndpointError, InputError

if TYPE_CHECKING:
    from harnesslib.records import EndpointConfig, ModelInfo
    from harnesslib.workspace import Workspace


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--demo", is_flag=True, help="Six simulated models, served by the built-in server.")
@click.option("--ollama", metavar="URL", help="An Ollama server, e.g. http://127.0.0.1:11434.")
@click.option("--openai", metavar="URL", help="An OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1.")
@click.option("--key-env", metavar="NAME", default="", help="The environment variable that holds the key.")
@click.option("--model", "only", multiple=True, help="List only this model (repeat for several).")
@json_option
def init_command(
    folder: Path,
    demo: bool,
    ollama: str | None,
    openai: str | None,
    key_env: str,
    only: tuple[str, ...],
    as_json: bool,
) -> int:
    """Make a workspace in FOLDER: harness.toml, and the first generation of the routing.

    Name one source of models: --demo, --ollama or --openai. The endpoint's models are listed (none is
    loaded) and written into a harness.toml that works as it is; the first one is the baseline to beat.
    """
    from harnesslib.workspace import Workspace

    with Workspace(folder) as place:
        unfinished = place.is_unfinished()
        if not unfinished and sum((demo, bool(ollama), bool(openai))) != 1:
            raise InputError("harness init: name exactly one of --demo, --ollama URL, --openai URL")
        if place.exists() and not unfinished:
            raise InputError(
                f"{place.root}: there is a harness.toml already; edit it, or choose another folder"
            )
        if unfinished:
            models = tuple(model.id for model in place.finish().models)
        elif demo:
            models = init_demo(place)
        else:
            client = "ollama" if ollama else "openai_compat"
            models = init_endpoint(place, client, ollama or openai or "", key_env=key_env, only=only)
    next_step = f"Next: harness cycle --workspace {folder}" if str(folder) != "." else "Next: harness cycle"
    done = "Finished the workspace of the harness.toml" if unfinished else "Made a workspace"
    text = f"{done} in {place.root} with {len(models)} models: {', '.join(models)}\n{next_step}"
    show({"workspace": str(place.root), "models": models}, text, as_json=as_json)
    return 0


def init_demo(place: Workspace) -> tuple[str, ...]:
    """Write the demo workspace; returns its models."""
    world = files("harnesslib.simulator").joinpath("demo.toml").read_text(encoding="utf-8")
    toml = files("harnesslib.cli").joinpath("demo_harness.toml").read_text(encoding="utf-8")
    config = place.initialise(toml, {"simulated_models.toml": world})
    return tuple(model.id for model in config.models)


def init_endpoint(
    place: Workspace, client: str, url: str, *, key_env: str, only: tuple[str, ...]
) -> tuple[str, ...]:
    """Ask an endpoint for its models and write a workspace for them; returns the models."""
    from harnesslib.executors.local import complete
    from harnesslib.records import EndpointConfig

    endpoint = EndpointConfig(
        client="ollama" if client == "ollama" else "openai_compat", base_url=url, key_env=key_env
    )

    async def listed() -> tuple[ModelInfo, ...]:
        async with place.client("main", endpoint) as opened:
            return await opened.models()

    offered = tuple(info.id for info in complete(listed()))
    unknown = [name for name in only if name not in offered]
    if not offered:
        raise EndpointError(f"{url}: it offers no model; load or pull one first")
    if unknown:
        raise InputError(f"--model {unknown[0]}: {url} offers {', '.join(offered)}")
    models = only or offered
    place.initialise(endpoint_toml(endpoint, models), {})
    return models


def endpoint_toml(endpoint: EndpointConfig, models: tuple[str, ...]) -> str:
    """Return a ``harness.toml`` for a real endpoint, with the comments a person needs to go on."""
    from harnesslib.records import encode

    def quoted(text: str) -> str:
        return encode(text).decode()

    template = files("harnesslib.cli").joinpath("endpoint_harness.toml").read_text(encoding="utf-8")
    key = f"key_env = {quoted(endpoint.key_env)}\n" if endpoint.key_env else ""
    listed = "\n".join(f'[[models]]\nid = {quoted(name)}\nendpoint = "main"\n' for name in models)
    return (
        template.replace("@client@", quoted(endpoint.client))
        .replace("@base_url@", quoted(endpoint.base_url))
        .replace("@key_env@\n", key)
        .replace("@baseline@", quoted(models[0]))
        .replace("@models@", listed)
    )


@click.command("doctor")
@click.option("--fix", is_flag=True, help="End orphaned processes first, and close killed runs as lost.")
@workspace_option
@json_option
def doctor_command(fix: bool, workspace: Path, as_json: bool) -> int:
    """Check the workspace and everything it needs; each problem comes with its cure."""
    from harnesslib.doctor import examine
    from harnesslib.leftovers import clear_leftovers
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        if fix:
            place.require()
            cleared = clear_leftovers(place)
            said = f"{len(cleared.pids)} processes ended, {len(cleared.stale)} runs closed as lost"
            say(said)
        checks = examine(place)
    marks = {"good": "\N{CHECK MARK}", "look": "!", "bad": "\N{BALLOT X}"}
    rows = [(f"{marks[check.state]} {check.state}", check.name, check.finding) for check in checks]
    lines = [table(("", "check", "finding"), rows)]
    lines += [f"\n{check.name}: {check.cure}" for check in checks if check.cure]
    show(checks, "\n".join(lines), as_json=as_json)
    return next((check.exit_code for check in checks if check.state == "bad"), 0)


@click.command("serve")
@click.option(
    "--world",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of simulated models (default: the demo's).",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8707, show_default=True, help="0 = any free port."
)
@workspace_option
def serve_command(world: Path | None, port: int, workspace: Path) -> int:
    """Serve simulated models on 127.0.0.1: OpenAI-compatible under /v1, Ollama's API under /api."""
    from harnesslib.simulator.process import declared_suites, serve
    from harnesslib.simulator.truth import DEMO_WORLD, load_world

    source = world or DEMO_WORLD
    simulated = load_world(source)
    suites = declared_suites(simulated, workspace)

    def ready(base_url: str) -> None:
        say(f"Serving the simulated models of {source} on {base_url} (Ctrl-C stops)")

    serve(simulated, suites, "127.0.0.1", port, ready)
    return 0
