"""The script ./run: its stamps, its lock and its sentences, with a pip and a uv that are only played."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FAKE_PIP = """
import os, pathlib, sys
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write("pip " + " ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "config":
    print(os.environ.get("FAKE_PIP_CONFIG", ""))
    sys.exit()
if words := os.environ.get("FAKE_PIP_ERROR"):
    sys.exit(words)
if "--target" in sys.argv:
    uv = pathlib.Path(sys.argv[sys.argv.index("--target") + 1], "bin", "uv")
    uv.parent.mkdir(parents=True)
    uv.write_text("#!" + sys.executable + "\\n" + pathlib.Path(os.environ["FAKE_UV"]).read_text())
    uv.chmod(0o755)
"""

FAKE_UV = """
import os, sys, venv
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write("uv " + " ".join(sys.argv[1:]) + "\\n")
    log.write("index " + os.environ.get("UV_DEFAULT_INDEX", "") + "\\n")
if sys.argv[1] == "venv":
    venv.create(sys.argv[-1], clear="--clear" in sys.argv, with_pip=False)
elif gate := os.environ.get("FAKE_UV_GATE"):
    with open(gate) as waiting:
        waiting.read()
if sys.argv[1] == "pip" and (words := os.environ.get("FAKE_UV_ERROR")):
    sys.exit(words)
"""

JOB = """
import os, sys
print("job", *sys.argv[1:], "in", os.getcwd(), "by", sys.prefix)
print("bytecode", os.environ.get("PYTHONDONTWRITEBYTECODE", "is written"))
"""


class Clone:
    """A fresh clone with a job that tells how it was started, and a log of what the tools were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a clone"
        self.stamp = self.folder / ".venv" / ".whole"
        self.log = folder / "calls.log"
        self.log.touch()
        played = folder / "played" / "pip"
        played.mkdir(parents=True)
        (played / "__init__.py").touch()
        (played / "__main__.py").write_text(FAKE_PIP)
        (folder / "uv.py").write_text(FAKE_UV)
        (self.folder / "harnesslib").mkdir(parents=True)
        (self.folder / "harnesslib" / "__init__.py").touch()
        (self.folder / "harnesslib" / "__main__.py").write_text(JOB)
        (self.folder / "pytest.py").write_text(JOB)
        for name in ("run", "pyproject.toml", *(path.name for path in ROOT.glob("requirements*.txt"))):
            shutil.copy(ROOT / name, self.folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        self.variables = kept | {
            "PYTHONPATH": str(played.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FAKE_LOG": str(self.log),
            "FAKE_UV": str(folder / "uv.py"),
            "PATH": "/usr/bin:/bin",
        }

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(self.folder / "run"), *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            command, **pipes, text=True, env=self.variables | variables, cwd=self.folder.parent
        )

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **variables)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def calls(self, words: str) -> int:
        return sum(words in line for line in self.log.read_text().splitlines())


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # or it leaves a file beside the script
    loader = SourceFileLoader("run_script", str(ROOT / "run"))
    module = module_from_spec(spec_from_loader("run_script", loader))
    loader.exec_module(module)
    return module


def test_the_first_start_sets_up_and_runs_the_demo_in_the_clone(clone: Clone) -> None:
    done = clone.run()
    assert done.returncode == 0, done.stderr
    assert f"job demo in {clone.folder} by {clone.folder}/.venv" == done.stdout.splitlines()[0]
    assert ["1/3", "2/3", "3/3"] == [line.split(", ")[1][:3] for line in done.stderr.splitlines()[:3]]
    assert clone.stamp.exists()


def test_the_second_start_only_compares_the_stamp(clone: Clone) -> None:
    clone.run()
    before = clone.log.read_text()
    done = clone.run()
    assert (0, "") == (done.returncode, done.stderr)
    assert before == clone.log.read_text()


def test_other_words_go_to_harness_and_keep_the_folder_of_the_caller(clone: Clone) -> None:
    done = clone.run("routes", "list", "--json")
    assert f"job routes list --json in {clone.folder.parent}" in done.stdout


def test_the_command_harness_works_from_a_folder_that_would_shadow_modules(clone: Clone) -> None:
    clone.run()
    trap = clone.folder.parent / "trap"
    trap.mkdir()
    (trap / "harnesslib.py").write_text("raise SystemExit('shadowed')")
    command = [str(clone.folder / ".venv" / "bin" / "harness"), "status"]
    output = subprocess.check_output(command, cwd=trap, env={"PATH": "/bin"}, text=True)
    assert f"job status in {trap}" in output


def test_the_job_writes_bytecode_whatever_the_shell_says(clone: Clone) -> None:
    assert "bytecode is written" in clone.run().stdout


def test_the_clone_is_an_installed_distribution_of_its_environment(clone: Clone) -> None:
    clone.run()
    code = (
        "import importlib.metadata as m; d = m.distribution('harnesslib'); print([str(f) for f in d.files])"
    )
    python = str(clone.folder / ".venv" / "bin" / "python")
    output = subprocess.check_output([python, "-c", code], text=True)
    assert "'harnesslib.pth'" in output
    assert "'../../../bin/harness'" in output


def test_tests_need_the_dev_packages_and_a_run_is_content_with_them(clone: Clone) -> None:
    done = clone.run("test", "-n", "0", "-k", "routing")
    assert f"job -n 0 -k routing in {clone.folder}" in done.stdout
    assert 1 == clone.calls("requirements-dev.txt")
    assert "" == clone.run().stderr


def test_the_benchmarks_run_in_the_clone_with_what_developers_have(clone: Clone) -> None:
    (clone.folder / "benchmarks").mkdir()
    (clone.folder / "benchmarks" / "run.py").write_text(JOB)
    done = clone.run("bench", "--only", "lock")
    assert f"job --only lock in {clone.folder} by {clone.folder}/.venv" == done.stdout.splitlines()[0]
    assert 1 == clone.calls("requirements-dev.txt")


def test_the_lab_lives_in_an_environment_of_its_own(clone: Clone) -> None:
    clone.run()
    done = clone.run("lab")  # jupyterlab is not really there
    assert "No module named jupyterlab" in done.stderr
    assert (clone.folder / ".venv-lab" / ".whole").exists()
    assert "" == clone.run().stderr


def test_changed_pins_update_a_whole_environment_in_place(clone: Clone) -> None:
    clone.run()
    with (clone.folder / "requirements.txt").open("a") as pins:
        pins.write("# a change\n")
    assert 0 == clone.run().returncode
    assert (1, 2) == (clone.calls("uv venv"), clone.calls("uv pip sync"))


def test_an_environment_without_stamp_is_made_anew(clone: Clone) -> None:
    clone.run()
    clone.stamp.unlink()
    (clone.folder / ".venv" / "leftover").touch()
    assert 0 == clone.run().returncode
    assert 2 == clone.calls("uv venv")
    assert not (clone.folder / ".venv" / "leftover").exists()


def test_a_moved_clone_is_set_up_anew(clone: Clone) -> None:
    clone.run()
    clone.folder = clone.folder.rename(clone.folder.parent / "elsewhere")
    assert f"by {clone.folder}/.venv" in clone.run().stdout
    assert 2 == clone.calls("uv venv")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("error: failed to write: No space left on device (os error 28)", 74, "disk is full"),
        ("error: failed to open file: Permission denied (os error 13)", 77, "no permission to write"),
        ("error: Hash mismatch for `numpy==2.4.6`", 65, "not the one that was pinned"),
    ],
)
def test_a_failed_installation_is_one_sentence_and_leaves_no_stamp(
    clone: Clone, words: str, code: int, sentence: str
) -> None:
    done = clone.run(FAKE_UV_ERROR=words)
    assert code == done.returncode
    assert sentence in done.stderr.splitlines()[-1]
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not clone.stamp.exists()
    assert 0 == clone.run().returncode


