"""The two configs: every mistake is named with file, field and cure; no file is ever torn, empty or lost."""

from __future__ import annotations

import errno
import json
import os
import threading
from datetime import UTC, datetime

import msgspec
import pytest

from harnesslib import routing
from harnesslib.config_manager import ConfigManager
from harnesslib.errors import AuditError, ConflictError, DataError, InputError
from harnesslib.records import RoutingConfig, encode_pretty, sha256

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GOOD = """
version = 1

[endpoints.local]
client = "ollama"
base_url = "http://127.0.0.1:11434"

[[models]]
id = "steady"
endpoint = "local"

[[models]]
id = "sprinter"
endpoint = "local"
phases = ["atomic"]
settings = { timeout_s = 5 }

[phases.atomic]
suite = "atomic"
baseline = "steady"

[phases.extended]
suite = "extended"
baseline = "steady"
"""


@pytest.fixture
def manager(tmp_path) -> ConfigManager:
    (tmp_path / "harness.toml").write_text(GOOD)
    return ConfigManager(tmp_path)


@pytest.fixture
def started(manager) -> ConfigManager:
    manager.initialise(first(manager))
    return manager


def first(manager: ConfigManager) -> RoutingConfig:
    return routing.initial(manager.harness(), now=NOW)


def following(manager: ConfigManager, **fields) -> RoutingConfig:
    return msgspec.structs.replace(
        manager.routing(),
        generation=manager.next_generation(),
        parent_sha256=manager.routing_sha256(),
        **fields,
    )


def edited(manager: ConfigManager, edit) -> None:
    raw = json.loads(manager.routing_path.read_bytes())
    edit(raw)
    manager.routing_path.write_text(json.dumps(raw))


# ---- harness.toml


def test_a_good_harness_file_is_read(manager):
    config = manager.harness()
    assert ("ollama", 5.0) == (
        config.endpoints["local"].client,
        config.settings_of("sprinter", "atomic").timeout_s,
    )


def test_an_endpoint_may_be_the_built_in_server(manager):
    manager.harness_path.write_text(
        GOOD.replace('base_url = "http://127.0.0.1:11434"', 'simulator = "demo.toml"')
    )
    assert "demo.toml" == manager.harness().endpoints["local"].simulator


def test_an_endpoint_may_be_a_program(manager):
    manager.harness_path.write_text(
        GOOD.replace('client = "ollama"', 'client = "command"\ncommand = ["python3", "my_model.py"]').replace(
            'base_url = "http://127.0.0.1:11434"', ""
        )
    )
    assert ("python3", "my_model.py") == manager.harness().endpoints["local"].command


