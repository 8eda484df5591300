"""What people get: the built wheel, in an environment that knows nothing of this clone, from elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ("benchmark", "compare", "cycle", "explore", "history")
PARTS = {
    "harnesslib/_example/harness.toml",
    *(f"harnesslib/_notebooks/{name}.ipynb" for name in NOTEBOOKS),
    "harnesslib/py.typed",
    "harnesslib/report/template/harness/conf.json",
    "harnesslib/report/template/harness/index.html.j2",
    "harnesslib/report/template/harness/static/report.css",
    "harnesslib/report/template/notebook.html",
    "harnesslib/simulator/demo.toml",
    "harnesslib/suites/atomic/suite.toml",
    "harnesslib/suites/extended/suite.toml",
}


class Installed:
    """An environment that holds the wheel; the dependencies are those of the running tests."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self.bin = folder / "env" / "bin"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        uv = next(
            (str(path) for path in [ROOT / ".tools" / "uv" / "bin" / "uv"] if path.exists()),
            shutil.which("uv"),
        )
        if uv:
            self.call(uv, "venv", "--quiet", "--python", sys.executable, str(folder / "env"))
            self.call(
                uv,
                "pip",
                "install",
                "--offline",
                "--no-deps",
                "--python",
                str(self.bin / "python"),
                str(wheel),
            )
        else:
            self.call(sys.executable, "-m", "venv", str(folder / "env"))
            self.call(str(self.bin / "pip"), "install", "--no-index", "--no-deps", str(wheel))
        site = next((folder / "env").glob("lib/python3*/site-packages"))
        uv = next((str(path) for path in (ROOT / ".tools" / "uv" / "bin").glob("uv")), shutil.which("uv"))
        # whose link is a .pth file, which counts only in a true site folder.
        (site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")

    def call(self, *command: str) -> str:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))
        }
        done = subprocess.run(
            command, cwd=self.elsewhere, env=kept, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("harnesslib-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def test_the_wheel_holds_every_part_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert set() == PARTS - names
    roots = {name.split("/")[0] for name in names}
    assert {"harnesslib"} == {root for root in roots if not root.endswith(".dist-info")}
    assert [] == [name for name in names if "__pycache__" in name]


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "harnesslib").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [] == [str(path.relative_to(ROOT)) for path in files if str(path.relative_to(ROOT)) not in names]


def test_the_installed_package_is_the_one_that_is_imported(installed: Installed) -> None:
    output = installed.call(
        str(installed.bin / "python"), "-c", "import harnesslib; print(harnesslib.__file__)"
    )
    assert output.startswith(str(installed.folder / "env"))


@pytest.mark.parametrize("start", [("harness",), ("python", "-m", "harnesslib")], ids=" ".join)
def test_both_doors_open(installed: Installed, start: tuple[str, ...]) -> None:
    program, *rest = start
    output = installed.call(str(installed.bin / program), *rest, "--help")
    assert output.startswith("Usage: harness ")


def test_the_version_is_that_of_the_project(installed: Installed) -> None:
    stated = (ROOT / "pyproject.toml").read_text("utf-8").split('version = "')[1].split('"')[0]
    assert stated in installed.call(str(installed.bin / "harness"), "--version")


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_part_is_found_beside_the_installed_package(installed: Installed, part: str) -> None:
    code = (
        f"from importlib.resources import files; print(files('harnesslib').joinpath('../{part}').is_file())"
    )
    assert "True\n" == installed.call(str(installed.bin / "python"), "-c", code)


def test_the_example_is_read_from_the_wheel(installed: Installed) -> None:
    code = "import harnesslib as hl; place = hl.find_runs(); print(place.root, len(hl.load_cycles(place)))"
    root, cycles = installed.call(str(installed.bin / "python"), "-c", code).split()
    assert root.startswith(str(installed.folder / "env"))
    assert "5" == cycles


def test_a_demo_workspace_can_be_made_in_an_empty_folder(installed: Installed) -> None:
    installed.call(str(installed.bin / "harness"), "init", "--demo", "work")
    assert {"harness.toml", "routing_config.json"} <= {
        path.name for path in (installed.elsewhere / "work").iterdir()
    }


def test_a_wheel_from_the_source_archive_is_the_same(wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    again = next(tmp_path.glob("harnesslib-*.whl"))
    direct, by_archive = (
        {info.filename: info.CRC for info in zipfile.ZipFile(path).infolist()} for path in (wheel, again)
    )
    assert direct == by_archive


def test_types_are_known_outside(installed: Installed) -> None:
    script = installed.elsewhere / "application.py"
    script.write_text(
        "from harnesslib import Router\n"
        "route = Router('routing_config.json').resolve('auto', 'atomic')\n"
        "reveal_type(route.settings.timeout_s)\n"
        "wrong: int = route.model\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed.bin / "python")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*command, str(script)],
        cwd=installed.elsewhere,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout.replace("builtins.", "")
    assert 'Revealed type is "float"' in told, done.stdout + done.stderr
    assert 'expression has type "str", variable has type "int"' in done.stdout
    assert "Found 1 error" in done.stdout


def test_papermill_finds_the_engine(installed: Installed) -> None:
    code = "from papermill.engines import papermill_engines; print(papermill_engines.get_engine('harness'))"
    assert "HarnessEngine" in installed.call(str(installed.bin / "python"), "-c", code)