def test_without_a_network_nothing_is_tried_twice(clone: Clone) -> None:
    words = (
        "WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching distribution"
    )
    done = clone.run(FAKE_PIP_ERROR=words)
    assert 69 == done.returncode
    assert "the package registry can't be reached" in done.stderr.splitlines()[-1]
    assert 1 == clone.calls("pip install")
    assert not (clone.folder / ".venv").exists()


def test_a_requirements_file_that_is_missing_says_so(clone: Clone) -> None:
    (clone.folder / "requirements.txt").unlink()
    done = clone.run()
    assert 65 == done.returncode
    assert "this clone is not complete" in done.stderr


def test_the_index_of_pip_is_told_to_uv(clone: Clone) -> None:
    clone.run(
        FAKE_PIP_CONFIG="global.index-url='http://localhost:1/a'\n:env:.index-url='http://localhost:1/b'"
    )
    assert clone.calls("index http://localhost:1/b") > 0


def test_what_the_person_told_uv_wins_over_pip(clone: Clone) -> None:
    clone.run(
        FAKE_PIP_CONFIG="global.index-url='http://localhost:1/a'", UV_DEFAULT_INDEX="http://localhost:1/c"
    )
    assert clone.calls("index http://localhost:1/c") > 0


def test_two_starts_at_once_set_up_once(clone: Clone) -> None:
    gate = clone.folder.parent / "gate"
    os.mkfifo(gate)
    first = clone.start("first", FAKE_UV_GATE=str(gate))
    opened = gate.open("w")  # blocks until uv installs
    second = clone.start("second")
    line = second.stderr.readline()
    assert f"another ./run (pid {first.pid}) is setting up this clone; waiting for it\n" == line
    opened.close()
    assert "job first" in first.communicate()[0]
    assert "job second" in second.communicate()[0]
    assert 1 == clone.calls("uv pip sync")


