"""What models, endpoints and other tools write attacks whoever looks at it: it stays data everywhere."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import stat
import threading
import zipfile
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import nbformat
import pytest

from harnesslib.cli import main
from harnesslib.cli.output import picture, table
from harnesslib.cli.watching import Watched
from harnesslib.cycle_history import load_records
from harnesslib.errors import DataError, InputError
from harnesslib.exports.job_page import job_page
from harnesslib.imports.archive import member
from harnesslib.proposal_store import ProposalFolder
from harnesslib.records import Call, Estimate, Failure, PhaseCheck
from harnesslib.report.notebook_page import render_notebook
from harnesslib.storage import write_atomic
from harnesslib.testing import reply
from harnesslib.untrusted import for_terminal, json_for_terminal, on_one_line
from harnesslib.workspace import Workspace

HOSTILE = (
    "<script>window.evil = 1</script><img src=x onerror='window.evil = 1'>",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "honest\rforged",
    "\u009b31m\u202egnp.exe\u2066\u200f\u061c",
    "# Heading\n[click](http://evil.example) ![x](http://evil.example) `code` **bold** | cell",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "Z\u0300\u0316\u0317" * 500,
    "\N{FAMILY}\U000e0001\U000e0041\ufeff\u0000\ud7ff\ue000\ufffe\U0010ffff",
    "x" * 100_000,
    "${7*7} {{7*7}} $(id) `id` %s %n '; DROP TABLE samples; --",
)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FORMULA = (*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MARKUP = {"script", "img", "iframe", "object", "embed", "form", "base"}


def load(name: str):
    path = Path(__file__).resolve().parents[1] / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Attacker:
    """Answers every question with the next attack, in every part of an answer in turn."""

    def __init__(self, honest) -> None:
        self.honest = honest
        self.asked = 0

    def __call__(self, request):
        if request.model != "chatty":
            return self.honest(request)
        self.asked += 1
        text = HOSTILE[self.asked % len(HOSTILE)]
        forms = (
            lambda: reply(text=text, served_model=text),
            lambda: reply(Call(name=text[:200], arguments={"number": text, text[:50]: [text[:50]]})),
            lambda: reply(text=text, malformed=text[:200]),
            lambda: Failure(kind="infra_error", detail=text[:200]),
            lambda: Failure(kind="timeout", detail=text[:200]),
        )
        return forms[self.asked // len(HOSTILE) % len(forms)]()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Path:
    """Return the workspace of a finished cycle, one of whose candidates is the attacker."""
    cycles = load("finished_cycle")
    attacker = Attacker(cycles.answer)
    cycles.answer = attacker
    root = tmp_path_factory.mktemp("attacked")
    cycles.finished_cycle(root)
    assert attacker.asked > len(HOSTILE)
    return root


def records(root: Path):
    with Workspace(root) as place:
        return load_records(place.stores(), place.runs.latest().run_id)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, attrs))

    def dangerous(self) -> list:
        return [
            (tag, attrs)
            for tag, attrs in self.tags
            if tag in MARKUP
            or any(name.startswith("on") or (value or "").startswith("javascript:") for name, value in attrs)
        ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["decide"],
        ["diagnose"],
        ["apply", "--dry-run"],
        ["history"],
        ["log", "show"],
        ["routes", "list"],
        ["verify"],
        ["report"],
        ["status"],
        ["plan"],
        ["doctor"],
        ["export", "csv"],
        ["config", "show"],
    ],
    ids=" ".join,
)
def test_no_command_prints_what_a_terminal_obeys(attacked, capfd, arguments):
    for form in ([], ["--json"]):
        main([*arguments, *form, "-w", str(attacked)])
        said = capfd.readouterr()
        assert said.out or said.err
        assert not CONTROL.search(said.out + said.err)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_table_a_sentence_and_a_live_view_show_text_and_nothing_else(text):
    from rich.console import Console

    console = Console(width=200, force_terminal=False)
    with console.capture() as shown:
        console.print(picture(Watched(message=text, dropped=(text,))))
    for said in (for_terminal(text), table(("a",), [(text,)]), shown.get()):
        assert not CONTROL.search(said)
    assert 3 == table(("a",), [(text,)]).count("\n") + 1
    quoted = msgspec.json.encode(text.encode("utf-8", "replace").decode()).decode()
    assert json.loads(quoted) == json.loads(json_for_terminal(quoted))
    assert not CONTROL.search(json_for_terminal(quoted))


def test_honest_text_of_any_language_is_shown_as_it_is():
    for text in ("größer als 5 %", "数える\n\t二行", "שלום עולם", "naïve — “quoted”", "👩‍👧"):
        assert text == for_terminal(text)
    assert "one two" == on_one_line("one\ntwo")
    assert "one\ntwo" == for_terminal("one\r\ntwo")


@pytest.mark.parametrize("where", ["runs/*/report.html", "runs/index.html"])
def test_pages_hold_no_markup_of_models(attacked, where):
    [page] = attacked.glob(where)
    text = page.read_text()
    assert [] == Tags(text).dangerous()
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_the_page_of_a_notebook_holds_no_markup_of_models(tmp_path):
    cells = []
    for number, text in enumerate(HOSTILE):
        plain = nbformat.v4.new_output("execute_result", data={"text/plain": text}, execution_count=1)
        stream = nbformat.v4.new_output("stream", text=text)
        error = nbformat.v4.new_output("error", ename="E", evalue=text, traceback=[text])
        cells.append(nbformat.v4.new_code_cell("1", id=f"c{number}", outputs=[plain, stream, error]))
    source, page = tmp_path / "n.ipynb", tmp_path / "n.html"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    render_notebook(source, page)
    assert [] == Tags(page.read_text()).dangerous()


def test_no_cell_of_the_csv_is_a_formula(attacked, tmp_path):
    file = tmp_path / "samples.csv"
    assert 0 == main(["export", "csv", "-o", str(file), "-w", str(attacked)])
    with file.open(encoding="utf-8-sig", newline="") as opened:
        csv.field_size_limit(10_000_000)
        header, *rows = csv.reader(opened)
    assert {len(header)} == {len(row) for row in rows}
    numbers = re.compile(r"-?[0-9.]+(e-?[0-9]+)?")
    risky = [
        cell
        for row in rows
        for cell in row
        if cell.lstrip(" \u00a0\u3000").startswith(FORMULA) and not numbers.fullmatch(cell)
    ]
    assert [] == risky
    assert any("cmd|" in cell for row in rows for cell in row)


def test_other_exports_are_whole_documents_whatever_was_said(attacked, tmp_path):
    main(["export", "inspect", "-o", str(tmp_path / "inspect"), "-w", str(attacked)])
    logs = [json.loads(path.read_text()) for path in (tmp_path / "inspect").rglob("*.json")]
    assert logs
    main(["export", "junit", "-o", str(tmp_path / "j.xml"), "-w", str(attacked)])
    ET.fromstring((tmp_path / "j.xml").read_text())  # noqa: S314 - written by the line above


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_the_page_of_a_job_has_no_links_tags_or_cells_of_others(attacked, text):
    found = records(attacked)
    outcome = msgspec.structs.replace(found.outcome, headline=text)
    unknown = Estimate(value=None, low=None, high=None, level=0.95, n=0, method="none", reason="not asked")
    reason = f"{text}\\| more |"
    check = PhaseCheck(phase="atomic", state="worse", model=text, effect=unknown, reason=reason)
    page = job_page(msgspec.structs.replace(found, outcome=outcome), (check,))
    assert not CONTROL.search(page)
    assert "](" not in page
    assert "<" not in page
    assert "`" not in page.replace(f"`{found.manifest.run_id}`", "")
    [row] = [line for line in page.splitlines() if "**worse**" in line]
    assert 5 == len(re.findall(r"(?<!\\)(?:\\\\)*\|", row))


MODELS = ["m\x1b[31m", "../../../evil", "a\u202eb", 'q"\n[[on_event]]\ncommand = ["touch", "x"]', "-rf", ".."]


@pytest.fixture
def hostile_host():
    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({"data": [{"id": name} for name in MODELS]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say({"choices": [{"message": {"content": HOSTILE[1]}}], "model": HOSTILE[4]})

        def _say(self, said: dict) -> None:
            body = json.dumps(said).encode()
            self.send_response(200, "\x1b[31mred")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_names_that_a_host_makes_up_change_no_settings_and_lead_nowhere(hostile_host, tmp_path, capfd):
    root = tmp_path / "workspace"
    assert 0 == main(["init", "--openai", hostile_host, str(root)]), capfd.readouterr().err
    with Workspace(root) as place:
        config = place.config.harness()
    assert (MODELS, ()) == ([model.id for model in config.models], config.on_event)
    for model in MODELS[:2]:
        assert 0 == main(["run", "--limit", "1", "--repeats", "1", "-w", str(root), "--", model, "atomic"])
        for kind in ("inspect", "every-eval-ever"):
            assert 0 == main(["export", kind, "-o", str(tmp_path / kind), "-w", str(root)])
    for arguments in (["doctor"], ["status"], ["routes", "list"]):
        main([*arguments, "-w", str(root)])
    said = capfd.readouterr()
    assert not CONTROL.search(said.out + said.err)
    assert ["every-eval-ever", "inspect", "workspace"] == sorted(path.name for path in tmp_path.iterdir())
    assert ["harnesslib"] == [path.name for path in (tmp_path / "every-eval-ever").iterdir()]
    known = {
        "harness.toml",
        "routing_config.json",
        "routing_decisions.jsonl",
        "generations",
        "runs",
        "proposals",
    }
    assert {path.name for path in root.iterdir() if not path.name.startswith(".")} == known


@pytest.mark.parametrize(
    "name", ["..", "../x", "/etc", "a/b", "a\0b", ".hidden", "", "x" * 200, "a\nb", "\u202ea"]
)
def test_a_run_id_leads_nowhere_else(attacked, capfd, name):
    with Workspace(attacked) as place, pytest.raises(InputError):
        place.runs.path(name)
    for arguments in (["decide"], ["diagnose"], ["report"], ["export", "csv"], ["verify"], ["apply"]):
        assert main([*arguments, "-w", str(attacked), "--", name]) in {2, 4}
    assert main(["cycle", "--resume", name or "..", "-w", str(attacked)]) in {2, 4}
    assert not CONTROL.search("".join(capfd.readouterr()))


@pytest.mark.parametrize(
    "name", ["../x.toml", "/etc/passwd", "../../etc/passwd.json", "atomic/../../x", "\0.toml"]
)
def test_a_suite_that_is_not_there_is_one_sentence(tmp_path, capfd, name):
    assert 2 == main(["suite", "check", "--", name])
    assert "Traceback" not in capfd.readouterr().err


def test_links_in_the_folder_of_proposals_are_not_followed(tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('{"name": "x"}')
    folder = tmp_path / "proposals"
    folder.mkdir()
    (folder / "link.json").symlink_to(secret)
    (folder / "sub.json").mkdir()
    store = ProposalFolder(folder)
    assert ["", ""] == [one.text for one in store.submitted()]
    for name in ("../x", "/x", "a/b", "..", "A", ""):
        with pytest.raises(InputError):
            store.submit(name, "{}")


def test_an_export_replaces_a_link_and_never_what_it_points_at(attacked, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    link = tmp_path / "samples.csv"
    link.symlink_to(outside)
    assert 0 == main(["export", "csv", "-o", str(link), "-w", str(attacked)])
    assert ("untouched", False) == (outside.read_text(), link.is_symlink())


@pytest.mark.parametrize("name", ["../evil", "/evil", "..\\evil", "a/../../evil", "C/..\\../evil"])
def test_an_archive_whose_names_lead_out_is_refused_before_anything_is_read(tmp_path, name):
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", "{}")
        archive.writestr(name, "x")
    with pytest.raises(DataError, match="leads out"):
        member(path, "header.json")
    assert ["log.eval"] == [each.name for each in tmp_path.iterdir()]


def test_a_member_that_says_it_is_small_and_is_not_is_refused(tmp_path):
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "0" * 10_000_000)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(signature) + offset
        data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError):
        member(path, "header.json")


def test_a_workspace_holds_nothing_that_others_can_write(attacked):
    loose = [path for path in attacked.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & stat.S_IWOTH]
    assert [] == loose


def test_a_file_is_written_for_its_owner_even_without_a_umask(tmp_path):
    before = os.umask(0)
    try:
        write_atomic(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert 0o644 == stat.S_IMODE((tmp_path / "file").stat().st_mode)
