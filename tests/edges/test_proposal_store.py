"""The folder of proposals: plain files only, nothing large, nothing that leads elsewhere."""

from __future__ import annotations

import pytest

from harnesslib.errors import InputError
from harnesslib.proposal_store import LARGEST, ProposalFolder
from harnesslib.records import ProposalVerdict
from harnesslib.testing import EPOCH


@pytest.fixture
def folder(tmp_path):
    made = ProposalFolder(tmp_path / "proposals")
    made.folder.mkdir()
    return made


def verdict(name: str, **fields) -> ProposalVerdict:
    known = {"sha256": "x", "status": "kept", "reason": "r", "run_id": "1", "answered_at": EPOCH}
    return ProposalVerdict(name=name, **(known | fields))


def problems(folder):
    return {one.name: one.problem for one in folder.submitted()}


def test_a_workspace_without_the_folder_has_no_proposals(tmp_path):
    assert () == ProposalFolder(tmp_path / "nowhere").submitted()


def test_files_are_read_by_name_and_answers_are_no_proposals(folder):
    (folder.folder / "b.toml").write_text("two")
    (folder.folder / "a.json").write_text("one")
    (folder.folder / "notes.md").write_text("three")
    folder.answer(verdict("a"))
    assert [("a", "one"), ("b", "two")] == [(one.name, one.text) for one in folder.submitted()]
    assert {""} == set(problems(folder).values())


def test_a_link_out_of_the_workspace_is_not_followed(folder, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text("secret")
    (folder.folder / "a.json").symlink_to(secret)
    (folder.folder / "b.json").mkdir()
    [link, directory] = folder.submitted()
    assert ("", "") == (link.text, directory.text)
    assert "links and folders are not followed" in link.problem
    assert "links and folders are not followed" in directory.problem


def test_what_is_large_or_no_text_is_not_read(folder):
    (folder.folder / "a.json").write_bytes(b"x" * (LARGEST + 1))
    (folder.folder / "b.json").write_bytes(b"\xff\xfe")
    assert "expected at most 65536" in problems(folder)["a"]
    assert "can't be read" in problems(folder)["b"]


@pytest.mark.parametrize("name", ["Upper.json", "with space.toml", "-x.json", f"{'x' * 61}.json"])
def test_a_name_that_is_none_is_a_problem(folder, name):
    (folder.folder / name).write_text("{}")
    [one] = folder.submitted()
    assert "its name" in one.problem


def test_two_files_of_one_name_are_a_problem(folder):
    (folder.folder / "a.json").write_text("{}")
    (folder.folder / "a.toml").write_text("")
    assert "a.json and a.toml have one name; cure: remove one of them" == problems(folder)["a"]


def test_an_answer_is_read_back_and_a_broken_one_is_none(folder):
    folder.answer(verdict("a"))
    assert verdict("a") == folder.verdict("a")
    (folder.folder / "a.verdict.json").write_text("{")
    assert None is folder.verdict("a")
    assert None is folder.verdict("never")


def test_what_is_submitted_stands_there_and_leads_nowhere_else(folder):
    folder.submit("a", "{}")
    assert ["a"] == [one.name for one in folder.submitted()]
    with pytest.raises(InputError, match="expected a name of small letters"):
        folder.submit("../a", "{}")
