"""Whatever stands in a file or comes over the wire: an answer or an error of ours, soon; never a crash."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harnesslib import harness_file, proposals, routing, routing_file, run_journal
from harnesslib.clients._http import Answer
from harnesslib.clients._reading import UnreadableError, read_json, without_secret
from harnesslib.clients.command import CommandClient
from harnesslib.clients.ollama import OllamaClient
from harnesslib.clients.openai_compat import OpenAICompatClient
from harnesslib.errors import DataError, HarnessError, InputError
from harnesslib.imports.store import ImportedResults
from harnesslib.parsers import FORMATS, parse_native, parse_text
from harnesslib.programs import Ended
from harnesslib.records import ChatRequest, Failure, LogEntry, Reply, Submitted, decode, encode, encode_pretty
from harnesslib.routing_log import RoutingLog, verify
from harnesslib.schemas import RECORDS
from harnesslib.simulator.truth import DEMO_WORLD, load_world
from harnesslib.storage import write_atomic
from harnesslib.suites import load_suite
from harnesslib.suites.bfcl import import_suite
from harnesslib.testing import EPOCH, FakeClock, tiny_harness, tiny_suite

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HARNESS = tiny_harness("base", "other")
TINY = tiny_suite("s")
FIRST = routing.initial(HARNESS, now=EPOCH)


def _load(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DEMO = _load("report_fixture").demo_records()
DEEP = 3000
TOKENS = [
    *(
        b"null",
        b"true",
        b"-0",
        b"1e999",
        b"NaN",
        b"Infinity",
        b'"\\ud800"',
        b'"\\u0000"',
        b"\xff\xfe",
        b"\x00",
    ),
    *(b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP, b"9" * 5000, b"0.1" + b"0" * 400),
    *(
        b'"0001-01-01T00:00:00+23:59"',
        b'"9999-12-31T23:59:60Z"',
        b"\n",
        b"\r\n",
        b'"',
        b"'",
        b"{",
        b"}",
        b",",
    ),
    *(
        b"a.b.c = 1\n",
        b"[a]\n[a]\n",
        b"x = " + b"[" * DEEP,
        b"1979-13-40",
        b'""',
        b"\xef\xbb\xbf",
        b"\xc2\x9b",
    ),
]
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 1e308, "\ud800", "\x00", "x" * 300, "../..", "auto", ""])
    | st.floats()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=6) | st.sampled_from(["\ud800", "name", "value"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def mutations(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return documents that are nearly right: bytes cut, doubled and replaced, or JSON values exchanged."""
    return st.one_of(_bytes_changed(seeds), _values_changed(seeds), st.binary(max_size=60))


@st.composite
def _bytes_changed(draw, seeds: list[bytes]) -> bytes:
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 2, 8, 40])))
        piece = draw(st.sampled_from(TOKENS) | st.binary(max_size=4) | st.just(data[start : start + 60]))
        data = data[:start] + piece + data[end:]
    return data


@st.composite
def _values_changed(draw, seeds: list[bytes]) -> bytes:
    data = draw(st.sampled_from(seeds))
    try:
        whole = json.loads(data)
    except ValueError:
        return data + draw(st.sampled_from(TOKENS))
    parent, key, node = None, None, whole
    while isinstance(node, dict | list) and node and draw(st.integers(0, 4)):
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        parent, key = node, draw(st.sampled_from(list(keys)))
        node = node[key]
    value = draw(PLAIN)
    if parent is None:
        whole = value
    elif draw(st.booleans()):
        parent[key] = value
    elif isinstance(parent, dict):
        parent[draw(st.text(max_size=5))] = value
    else:
        parent.append(value)
    return json.dumps(whole).encode()


Target = tuple[list[bytes], Callable[[bytes, Path], Any]]


def _written(name: str, read: Callable[[Path], Any]) -> Callable[[bytes, Path], Any]:
    def target(data: bytes, folder: Path) -> Any:
        write_atomic(folder / name, data, durable=False)
        return read(folder / name)

    return target


def _imported(tool: str) -> Callable[[bytes, Path], Any]:
    def target(data: bytes, folder: Path) -> Any:
        write_atomic(folder / "given", data, durable=False)
        store = ImportedResults(folder / "imported")
        store.add(tool, folder / "given", now=NOW)
        return store.files()

    return target


def _proposed(data: bytes, folder: Path) -> Any:
    text = data.decode("utf-8", "replace")
    for name in ("try.json", "try.toml"):
        found, planned = proposals.read(
            Submitted(name="try", file=name, text=text, sha256="x"), HARNESS, FIRST
        )
        assert (found is None) == bool(planned.problem)
        planned.problem.encode("utf-8", "strict")
        encode(planned)
    return planned


def _answered(kind: type) -> Callable[[bytes, Path], Any]:
    client = kind("http://127.0.0.1:9/v1", key="sk-a-long-key", clock=FakeClock(), parse_calls=parse_native)

    def target(data: bytes, folder: Path) -> Any:
        async def asked(*_: object) -> Answer:
            return Answer(data, "application/json", 0.1, 0.1)

        client._ask = asked  # noqa: SLF001 - only the network is left out
        request = ChatRequest(
            model="m", messages=({"role": "user", "content": "x"},), tools=(), temperature=0.0, seed=1
        )
        said = asyncio.run(client.chat(request, 1.0))
        return _whole(said)

    return target