def test_a_killed_set_up_is_waited_for_and_made_anew(clone: Clone) -> None:
    gate = clone.folder.parent / "gate"
    os.mkfifo(gate)
    first = clone.start(FAKE_UV_GATE=str(gate))
    opened = gate.open("w")
    first.kill()
    first.wait()
    second = clone.start()
    assert "waiting for it" in second.stderr.readline()  # the orphaned installer still writes
    opened.close()
    output, errors = second.communicate()
    first.communicate()
    assert "job demo" in output, errors
    assert 2 == clone.calls("uv venv")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_set_up_is_never_taken_for_whole(clone: Clone, number: int, code: int) -> None:
    gate = clone.folder.parent / "gate"
    os.mkfifo(gate)
    first = clone.start(FAKE_UV_GATE=str(gate))
    with gate.open("w"):
        first.send_signal(number)
        _, errors = first.communicate()
    assert code == first.returncode
    assert "Traceback" not in errors
    assert not clone.stamp.exists()
    assert "job demo" in clone.run().stdout


def test_a_set_up_that_lasts_too_long_is_reported(script, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(script, "TOOLS", tmp_path)
    monkeypatch.setattr(script, "WAIT_S", -1)
    with script.only_one(), pytest.raises(script.SetupError) as caught, script.only_one():
        pytest.fail("two hold the lock")
    assert 75 == caught.value.code
    assert f"pid {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("/usr/bin/python3: No module named pip", 69, "lacks pip or venv"),
        (
            "ensurepip is not available. On Debian/Ubuntu systems, install python3-venv",
            69,
            "lacks pip or venv",
        ),
        ("error: Request failed\n  Caused by: dns error: failed to lookup", 69, "registry can't be reached"),
        ("Distribution has no wheels with a matching Python ABI tag: no usable wheels", 69, "has no build"),
        ("OSError: [Errno 28] No space left on device", 74, "the disk is full"),
        ("[Errno 30] Read-only file system: '/clone/.tools'", 77, "no permission to write"),
        (
            "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            65,
            "not the one that was pinned",
        ),
        ("error: something new", 69, "the set-up failed; it said:\n    error: something new"),
        ("", 69, "it said nothing"),
    ],
)
def test_the_cause_is_found_in_what_a_tool_says(script, words: str, code: int, sentence: str) -> None:
    error = script.diagnose(words)
    assert code == error.code
    assert sentence in str(error)


def test_help_needs_no_environment(clone: Clone) -> None:
    done = clone.run("--help")
    assert done.stdout.startswith("Set up harnesslib")
    assert not (clone.folder / ".tools").exists()


def test_every_exit_code_of_the_set_up_is_explained_in_its_help_and_in_the_guide(script) -> None:
    codes = {str(value) for name, value in vars(script).items() if name.startswith("EXIT_")}
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert set() == {code for code in codes if code not in script.__doc__ or f"| {code} |" not in guide}


@pytest.mark.parametrize("version", ["3.10.2", "3.8.18"])
def test_an_old_python_is_told_so_before_anything_else(version: str) -> None:
    older = tuple(int(part) for part in version.split("."))
    code = f"import sys; sys.version_info = {older}; sys.version = '{version} (played)'\n"
    script = code + (ROOT / "run").read_text("utf-8")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert 69 == done.returncode
    assert f"Python 3.11 or newer on Linux or macOS is needed, and this is {version}" in done.stderr


def test_the_script_can_be_read_by_the_oldest_python_that_may_start_it() -> None:
    import ast

    ast.parse((ROOT / "run").read_text("utf-8"), feature_version=(3, 7))
