"""A pipeline's gate, end to end: a route that got worse stops it, and whoever asked is told."""

from __future__ import annotations

import json
import re
import sys
from xml.etree import ElementTree as ET

import pytest

from harnesslib.cli import main
from harnesslib.cli.gating import Asked, judge
from harnesslib.errors import DataError
from harnesslib.workspace import Workspace

HARNESS = f"""
version = 1
[endpoints.demo]
simulator = "simulated_models.toml"
concurrency = 8
[phases.atomic]
suite = "atomic-quick"
baseline = "steady"
[[models]]
id = "steady"
endpoint = "demo"
[[models]]
id = "eager"
endpoint = "demo"
[cycle]


[[on_event]]
events = ["drift"]
command = [{json.dumps(sys.executable)}, "-c", "import sys; open('told.json', 'w').write(sys.stdin.read())"]
"""


@pytest.mark.timeout(180)
def test_a_route_that_got_worse_stops_the_pipeline(tmp_path, capsys):
    folder = tmp_path / "work"
    assert 0 == main(["init", "--demo", str(folder)])
    (folder / "harness.toml").write_text(HARNESS)
    page, xml = tmp_path / "page.md", tmp_path / "junit.xml"
    asked = ["--require-no-regression", "--summary", str(page), "--junit", str(xml), "-q", "-w", str(folder)]
    assert 0 == main(["cycle", *asked]), capsys.readouterr().err
    assert "first time" in page.read_text()
    assert not (folder / "told.json").exists()

    world = folder / "simulated_models.toml"
    worse, count = re.subn(
        r'(id = "steady".*?accuracy = )[\d.]+', r"\g<1>0.2", world.read_text(), count=1, flags=re.DOTALL
    )
    assert 1 == count
    world.write_text(worse)
    capsys.readouterr()
    assert 8 == main(["cycle", "--json", *asked])
    said = capsys.readouterr()
    assert "atomic, served by steady: -" in said.err
    assert ["worse"] == [check["state"] for check in json.loads(said.out)["checks"]]
    assert 2 == page.read_text().count("## Routing:")
    assert "**worse**" in page.read_text()
    failed = [case.get("name") for case in ET.parse(xml).iter("testcase") if case.find("failure") is not None]  # noqa: S314 - our own
    assert ["atomic"] == failed
    assert "drift" == json.loads((folder / "told.json").read_text())["event"]


def test_a_cycle_without_numbers_can_not_be_judged(tmp_path):
    assert 0 == main(["init", "--demo", str(tmp_path)])
    with Workspace(tmp_path) as place:
        run_id = place.new_cycle()
        with pytest.raises(DataError, match="nothing was summarized"):
            judge(place, run_id, Asked(require_no_regression=True, summary=None, junit=None))
        assert (0, ()) == judge(place, run_id, Asked(require_no_regression=False, summary=None, junit=None))
