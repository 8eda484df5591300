"""``harness routes export``: the routing in the form of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, show, workspace_option
from harnesslib.errors import InputError

if TYPE_CHECKING:
    from harnesslib.litellm_config import Export
    from harnesslib.records import RoutingConfig


@click.group("export")
def export_command() -> None:
    """Write the routing in force as the config of another program."""


@export_command.command("litellm")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it there (default: print it).",
)
@click.option(
    "--base-url",
    "addresses",
    metavar="ENDPOINT=URL",
    multiple=True,
    help="Where the proxy finds an endpoint, if elsewhere than harness.toml says (repeatable).",
)
@workspace_option
@json_option
def export_litellm(output: Path | None, addresses: tuple[str, ...], workspace: Path, as_json: bool) -> int:
    """Write the config of a LiteLLM proxy: a model group per phase, one per allowed model, and the fallbacks.

    Ask the proxy for PHASE and it calls what serves that phase; ask for PHASE/MODEL and it calls that model.
    Keys stay in the environment: the file names their variables.
    """
    from harnesslib.litellm_config import litellm_config
    from harnesslib.storage import write_atomic
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        config = place.config.routing()
        export = litellm_config(config, place.config.harness(), _addresses(addresses))
    text = _yaml(export, config)
    if output:
        write_atomic(output, text.encode())
        groups = len(export.document["model_list"])
        told = f"Wrote {output}: {groups} model groups of generation {config.generation}"
        text = "\n".join([told, *(f"Left out: {reason}" for reason in export.left_out)])
    show(export, text.rstrip("\n"), as_json=as_json)
    return 0


def _addresses(pairs: tuple[str, ...]) -> dict[str, str]:
    addresses = {}
    for pair in pairs:
        name, separator, url = pair.partition("=")
        if not (separator and name and url.startswith(("http://", "https://"))):
            raise InputError(f"--base-url {pair}: expected ENDPOINT=URL, like main=http://127.0.0.1:8000/v1")
        addresses[name] = url
    return addresses


def _yaml(export: Export, config: RoutingConfig) -> str:
    import yaml

    warm = [f"{rule.model} in {rule.phase}" for rule in config.rules if rule.allow and rule.enable_warmup]
    head = [
        f"Written by `harness routes export litellm` from generation {config.generation}.",
        "Make it again after every change of the routing; it is not read back.",
        *(f"Left out: {reason}." for reason in export.left_out),
        *(f"To be warmed up by whoever starts the proxy: {pair}." for pair in warm),
    ]
    body: str = yaml.safe_dump(export.document, sort_keys=False, allow_unicode=True, width=110)
    return "".join(f"# {line}\n" for line in head) + body
