"""The pages about the loop say what is so: what they print works, and nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from harnesslib import harness_file, proposals, routing
from harnesslib.records import Proposal, ProposalPatch, ProposalVerdict, Submitted
from harnesslib.records.config import AutoApply, PhaseConfig
from harnesslib.records.loop import Answer
from harnesslib.testing import EPOCH

ROOT = Path(__file__).resolve().parents[2]
PROPOSE = "how-to/propose-a-candidate.md"
DEMO = ROOT / "harnesslib" / "cli" / "demo_harness.toml"


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def printed(name: str) -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)


def test_the_proposals_of_the_page_are_candidates_in_the_demo():
    config = harness_file.parse(DEMO.read_bytes(), "harness.toml")
    first = routing.initial(config, now=EPOCH)
    shown = [text for text in printed(PROPOSE) if text.startswith("name")]
    assert 2 == len(shown)
    for text in shown:
        name = re.match(r'name = "(.+?)"', text)[1]
        submitted = Submitted(name=name, file=f"{name}.toml", text=text, sha256="")
        found, planned = proposals.read(submitted, config, first)
        assert ("", True) == (planned.problem, found is not None)


@pytest.mark.parametrize("record", [Proposal, ProposalPatch])
def test_every_key_of_a_proposal_is_explained(record):
    assert [] == [field for field in record.__struct_fields__ if f"`{field}`" not in page(PROPOSE)]


def test_every_answer_is_explained():
    assert [] == [word for word in get_args(Answer) if f"| `{word}` |" not in page(PROPOSE)]
    named = ("status", "decision_id", "effect", "verified", "reason")
    assert set(named) <= set(ProposalVerdict.__struct_fields__)
    assert [] == [field for field in named if f"`{field}`" not in page(PROPOSE)]


def test_every_way_of_applying_is_explained():
    text = page("how-to/decide-what-is-applied.md")
    assert [] == [word for word in get_args(AutoApply) if f"| `{word}` |" not in text]


def test_the_settings_that_the_pages_print_can_be_read():
    demo = DEMO.read_text("utf-8")
    [proposer] = [text for text in printed(PROPOSE) if text.startswith("[proposer]")]
    assert "better" == harness_file.parse(f"{demo}\n{proposer}".encode(), "harness.toml").proposer.model
    [phase] = printed("how-to/decide-what-is-applied.md")
    changed = demo.replace("[phases.atomic]\n", phase)
    assert "propose" == harness_file.parse(changed.encode(), "harness.toml").phases["atomic"].auto_apply
    assert "on" == PhaseConfig(suite="s", baseline="b").auto_apply


def test_links_between_the_pages_lead_somewhere():
    for path in (*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", path.read_text("utf-8")):
            assert (path.parent / target).is_file(), f"{path.name}: {target}"