def test_a_missing_harness_file_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(InputError, match=r"harness.toml: is not there; cure: .*harness init"):
        ConfigManager(tmp_path).harness()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version = 1", "version = 2", "version: got 2, expected 1"),
        ("version = 1", 'version = "1"', "version: got '1', expected 1"),
        ("version = 1", "", "version: got nothing, expected 1"),
        ("version = 1", "version = true", "version: got True, expected 1"),
        ("version = 1", "version = ", "not TOML: "),
        (
            'client = "ollama"',
            'clint = "ollama"',
            "endpoints.local.clint: unknown key; did you mean 'client'?",
        ),
        ('client = "ollama"', 'zzz = "x"', "endpoints.local.zzz: unknown key; expected one of 'base_url'"),
        (
            'client = "ollama"',
            'client = "olama"',
            "endpoints.local.client: got 'olama', expected one of 'command', 'ollama', 'openai_compat'",
        ),
        ('client = "ollama"', "concurrency = 0", "endpoints.local.concurrency: got 0, expected at least 1"),
        ('client = "ollama"', 'concurrency = "4"', "concurrency: got '4', expected a whole number"),
        ('client = "ollama"', 'simulator = "w.toml"', "expected either base_url or simulator"),
        ('base_url = "http://127.0.0.1:11434"', "", "expected either base_url or simulator"),
        ("http://127.0.0.1:11434", "127.0.0.1:11434", "expected an address like http://"),
        ('client = "ollama"', 'command = ["cat"]', "endpoints.local.command: only for client 'command'"),
        ('client = "ollama"', 'client = "command"\ncommand = ["cat"]', "a program has no base_url"),
        (
            'client = "ollama"',
            'client = "command"',
            "endpoints.local.command: expected a program and its",
        ),
        ("http://127.0.0.1:11434", "http://[", "base_url: not an address"),
        ("[endpoints.local]", '[endpoints."lo cal"]', "endpoints.lo cal: expected a name of letters"),
        ('id = "sprinter"', "id = 3", "models[1].id: got 3, expected text"),
        ('id = "sprinter"', "", "models[1].id: is missing and has no default"),
        ('id = "sprinter"', 'id = "steady"', "models: 'steady' stands there twice"),
        ('id = "sprinter"', 'id = "auto"', "models[1].id: got 'auto'"),
        (
            'phases = ["atomic"]',
            'phases = ["atomc"]',
            "models[1].phases: there is no 'atomc'; did you mean 'atomic'?",
        ),
        ('phases = ["atomic"]', 'phases = "atomic"', "models[1].phases: got 'atomic', expected a list"),
        (
            'phases = ["atomic"]',
            'phases = ["atomic", "atomic"]',
            "models[1].phases: 'atomic' stands there twice",
        ),
        (
            'endpoint = "local"\nphases',
            'endpoint = "locl"\nphases',
            "models[1].endpoint: there is no 'locl'; did you",
        ),
        (
            "timeout_s = 5",
            "timeout_s = 0",
            "models[1].settings.timeout_s: got 0.0, expected more than 0 seconds",
        ),
        ("timeout_s = 5", "timeout_s = nan", "models[1].settings.timeout_s: got nan"),
        ("timeout_s = 5", "temperature = -1", "settings.temperature: got -1.0"),
        ("timeout_s = 5", "retries = -1", "settings.retries: got -1"),
        (
            "timeout_s = 5",
            "tiemout_s = 5",
            "models[1].settings.tiemout_s: unknown key; did you mean 'timeout_s'?",
        ),
        ("settings = {", "price_input = -1\nsettings = {", "models[1].price_input: got -1.0"),
        ('suite = "atomic"', 'suite = ""', "phases.atomic.suite: got nothing"),
        ('suite = "atomic"', 'suite = ["a"]', "phases.atomic.suite: got ['a'], expected text"),
        ('suite = "atomic"', 'suite = "atomic"\nmax_slowdown = -0.1', "phases.atomic.max_slowdown: got -0.1"),
        ('suite = "atomic"', 'suite = "atomic"\naccuracy_floor = 2', "phases.atomic.accuracy_floor: got 2.0"),
        (
            'suite = "extended"\nbaseline = "steady"',
            'suite = "x"\nbaseline = "stedy"',
            "did you mean 'steady'?",
        ),
        (
            'suite = "extended"\nbaseline = "steady"',
            'suite = "x"\nbaseline = "sprinter"',
            "phases.extended.baseline: 'sprinter' may not serve this phase; cure: add 'extended' to",
        ),
        ("[phases.extended]", "[phases.Extended]", "phases.Extended: expected a name of small letters"),
    ],
)
def test_a_mistake_in_the_harness_file_is_named_with_its_field(manager, old, new, words):
    assert GOOD.count(old) >= 1
    manager.harness_path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        manager.harness()
    assert words in str(caught.value)
    assert str(manager.harness_path) in str(caught.value)


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("policy", "alpha = 0", "policy.alpha: got 0.0, expected more than 0 and less than 1"),
        ("policy", "alpha = nan", "policy.alpha: got nan"),
        ("policy", "max_infra_share = 1.5", "policy.max_infra_share: got 1.5, expected a share from 0 to 1"),
        ("policy", "alhpa = 0.1", "policy.alhpa: unknown key; did you mean 'alpha'?"),
        ("cycle", "session_cases = 0", "cycle.session_cases: got 0, expected 1 or more"),
        ("budget", "max_cost = -0.5", "budget.max_cost: got -0.5, expected 0 or more"),
        (
            "policy",
            "smallest_gain = 0.0",
            "policy.smallest_gain: got 0.0, expected more than 0 and less than 1",
        ),
        ("cycle", "sessions = -1", "cycle.sessions: got -1, expected 0 or more"),
        ("budget", "max_calls = -1", "budget.max_calls: got -1, expected 0 or more"),
    ],
)
def test_a_number_out_of_range_is_named(manager, section, line, words):
    manager.harness_path.write_text(f"{GOOD}\n[{section}]\n{line}\n")
    with pytest.raises(InputError) as caught:
        manager.harness()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "line", ['base_url = "https://user:s3cret@host"', 'base_url = "http://h"\nkey_env = "sk-s3cret"']
)
def test_a_key_in_the_file_is_refused_and_not_repeated(manager, line):
    manager.harness_path.write_text(GOOD.replace('base_url = "http://127.0.0.1:11434"', line))
    with pytest.raises(InputError) as caught:
        manager.harness()
    assert "key" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_empty_config_is_refused_with_everything_it_lacks(manager):
    manager.harness_path.write_text("version = 1\nmodels = []\n[endpoints]\n[phases]\n")
    with pytest.raises(InputError) as caught:
        manager.harness()
    lines = str(caught.value).splitlines()
    assert 3 == len(lines)
    assert all("got nothing, expected at least one" in line for line in lines)


