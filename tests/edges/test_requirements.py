"""The pinned requirements belong to this pyproject.toml, and scripts/lock notices when they don't."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUN = PROJECT["project"]["dependencies"]
FILES = {
    "requirements.txt": RUN,
    "requirements-dev.txt": RUN + PROJECT["dependency-groups"]["dev"],
    "requirements-lab.txt": RUN + PROJECT["project"]["optional-dependencies"]["lab"],
    "requirements-docs.txt": RUN + PROJECT["dependency-groups"]["docs"],
    "requirements-interop.txt": RUN + PROJECT["dependency-groups"]["interop"],
    "requirements-tools.txt": PROJECT["dependency-groups"]["tools"],
}


def pins(name: str) -> dict[str, set[str]]:
    """Return the versions that a file pins, by package; several where Pythons differ."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text("utf-8").splitlines():
        if pinned := re.match(r"([a-z0-9][a-z0-9.-]*)==([^ ;]+)", line):
            found.setdefault(pinned[1], set()).add(pinned[2])
    return found


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # or it leaves a file beside the script
    loader = SourceFileLoader("lock_script", str(ROOT / "scripts" / "lock"))
    module = module_from_spec(spec_from_loader("lock_script", loader))
    loader.exec_module(module)
    return module


def test_the_requirement_files_were_made_for_this_pyproject(lock: ModuleType) -> None:
    assert [] == lock.stale(ROOT), "run scripts/lock"


@pytest.mark.parametrize("name", FILES)
def test_every_direct_dependency_is_pinned_within_its_bounds(name: str) -> None:
    pinned = pins(name)
    wanted = [Requirement(text) for text in FILES[name]]
    loose = [
        str(requirement)
        for requirement in wanted
        for versions in [pinned.get(canonicalize_name(requirement.name), set())]
        if not versions or not all(requirement.specifier.contains(version) for version in versions)
    ]
    assert [] == loose


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes(name: str) -> None:
    text = (ROOT / name).read_text("utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [] == [line.split(" ")[0] for line in lines if " --hash=sha256:" not in line]


@pytest.mark.parametrize("name", ["requirements-dev.txt", "requirements-docs.txt", "requirements-lab.txt"])
def test_the_larger_environments_hold_what_a_run_needs_at_the_same_versions(name: str) -> None:
    larger = pins(name)
    assert [] == [
        package for package, versions in pins("requirements.txt").items() if larger.get(package) != versions
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"click>=8.2"', '"click>=8.3"'),
        ('"pytest>=9.0"', '"pytest>=9.1"'),
        ('requires-python = ">=3.11"', 'requires-python = ">=3.12"'),
    ],
)
def test_a_changed_dependency_makes_the_files_stale(
    lock: ModuleType, tmp_path: Path, old: str, new: str
) -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "pyproject.toml").write_text(text.replace(old, new), "utf-8")
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    assert sorted(FILES) == sorted(lock.stale(tmp_path))


def test_a_change_that_pins_nothing_leaves_the_files_current(lock: ModuleType, tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8").replace("line-length = 110", "line-length = 111")
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    assert lock.digest(ROOT / "pyproject.toml") == lock.digest(tmp_path / "pyproject.toml")


def test_check_names_the_stale_files_and_the_cure(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "lock", tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = [sys.executable, str(tmp_path / "scripts" / "lock"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "requirements.txt" in done.stderr
    assert "run scripts/lock" in done.stderr
