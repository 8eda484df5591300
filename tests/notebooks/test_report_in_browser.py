"""The pages in a real browser: they fit a phone, load nothing, run nothing, and axe finds no fault.

axe-core comes with the package axe-playwright-python; its file is read, nothing of the package is loaded.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import nbformat
import pytest

from harnesslib import report
from harnesslib.records import RunLine
from harnesslib.report.index import index_page
from harnesslib.report.page import render


def _fixture() -> Any:
    path = Path(__file__).resolve().parents[1] / "report_fixture.py"
    spec = importlib.util.spec_from_file_location("report_fixture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIXTURE = _fixture()
RECORDS = FIXTURE.demo_records()
BROWSERS = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
)
LOOK = """({
  width: document.documentElement.scrollWidth,
  height: document.documentElement.scrollHeight,
  loaded: performance.getEntriesByType('resource').map(entry => entry.name),
  evil: typeof window.evil,
  open: [...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)
    .filter(height => height > 0),
  hidden: [...document.querySelectorAll('figure svg')]
    .filter(svg => svg.getBoundingClientRect().width < 200).length,
})"""
RUN_AXE = """axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  })
  .then(found => ({passes: found.passes.length, violations: found.violations.map(
    rule => rule.id + ': ' + rule.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | '))}))"""
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render the demo, with long names and markup in them."""
    folder = tmp_path_factory.mktemp("page")
    text = msgspec.json.encode(RECORDS).decode().replace("sprinter", "qwen2.5-coder:14b-instruct-q4_K_M")
    text = text.replace(
        "All gates passed.", "<script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"
    )
    records = msgspec.json.decode(text, type=type(RECORDS))
    cells = []
    for number, make in enumerate(report.SECTIONS):
        part = make(records)
        data = {"text/html": part.html, "text/plain": repr(part)}
        output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
        cells.append(nbformat.v4.new_code_cell("show", id=f"c{number}", outputs=[output], execution_count=1))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "cycle.ipynb")
    render(folder / "cycle.ipynb", folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a browser and yield the address of its debugging protocol."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        message = "no Chromium on PATH; get one with your system's packages (Debian: apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("browser")
    command = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            lines = (line for line in process.stderr if "DevTools listening on" in line)
            yield next(lines).split()[-1]
        finally:
            process.terminate()
            process.communicate(timeout=20)


class Tab:
    """One tab, spoken to over the debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.session: str | None = None
        self.number = 0
        self.events: list[dict[str, Any]] = []

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        await self.socket.send_json(request | ({"sessionId": self.session} if self.session else {}))
        while True:
            answer = await self.socket.receive_json()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    async def loaded(self) -> None:
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(await self.socket.receive_json())


@asynccontextmanager
async def opened(address: str, page: Path, width: int, scheme: str = "light") -> AsyncIterator[Tab]:
    """Show a page in a new tab, `width` pixels wide."""
    async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        tab = Tab(socket)
        target = await tab.ask("Target.createTarget", url="about:blank")
        attached = await tab.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab.session = attached["sessionId"]
        await tab.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True
        )
        colours = [{"name": "prefers-color-scheme", "value": scheme}]
        await tab.ask("Emulation.setEmulatedMedia", features=colours)
        await tab.ask("Page.enable")
        await tab.ask("Network.enable")
        await tab.ask("Page.navigate", url=page.as_uri())
        await tab.loaded()
        yield tab


async def look(address: str, page: Path, width: int) -> dict[str, Any]:
    async with opened(address, page, width) as tab:
        found = await tab.ask("Runtime.evaluate", expression=LOOK, returnByValue=True)
        asked = [
            e["params"]["request"]["url"]
            for e in tab.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        return {**found["result"]["value"], "asked": asked}


async def examined(address: str, page: Path, width: int, scheme: str) -> dict[str, Any]:
    """Return what axe-core finds, every folded part opened first."""
    async with opened(address, page, width, scheme) as tab:
        unfold = "document.querySelectorAll('details').forEach(part => { part.open = true; })"
        await tab.ask("Runtime.evaluate", expression=unfold)
        await tab.ask("Runtime.evaluate", expression=axe())
        found = await tab.ask(
            "Runtime.evaluate", expression=RUN_AXE, awaitPromise=True, returnByValue=True, timeout=60_000
        )
        assert "value" in found["result"], found
        return found["result"]["value"]


def axe() -> str:
    """Return the source of axe-core."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None:
        message = "axe-core is missing; install axe-playwright-python (without its dependencies)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return (Path(package.origin).parent / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a list of runs in every state."""
    outcome, folder = RECORDS.outcome, tmp_path_factory.mktemp("index")
    lines = [
        RunLine(run_id=f"cycle-{number}", kind="cycle", status="done", started_at=FIXTURE.START, outcome=one)
        for number, one in enumerate((*RECORDS.history, outcome))
    ]
    lines += [
        RunLine(run_id=f"cycle-{status}", kind="cycle", status=status, reason="no reason", report=True)
        for status in ("running", "failed", "lost", "damaged")
    ]
    (folder / "index.html").write_bytes(index_page(lines))
    return folder / "index.html"


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light"), (320, "dark")]
)
@pytest.mark.parametrize("name", ["page", "index"])
def test_axe_finds_no_fault(browser, request, name, width, scheme):
    found = asyncio.run(examined(browser, request.getfixturevalue(name), width, scheme))
    assert [] == found["violations"], "\n".join(found["violations"])
    assert found["passes"] > 20


@pytest.mark.parametrize("width", [320, 400, 1280])
def test_the_list_of_cycles_fits_too(browser, index, width):
    seen = asyncio.run(look(browser, index, width))
    assert seen["width"] <= width
    assert [] == [url for url in seen["asked"] if url not in {index.as_uri(), "data:,"}]


@pytest.mark.parametrize("width", [320, 400, 1280])
def test_the_page_fits_loads_nothing_and_runs_nothing(browser, page, width):
    seen = asyncio.run(look(browser, page, width))
    assert seen["width"] <= width
    assert [] == [url for url in seen["asked"] if url not in {page.as_uri(), "data:,"}]
    assert [] == [url for url in seen["loaded"] if url != "data:,"]
    assert "undefined" == seen["evil"]
    assert 0 == seen["hidden"]


def test_drawings_can_be_read_on_a_phone(browser, page):
    heights = asyncio.run(look(browser, page, 400))["open"]
    assert heights
    assert min(heights) >= 9