def test_bytes_that_are_no_text_are_an_error(manager):
    manager.harness_path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not TOML"):
        manager.harness()


# ---- routing_config.json: reading


def test_the_first_generation_is_stored_in_force_and_hashed(manager, tmp_path):
    config = first(manager)
    digest = manager.initialise(config)
    assert config == manager.routing() == manager.generation(1)
    assert digest == manager.routing_sha256() == sha256(encode_pretty(config))
    assert (tmp_path / "generations/000001.json").read_bytes() == manager.routing_path.read_bytes()
    assert 2 == manager.next_generation()


def test_a_missing_file_is_an_error_and_not_an_empty_config(manager):
    for read in (manager.routing, manager.routing_sha256):
        with pytest.raises(DataError, match=r"routing_config.json: is not there; cure: `harness init`"):
            read()
    assert 1 == manager.next_generation()


def test_a_file_cut_off_anywhere_is_an_error_that_names_it(started):
    data = started.routing_path.read_bytes()
    for end in range(0, len(data) - 2, 97):
        started.routing_path.write_bytes(data[:end])
        with pytest.raises(DataError, match=r"routing_config.json: not JSON, or torn .* cure: copy"):
            started.routing()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda raw: raw.update(version="1.0"), "version: got '1.0', expected '2.0'"),
        (lambda raw: raw.pop("version"), "version: got None"),
        (lambda raw: raw.update(rulez=[]), "rulez: unknown key; did you mean 'rules'?"),
        (lambda raw: raw.pop("rules"), "rules: is missing"),
        (lambda raw: raw.update(generation="1"), "generation: got '1', expected a whole number"),
        (
            lambda raw: raw["rules"][1].update(allow="yes"),
            "rules[1].allow: got 'yes', expected true or false",
        ),
        (lambda raw: raw["rules"][1].update(alow=True), "rules[1].alow: unknown key; did you mean 'allow'?"),
        (lambda raw: raw["rules"][1].pop("reason"), "rules[1].reason: is missing"),
        (lambda raw: raw["rules"][0].update(status="sure"), "expected one of 'confirmed', 'probation'"),
        (lambda raw: raw["rules"][0].update(fallbacks=[1]), "rules[0].fallbacks[0]: got 1, expected text"),
        (lambda raw: raw["rules"][0].update(timestamp="x"), "rules[0].timestamp: "),
        (
            lambda raw: raw["rules"][0].update(fallback_model=3),
            "fallback_model: got 3, expected text or nothing",
        ),
        (
            lambda raw: raw["baselines"]["extended"]["spec"]["settings"].update(retries=1.5),
            "baselines.extended.spec.settings.retries: got 1.5, expected a whole number",
        ),
        (lambda raw: raw["rules"][0].update(fallback_model="sprintr"), "did you mean 'sprinter'?"),
        (lambda raw: raw["rules"][0].update(allow=False), "is denied and has no fallback"),
        (lambda raw: raw.update(rules=raw["rules"] * 2), "has 2 rules, expected one"),
    ],
)
def test_a_mistake_in_the_routing_config_is_named_with_its_field(started, edit, words):
    edited(started, edit)
    with pytest.raises(DataError) as caught:
        started.routing()
    assert words in str(caught.value)
    assert str(started.routing_path) in str(caught.value)
    assert "cure: " in str(caught.value)


def test_json_that_is_no_table_is_an_error(started):
    started.routing_path.write_text("[]")
    with pytest.raises(DataError, match="version: got None"):
        started.routing()


# ---- writing


def test_a_new_generation_replaces_the_old_one_and_both_stay_stored(started):
    config = following(started)
    digest = started.save(config, expected_generation=1)
    assert config == started.routing() == started.generation(2)
    assert digest == started.routing_sha256()
    assert 1 == started.generation(1).generation


def test_a_change_made_for_another_generation_is_refused(started):
    config = following(started)
    started.save(config, expected_generation=1)
    with pytest.raises(ConflictError, match="generation 2 is in force, the change was made for generation 1"):
        started.save(msgspec.structs.replace(config, generation=3), expected_generation=1)
    with pytest.raises(ConflictError, match="made for generation none"):
        started.initialise(started.generation(1))
    assert 2 == started.routing().generation


def test_a_change_made_for_another_file_of_the_same_generation_is_refused(started):
    config = following(started)
    edited(started, lambda raw: raw["rules"][0].update(reason="edited by hand"))
    with pytest.raises(ConflictError, match="its hash is"):
        started.save(config, expected_generation=1)