def _said_by_a_program(data: bytes, folder: Path) -> Any:
    client = CommandClient(("x",), folder=folder, clock=FakeClock(), parse_calls=parse_native)
    ended = Ended(code=0, body=data, last_words="", too_long=False, seconds=0.1, first_byte_s=0.1)
    return _whole(client._reply(ended))  # noqa: SLF001 - only the process is left out


def _whole(said: Reply | Failure) -> Any:
    assert isinstance(said, Reply | Failure)
    assert decode(encode(said), type(said), "said") == said
    return said


def _logged(path: Path) -> Any:
    audit = verify(path)
    try:
        entries = RoutingLog(path).entries()
    except HarnessError:
        assert audit.problems
        raise
    return entries


def _log_lines() -> bytes:
    first = LogEntry(seq=1, time=NOW, event="init", generation=1, config_sha256="0" * 64, summary="s")
    return encode(first) + b"\n" + encode(first) + b"\n"


INSPECT = json.dumps(
    {
        "version": 2,
        "status": "success",
        "eval": {"created": "2026-02-03T04:05:06+00:00", "task": "t", "model": "m", "packages": {}},
        "results": {
            "completed_samples": 4,
            "scores": [{"name": "match", "metrics": {"accuracy": {"value": 0.7}, "stderr": {"value": 0.1}}}],
        },
    }
).encode()
LM_EVAL = json.dumps(
    {
        "results": {"t": {"alias": "t", "acc,none": 0.5, "acc_stderr,none": 0.1}},
        "configs": {},
        "n-samples": {"t": {"effective": 10}},
        "config": {"model_args": "x"},
        "date": 1770000000.5,
    }
).encode()


def _zipped(data: bytes, method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("header.json", data)
    return packed.getvalue()


CALLED = {"function": {"name": "ring", "arguments": '{"times": 3}'}, "id": "x", "type": "function"}
MESSAGE = {"content": "Of course", "tool_calls": [CALLED]}
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
OPENAI = json.dumps({"choices": [{"message": MESSAGE}], "model": "m", "usage": USAGE}).encode()
OLLAMA = json.dumps({"message": MESSAGE, "model": "m", "eval_count": 3, "done": True}).encode()
PROGRAM = json.dumps({"calls": [CALLED["function"]], "text": "x", "usage": USAGE, "error": None}).encode()
BFCL = json.dumps(
    {
        "id": "simple_python_0",
        "question": [[{"role": "user", "content": "x"}]],
        "function": [{"name": "f", "description": "d", "parameters": {"type": "dict", "properties": {}}}],
    }
).encode()
GOLDEN = [path.read_bytes() for path in sorted((ROOT / "tests" / "golden").glob("*.json"))]
HARNESS_TOML = (ROOT / "harnesslib" / "cli" / "demo_harness.toml").read_bytes()
PROPOSAL = json.dumps(
    {"name": "try", "phase": "atomic", "hypothesis": "h", "patch": {"temperature": 0.3}}
).encode()
SUITE = encode(
    msgspec.structs.replace(
        TINY, cases=tuple(msgspec.structs.replace(case, notes="For tests.") for case in TINY.cases)
    )
)
JOURNAL = b"".join(encode(sample) + b"\n" for sample in DEMO.samples[:3])

TARGETS: dict[str, Target] = {
    "harness.toml": ([HARNESS_TOML], lambda data, _: harness_file.parse(data, "harness.toml")),
    "routing": (GOLDEN, lambda data, _: routing_file.parse(data, "routing_config.json")),
    "old routing": (GOLDEN, lambda data, _: routing_file.parse_legacy(data, "routing_config.json")),
    "suite.json": (
        [SUITE],
        _written("s.json", lambda path: load_suite("s.json", root=path.parent)),
    ),
    "suite.toml": ([HARNESS_TOML], _written("s.toml", lambda path: load_suite("s.toml", root=path.parent))),
    "world": ([Path(str(DEMO_WORLD)).read_bytes()], _written("w.toml", load_world)),
    "journal": ([JOURNAL], _written("journal.jsonl", run_journal.read_samples)),
    "events": ([JOURNAL], _written("events.jsonl", lambda path: run_journal.read_events(path, 0))),
    "log": ([_log_lines()], _written("log.jsonl", _logged)),
    "proposal": ([PROPOSAL], _proposed),
    "inspect": ([INSPECT], _imported("inspect")),
    "inspect zip": (
        [_zipped(INSPECT, zipfile.ZIP_DEFLATED), _zipped(INSPECT, zipfile.ZIP_STORED)],
        _imported("inspect"),
    ),
    "lm-eval": ([LM_EVAL], _imported("lm-eval")),
    "bfcl": ([BFCL], _written("BFCL_v4_irrelevance.json", import_suite)),
    "openai reply": ([OPENAI], _answered(OpenAICompatClient)),
    "ollama reply": ([OLLAMA], _answered(OllamaClient)),
    "program's reply": ([PROGRAM], _said_by_a_program),
}


def attack(target: str, folder: Path, examples: int) -> None:
    seeds, read = TARGETS[target]
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=quiet)
    @given(mutations(seeds))
    def survives(data: bytes) -> None:
        with suppress(HarnessError):
            read(data, folder)

    survives()


