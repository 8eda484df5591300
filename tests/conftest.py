"""What every test shares: the long ones run on request only."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs deaf to Ctrl-C; the tests of interrupts need ears.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and how much was imported before.
hypothesis.settings.register_profile(
    "harnesslib", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("harnesslib")


@pytest.fixture(autouse=True, scope="session")
def _locks_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' locks of this machine away from those of whoever measures here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="also run the tests marked exhaustive")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--exhaustive"):
        return
    long = pytest.mark.skip(reason="long: runs with ./run test --exhaustive")
    for item in items:
        if "exhaustive" in item.keywords:
            item.add_marker(long)
