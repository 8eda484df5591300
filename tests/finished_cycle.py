"""A real cycle in a real workspace, its models played by the test: sealed, rendered, ready to be checked.

Tests load this file by its path.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nbformat

from harnesslib import report
from harnesslib.cli.cycles import render
from harnesslib.cycle_history import load_records
from harnesslib.meta_harness_loop import Cycle
from harnesslib.records import Call, ChatRequest, CycleRecords, Failure, Reply, sha256
from harnesslib.testing import FakeClient, reply, right_answer, tiny_suite
from harnesslib.workspace import Workspace

MODELS = ("steady", "better", "chatty")
EVIL = "<script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"
TOML = """
version = 1
[endpoints.local]
base_url = "http://127.0.0.1:9/v1"
[phases.atomic]
suite = "atomic-quick"
baseline = "steady"
[[models]]
id = "steady"
endpoint = "local"
[[models]]
id = "better"
endpoint = "local"
[[models]]
id = "chatty"
endpoint = "local"
"""


def answer(request: ChatRequest) -> Reply | Failure:
    """Know everything, or 60 % of it; the chatty one answers in markup."""
    right = right_answer(request)
    if request.model == "chatty":
        return reply(text=EVIL)
    asked = f"{request.model} {request.messages[0]['content']}"
    known = request.model == "better" or int(sha256(asked.encode())[:8], 16) / 16**8 < 0.6
    return right if known or not right.calls else reply(Call(name=EVIL, arguments={"number": EVIL}))


def execute(place: Workspace, records: CycleRecords) -> None:
    """Write the executed notebook as papermill leaves it: a cell for every section."""
    cells = []
    for number, make in enumerate(report.SECTIONS):
        part = make(records)
        data = {"text/html": part.html, "text/plain": repr(part)}
        output = nbformat.v4.new_output("execute_result", data=data, execution_count=number + 1)
        source = f"hl.report.{make.__name__}(records)"
        cells.append(
            nbformat.v4.new_code_cell(source, id=f"c{number}", outputs=[output], execution_count=number + 1)
        )
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, place.runs.path(records.manifest.run_id) / "cycle.ipynb")


def finished_cycle(root: Path) -> str:
    """Run a cycle in a new workspace; returns its id."""
    with Workspace(root) as place:
        place.initialise(TOML, {})
        run_id = place.new_cycle()
        effects = replace(
            place.stores(),
            clients={"local": FakeClient(answer, models=MODELS)},
            suites={"atomic-quick": tiny_suite("atomic-quick", cases=20)},
            events=place.runs.event_log(run_id),
        )
        Cycle(effects, run_id).run()
        execute(place, load_records(place.stores(), run_id))
        (place.runs.path(run_id) / "stdout.log").write_text("said\n", encoding="utf-8")
        render(place, run_id)
    return run_id