@pytest.mark.parametrize("target", TARGETS)
def test_a_broken_document_is_an_answer_or_an_error_of_ours(target, tmp_path):
    attack(target, tmp_path, 100)


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("target", TARGETS)
def test_many_broken_documents_are_answers_or_errors_of_ours(target, tmp_path):
    attack(target, tmp_path, 5000)


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"suite.toml", "world", "bfcl", "events"}))
def test_the_documents_that_are_broken_are_good_before(target, tmp_path):
    seeds, read = TARGETS[target]
    good = 0
    for seed in seeds:
        try:
            good += read(seed, tmp_path) is not None
        except HarnessError:
            good += target == "log"  # its second line repeats the first, which is found
    assert good


STORED = {
    "manifest": DEMO.manifest,
    "plan": DEMO.plan,
    "summary": DEMO.summary,
    "decisions": DEMO.decisions,
    "verification": DEMO.verifications,
    "outcome": DEMO.outcome,
    "sample": DEMO.samples[0],
    "findings": DEMO.feedback,
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_broken_record_is_a_data_error(name):
    seeds = [encode(STORED[name])] if name in STORED else [b"{}"]

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutations(seeds))
    def survives(data: bytes) -> None:
        try:
            read = decode(data, RECORDS[name][0], name)
        except DataError:
            return
        assert decode(encode_pretty(read), RECORDS[name][0], name) == read

    survives()


def linear(work: Callable[[int], object], size: int) -> None:
    """Let work grow sixteenfold: what is quadratic takes 256 times as long, and 100 are allowed."""
    work(size // 8)
    once = min(_seconds(work, size) for _ in range(3))
    more = min(_seconds(work, 16 * size) for _ in range(2))
    assert more < 100 * max(once, 1e-4)


def _seconds(work: Callable[[int], object], size: int) -> float:
    """Return the processor's time for it, which others on this machine don't take."""
    before = time.process_time()
    work(size)
    return time.process_time() - before


def _keys(count: int) -> bytes:
    return b"{" + b",".join(b'"k%d":1' % n for n in range(count)) + b',"k%d":2}' % (count - 1)


def _unreadable(read: Callable[[], object]) -> None:
    with pytest.raises((UnreadableError, HarnessError)):
        read()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "piece",
    [
        "[ring(",
        "<tool_call>",
        '{"name": ',
        "<think>",
        "ring(a=1)\n",
        "[" * 2,
        "`" * 3,
        ' {"type": 1}',
        "ring(\n ",
        '"""',
    ],
)
def test_reading_calls_in_a_text_takes_time_in_proportion(form, piece):
    linear(lambda size: parse_text(form, piece * size), 500)


def test_a_key_that_stands_twice_is_found_in_time_in_proportion(tmp_path):
    linear(lambda size: _unreadable(lambda: read_json(_keys(size), object)), 2000)
    suite = tmp_path / "s.json"

    def loaded(size: int) -> None:
        suite.write_bytes(_keys(size))
        _unreadable(lambda: load_suite("s.json", root=tmp_path))

    linear(loaded, 2000)


def test_taking_a_key_out_of_an_answer_takes_time_in_proportion():
    linear(lambda size: without_secret(b"aaaaaaaaaaaaaaa" * size, "a" * 12 + "b"), 5000)


def test_reading_a_journal_takes_time_in_proportion(tmp_path):
    def read(size: int) -> None:
        path = tmp_path / "journal.jsonl"
        path.write_bytes(
            encode(DEMO.samples[0]) + b"\n" if size < 1 else (encode(DEMO.samples[0]) + b"\n") * size
        )
        run_journal.read_samples(path)

    linear(read, 200)


def test_an_import_that_can_not_be_is_named():
    huge = {
        "version": 2,
        "eval": {"model": "m"},
        "results": {"scores": [{"metrics": {"a": {"value": 10**400}}}]},
    }
    from harnesslib.imports.inspect_log import inspect_rows

    [row] = inspect_rows(huge, "log")
    assert (None, True) == (row.value, bool(row.reason))


@pytest.mark.parametrize("text", [b"x = " + b"[" * DEEP, b"version = " + b"9" * 5000])
def test_a_harness_toml_beyond_all_bounds_is_refused(text):
    with pytest.raises(InputError, match="not TOML"):
        harness_file.parse(text, "harness.toml")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests" / "golden").glob("*.json")), ids=lambda path: path.name
)
def test_files_of_every_version_load(path):
    data = path.read_bytes()
    if ".1_0." in path.name:
        assert routing_file.parse_legacy(data, path.name)
    else:
        assert routing_file.parse(data, path.name)
