"""Which models the endpoints offer, and under which digests: what a plan is made for."""

from __future__ import annotations

from collections.abc import Mapping

from harnesslib.errors import EndpointError
from harnesslib.ports import Client
from harnesslib.records import HarnessConfig


async def model_digests(clients: Mapping[str, Client], config: HarnessConfig) -> dict[str, str]:
    """Ask every endpoint for its models; returns model id -> digest.

    Raises
    ------
    EndpointError
        An endpoint can't be used, or does not offer a model of ``harness.toml``.
    """
    digests: dict[str, str] = {}
    for name, client in clients.items():
        async with client:
            offered = {info.id: info.digest for info in await client.models()}
        for model in config.models:
            if model.endpoint != name:
                continue
            if model.id not in offered:
                known = ", ".join(sorted(offered)) or "none"
                raise EndpointError(
                    f"endpoint '{name}': model '{model.id}' is not offered; it offers: {known}; "
                    "correct [[models]] in harness.toml, or load the model"
                )
            digests[model.id] = offered[model.id]
    return digests
