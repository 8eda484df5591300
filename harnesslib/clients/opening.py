"""The client that an endpoint of ``harness.toml`` asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harnesslib.errors import InputError
from harnesslib.parsers import parse_native
from harnesslib.ports import Client, Clock
from harnesslib.records import EndpointConfig


def client_of(
    name: str, endpoint: EndpointConfig, *, clock: Clock, folder: Path, models: Sequence[str] = ()
) -> Client:
    """Make the client of an endpoint; nothing is connected or started yet.

    Parameters
    ----------
    name
        The endpoint's name, for messages.
    endpoint
        With a `base_url` even where the built-in server stands behind it.
    clock
        Measures latency.
    folder
        Where a program is started.
    models
        What a program speaks for.

    Raises
    ------
    InputError
        The key's variable is not set, or the address is none.
    """
    key = _key(name, endpoint)
    if endpoint.client == "command":
        from harnesslib.clients.command import CommandClient

        return CommandClient(
            endpoint.command,
            folder=folder,
            models=models,
            key=key,
            env=(endpoint.key_env, *endpoint.env),
            clock=clock,
            parse_calls=parse_native,
        )
    if endpoint.client == "ollama":
        from harnesslib.clients.ollama import OllamaClient

        return OllamaClient(endpoint.base_url, key=key, clock=clock, parse_calls=parse_native)
    from harnesslib.clients.openai_compat import OpenAICompatClient

    return OpenAICompatClient(endpoint.base_url, key=key, clock=clock, parse_calls=parse_native)


def _key(name: str, endpoint: EndpointConfig) -> str:
    if not endpoint.key_env:
        return ""
    key = os.environ.get(endpoint.key_env, "")
    if not key:
        raise InputError(
            f"endpoint '{name}': the environment variable {endpoint.key_env} (key_env) is not set; "
            f"set it, e.g. `export {endpoint.key_env}=…`; keys are never read from a file"
        )
    return key
