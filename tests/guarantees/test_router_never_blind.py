"""The router among threads, processes and broken files: always a whole answer, and never an older one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from datetime import UTC, datetime

import msgspec
import pytest

from harnesslib import routing
from harnesslib.errors import DataError
from harnesslib.records import RoutingConfig, encode_pretty
from harnesslib.router import Router
from harnesslib.routing_file import parse
from harnesslib.storage import write_atomic
from harnesslib.testing import tiny_harness

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
THREADS, GENERATIONS = 8, 300

REPLACING = """
import sys
from pathlib import Path
import msgspec
from harnesslib.records import RoutingConfig, encode_pretty
from harnesslib.routing_file import parse
from harnesslib.storage import write_atomic

path, last = Path(sys.argv[1]), int(sys.argv[2])
first = parse(path.read_bytes(), "first")
baselines = [
    {"atomic": msgspec.structs.replace(first.baselines["atomic"], spec=msgspec.structs.replace(
        first.baselines["atomic"].spec, model=model))}
    for model in ("sprinter", "steady")
]
for generation in range(2, last + 1):
    data = encode_pretty(
        msgspec.structs.replace(first, generation=generation, baselines=baselines[generation % 2])
    )
    # What careless programs do: a file that is empty, half there, gone, or something else for a while.
    if generation % 5 == 0:
        path.write_bytes(data[: len(data) * (generation % 7) // 7])
    elif generation % 5 == 1:
        path.unlink()
    elif generation % 5 == 2:
        path.write_bytes(b"[" * 100_000)
    write_atomic(path, data)
    sys.stdin.buffer.read(1)
"""

FORKING = """
import os, sys, threading
from pathlib import Path
import msgspec
from harnesslib import router as module
from harnesslib.records import encode_pretty
from harnesslib.storage import write_atomic

path = Path(sys.argv[1])
router, real = module.Router(path), module.parse
newer = [
    encode_pretty(msgspec.structs.replace(router.config, generation=generation)) for generation in (2, 3)
]
inside, go_on = threading.Event(), threading.Event()

def slow(*arguments):
    inside.set()
    go_on.wait()
    return real(*arguments)

module.parse = slow
write_atomic(path, newer[0])
thread = threading.Thread(target=lambda: router.config)
thread.start()
inside.wait()
child = os.fork()  # the other thread reads, and is not there in the child to come to an end
if child == 0:
    module.parse = real
    write_atomic(path, newer[1])
    print(router.config.generation, flush=True)
    os._exit(0)
os.waitpid(child, 0)
go_on.set()
thread.join()
print(router.config.generation)
"""


def config(generation: int = 1, reason: str = "") -> RoutingConfig:
    made = routing.initial(tiny_harness("steady", "sprinter"), now=NOW)
    rules = tuple(msgspec.structs.replace(rule, reason=rule.reason + reason) for rule in made.rules)
    return msgspec.structs.replace(made, generation=generation, rules=rules)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "routing_config.json"
    write_atomic(path, encode_pretty(config()))
    return path


def test_eight_threads_and_a_careless_writer_get_whole_answers_that_never_go_back(path):
    router, last = Router(path), [1] * THREADS
    wrong: list[object] = []
    models, enough, over = {0: "sprinter", 1: "steady"}, threading.Semaphore(0), threading.Event()

    def ask(number: int) -> None:
        try:
            while not over.is_set():
                answer = router.resolve(phase="atomic")
                if answer.model != models[answer.generation % 2] or answer.generation < last[number]:
                    wrong.append(answer)
                last[number] = answer.generation
                enough.release()
        except BaseException as error:
            wrong.append(error)
            raise

    command = [sys.executable, "-c", REPLACING, str(path), str(GENERATIONS)]
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as writer:
            for thread in threads:
                thread.start()
            for _ in range(GENERATIONS - 1):
                for _ in range(THREADS):
                    assert enough.acquire(timeout=60), wrong
                writer.stdin.write(b"x")
            writer.stdin.close()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert ([], 0) == (wrong, writer.returncode)
    assert ("", GENERATIONS) == (router.problem, router.config.generation)


def test_a_process_that_forks_while_a_thread_reads_has_a_router_that_follows_the_file(path):
    command = [sys.executable, "-W", "ignore", "-c", FORKING, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("3\n3\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"version":' * 50_000,
        b"\xff\xfe{}",
        b"null",
        b"1e999",
        b"9" * 5000,
        b'"' + b"x" * 10**6,
    ],
    ids=["deep list", "deep table", "no text", "null", "infinite", "huge number", "endless text"],
)
def test_whatever_stands_in_the_file_the_last_good_answer_stays(path, content):
    router = Router(path)
    path.write_bytes(content)
    assert "steady" == router.resolve(phase="atomic").model
    assert "(generation 1 answers meanwhile)" in router.problem
    write_atomic(path, encode_pretty(config(2)))
    assert ("", 2) == (router.problem, router.config.generation)


def test_a_folder_in_the_files_place_changes_no_answer(path):
    router = Router(path)
    path.unlink()
    path.mkdir()
    assert "steady" == router.resolve(phase="atomic").model
    assert "can't read: Is a directory" in router.problem


def test_a_file_from_the_future_is_followed_as_well(path):
    # A backup, or the clock of a file server: what looks younger than now could still change.
    router, later = Router(path), path.stat().st_mtime_ns + 10**15
    for generation in (2, 3):
        path.write_bytes(encode_pretty(config(generation)))
        os.utime(path, ns=(later, later))
        assert generation == router.config.generation


def test_a_file_with_any_damage_is_either_refused_by_name_or_sound():
    dice, good = random.Random(7), encode_pretty(config())  # noqa: S311 - no secrets here
    refusals: list[str] = []
    for _ in range(1500):
        damaged = bytearray(good)
        for _ in range(dice.choice((1, 1, 2, 8))):
            start = dice.randrange(len(damaged))
            piece = dice.choice(
                (b"", bytes([dice.randrange(256)]), damaged[dice.randrange(len(good)) :][:20])
            )
            damaged[start : start + dice.choice((0, 1, 1, 40))] = piece
        try:
            found = parse(bytes(damaged), "here")
        except DataError as error:
            refusals.append(str(error))
        else:
            for rule in found.rules:
                routing.resolve(found, rule.model, rule.phase)
    assert len(refusals) > 500
    assert all(words.startswith("here: ") and "cure: " in words for words in refusals)