def test_only_one_of_many_writers_at_the_same_time_wins(started):
    config = following(started)
    barrier, results = threading.Barrier(2), []
    path = started.routing_path.parent

    def save() -> None:
        barrier.wait()
        try:
            ConfigManager(path).save(config, expected_generation=1)
            results.append("saved")
        except ConflictError:
            results.append("refused")

    threads = [threading.Thread(target=save) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ["refused", "saved"] == sorted(results)
    assert config == started.routing()


def test_an_unsound_config_is_refused_before_anything_is_written(started, tmp_path):
    rules = tuple(msgspec.structs.replace(rule, allow=False) for rule in started.routing().rules)
    with pytest.raises(DataError, match="generation 2: rules: 'steady' in 'atomic': is denied"):
        started.save(following(started, rules=rules), expected_generation=1)
    assert ["000001.json"] == [path.name for path in (tmp_path / "generations").iterdir()]


def test_a_number_is_never_used_again(started):
    started.save(following(started), expected_generation=1)
    started.save(following(started), expected_generation=2)
    started.restore(2, expected_generation=3)
    assert 4 == started.next_generation()
    reused = msgspec.structs.replace(following(started), generation=3)
    with pytest.raises(ConflictError, match="generation 3 was used before, the next one is 4"):
        started.save(reused, expected_generation=2)
    started.save(following(started), expected_generation=2)
    assert 4 == started.routing().generation


def test_a_generation_is_restored_byte_for_byte(started):
    before = started.routing_path.read_bytes()
    started.save(following(started), expected_generation=1)
    digest = started.restore(1, expected_generation=2)
    assert before == started.routing_path.read_bytes()
    assert sha256(before) == digest


def test_a_restore_is_refused_where_it_would_surprise(started, tmp_path):
    started.save(following(started), expected_generation=1)
    with pytest.raises(ConflictError):
        started.restore(1, expected_generation=1)
    with pytest.raises(DataError, match=r"000009.json: can't read"):
        started.restore(9, expected_generation=2)
    (tmp_path / "generations/000001.json").write_bytes(b"{")
    with pytest.raises(DataError, match=r"000001.json: not JSON"):
        started.restore(1, expected_generation=2)
    (tmp_path / "generations/000001.json").write_bytes(started.routing_path.read_bytes())
    with pytest.raises(DataError, match="holds generation 2"):
        started.restore(1, expected_generation=2)
    assert 2 == started.routing().generation


def test_other_files_among_the_generations_are_no_generations(started, tmp_path):
    (tmp_path / "generations/notes.txt").touch()
    (tmp_path / "generations/.000009.json.1-ab.tmp").touch()
    assert 2 == started.next_generation()


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_generation_in_force(started, monkeypatch, step):
    before, config = started.routing_path.read_bytes(), following(started)

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(DataError, match="No space left on device; cure: free space"):
            started.save(config, expected_generation=1)
    assert before == started.routing_path.read_bytes()


def test_a_file_that_reads_back_differently_is_an_error(started, monkeypatch):
    config = following(started)
    monkeypatch.setattr("harnesslib.config_manager.write_atomic", lambda path, _: path.write_bytes(b"other"))
    with pytest.raises(AuditError, match="which other program writes this file"):
        started.save(config, expected_generation=1)


class Stopped(BaseException):
    """The process is killed here."""


def test_stopped_at_any_step_of_a_save_the_old_or_the_new_generation_is_in_force_and_stored(tmp_path):
    stopped = finished = 0
    while not finished:
        root = tmp_path / str(stopped)
        root.mkdir()
        (root / "harness.toml").write_text(GOOD)
        manager = ConfigManager(root)
        manager.initialise(first(manager))
        old, new = manager.routing(), following(manager)
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, stopped)
            try:
                manager.save(new, expected_generation=1)
                finished = 1
            except Stopped:
                stopped += 1
        in_force = manager.routing()
        assert in_force in ((old, new) if not finished else (new,))
        assert in_force == manager.generation(in_force.generation)
    assert stopped >= 8


def stop_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Stop the process at a step: the `step`-th write (half written), fsync or replace."""
    left = [step]
    real = {name: getattr(os, name) for name in ("write", "fsync", "replace")}

    def stopping(name):
        def call(*args):
            if left[0] == 0:
                if name == "write":
                    real["write"](args[0], bytes(args[1])[: len(args[1]) // 2])
                raise Stopped
            left[0] -= 1
            return real[name](*args)

        return call

    for name in real:
        patch.setattr(os, name, stopping(name))
