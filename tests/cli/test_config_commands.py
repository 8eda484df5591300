"""``harness config``: checked, shown without secrets, compared, described, migrated."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest

from harnesslib.cli import main
from harnesslib.records import RoutingConfig, decode
from harnesslib.schemas import RECORDS, schema
from harnesslib.simulator.truth import DEMO_WORLD
from harnesslib.workspace import Workspace

HARNESS = """
version = 1

[endpoints.demo]
client = "openai_compat"
simulator = "simulated_models.toml"
concurrency = 12

[[models]]
id = "steady"
endpoint = "demo"

[[models]]
id = "twin"
endpoint = "demo"

[[models]]
id = "sprinter"
endpoint = "demo"

[[models]]
id = "better"
endpoint = "demo"

[[models]]
id = "sleepy"
endpoint = "demo"
phases = ["atomic"]
settings = { timeout_s = 0.4 }

[phases.atomic]
suite = "atomic"
baseline = "steady"

[phases.atomic.settings]
timeout_s = 3.0

[phases.extended]
suite = "extended"
baseline = "steady"

[phases.extended.settings]
timeout_s = 10.0
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("workspace") / "demo"
    with Workspace(root) as place:
        place.initialise(HARNESS, {"simulated_models.toml": DEMO_WORLD.read_text("utf-8")})
    return root


@pytest.fixture
def root(template, tmp_path) -> Path:
    shutil.copytree(template, tmp_path / "demo")
    return tmp_path / "demo"


@pytest.fixture
def harness(root, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--workspace", str(root)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def edit(root: Path, old: str, new: str, name: str = "harness.toml") -> None:
    file = root / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


# ---- check


def test_a_new_workspace_has_no_problem(harness):
    code, said, _ = harness("config", "check")
    assert 0 == code
    assert "suite atomic, suite extended, routing against harness.toml: all good." in said
    assert [] == json.loads(harness("config", "check", "--json")[1])["problems"]


def test_problems_of_both_files_are_named_at_once(harness, root):
    edit(root, "concurrency = 12", "concurency = 12")
    edit(root, '"allow": true', '"allow": "yes"', "routing_config.json")
    code, said, _ = harness("config", "check")
    assert 2 == code
    assert "endpoints.demo.concurency: unknown key" in said
    assert "rules[0].allow: got 'yes', expected true or false" in said
    assert 2 == said.count("    cure: ")


def test_a_fallback_chain_that_leads_nowhere_is_found(harness, root):
    edit(root, '"allow": true', '"allow": false', "routing_config.json")
    code, said, _ = harness("config", "check")
    assert 4 == code
    assert "is denied and has no fallback" in said


def test_a_suite_that_can_not_be_loaded_is_found(harness, root):
    edit(root, 'suite = "atomic"', 'suite = "atomik.toml"')
    code, said, _ = harness("config", "check")
    assert (2, True) == (code, "suite 'atomik.toml': not found" in said)


def test_a_baseline_that_harness_toml_does_not_list_is_bad(harness, root):
    edit(root, 'id = "steady"', 'id = "stead"')
    edit(root, 'baseline = "steady"', 'baseline = "twin"')
    edit(root, 'baseline = "steady"', 'baseline = "twin"')
    code, said, _ = harness("config", "check")
    assert (2, True) == (code, "'steady' serves 'atomic', and harness.toml does not list it there" in said)


def test_what_is_only_worth_a_look_is_no_error(harness, root):
    edit(root, "timeout_s = 3.0", "timeout_s = 4.0")
    code, said, _ = harness("config", "check")
    assert 0 == code
    assert "! 'twin' in 'atomic': timeout_s is 4.0 in harness.toml and 3.0 in the rule" in said


# ---- show


def test_every_setting_is_shown_with_what_is_a_default(harness):
    code, said, _ = harness("config", "show", "--json")
    told = json.loads(said)
    settings = {each["key"]: (each["value"], each["given"]) for each in told["settings"]}
    assert 0 == code
    assert (12, True) == settings["endpoints.demo.concurrency"]
    assert (0.05, False) == settings["policy.alpha"]
    assert (0.4, True) == settings["models.sleepy.settings.timeout_s"]
    asked = {(each["model"], each["phase"]): each["settings"] for each in told["effective"]}
    assert 0.4 == asked["sleepy", "atomic"]["timeout_s"]
    assert ("sleepy", "extended") not in asked
    text = harness("config", "show")[1]
    assert "policy.alpha" in text
    assert "default" in text


def test_no_secret_is_shown(harness, root, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "sk-very-secret")
    edit(
        root,
        'simulator = "simulated_models.toml"',
        'base_url = "http://127.0.0.1:1/v1?key=sk-in-the-address"\nkey_env = "SECRET_KEY"',
    )
    for options in ((), ("--json",)):
        said = harness("config", "show", *options)[1]
        assert "SECRET_KEY" in said
        assert "http://127.0.0.1:1/v1?" in said
        assert "sk-" not in said


# ---- diff


def test_a_workspace_and_its_first_routing_are_alike(harness):
    assert "No difference" in harness("config", "diff")[1]


def test_models_and_settings_that_differ_are_listed(harness, root):
    edit(root, 'id = "twin"', 'id = "twain"')
    edit(root, "timeout_s = 10.0", "timeout_s = 20.0")
    code, said, _ = harness("config", "diff", "--json")
    found = {(each["kind"], each["model"], each["phase"]) for each in json.loads(said)}
    assert 0 == code
    assert ("model_without_rule", "twain", "atomic") in found
    assert ("rule_without_model", "twin", "extended") in found
    assert ("settings_differ", "better", "extended") in found
    assert "`harness config sync` takes them over" in harness("config", "diff")[1]


# ---- sync

NEW_PHASE = """
[phases.short]
suite = "atomic-smoke"
baseline = "better"

[phases.short.settings]
timeout_s = 1.0
"""


def test_an_edited_file_is_taken_over_as_one_logged_generation(harness, root):
    edit(root, "timeout_s = 10.0", "timeout_s = 20.0")
    file = root / "harness.toml"
    file.write_text(file.read_text() + NEW_PHASE)
    before = (root / "routing_config.json").read_bytes()
    code, said, _ = harness("config", "sync", "--dry-run")
    assert 0 == code
    assert "extended/twin: timeout_s 10.0 -> 20.0 (settings edited in harness.toml)" in said
    assert "short: baseline nothing -> better" in said
    assert "Nothing was written." in said
    assert before == (root / "routing_config.json").read_bytes()

    done = json.loads(harness("config", "sync", "--json")[1])
    assert (2, True) == (done["generation"], done["written"])
    assert f"- {done['changes'][0]}" in said
    assert "No difference" in harness("config", "diff")[1]
    told = json.loads(harness("routes", "resolve", "auto", "short", "--json")[1])
    assert ("better", 1.0, 2) == (told["model"], told["settings"]["timeout_s"], told["generation"])
    assert 0 == harness("log", "verify")[0]
    assert "synced" in harness("log", "show")[1]

    again = harness("config", "sync")
    assert (0, "Nothing to take over: generation 2 stays in force.\n") == again[:2]
    assert 0 == harness("routes", "rollback")[0]
    assert before == (root / "routing_config.json").read_bytes()


def test_a_file_that_is_wrong_is_not_taken_over(harness, root):
    edit(root, 'suite = "extended"', 'suite = "extendde"')
    assert "did you mean extended" in harness("config", "sync")[2]
    edit(root, 'baseline = "steady"', 'baseline = "nobody"')
    code, _, told = harness("config", "sync")
    assert 2 == code
    assert "phases.atomic.baseline: there is no 'nobody'" in told


def test_while_a_cycle_runs_nothing_is_taken_over(harness, root):
    edit(root, "timeout_s = 10.0", "timeout_s = 20.0")
    with Workspace(root) as place, place.locks.hold("cycle", wait_s=0.1):
        code, _, told = harness("config", "sync")
    assert 75 == code
    assert "'cycle' is held by" in told


# ---- schema


def test_schemas_are_listed_and_printed(capsys):
    assert main(["config", "schema"]) == 0
    assert "routing_decisions.jsonl" in capsys.readouterr().out
    for name in RECORDS:
        assert main(["config", "schema", name]) == 0
        assert schema(name) == json.loads(capsys.readouterr().out)
    assert main(["config", "schema", "routng"]) == 2
    assert "expected one of harness, routing_config" in capsys.readouterr().err


def test_the_files_of_a_workspace_fit_their_schemas(root):
    files = {
        "harness": tomllib.loads((root / "harness.toml").read_text()),
        "routing_config": json.loads((root / "routing_config.json").read_text()),
        "log_entry": json.loads((root / "routing_decisions.jsonl").read_text()),
    }
    for name, content in files.items():
        jsonschema.validate(content, schema(name))
    files["routing_config"]["generation"] = "one"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(files["routing_config"], schema("routing_config"))


# ---- migrate


LEGACY = {
    "version": "1.0",
    "timestamp": "2025-12-01T08:30:00",
    "baseline": {"atomic": "better"},
    "rules": [
        {
            "model": "sprinter",
            "phase": "extended",
            "allow": False,
            "fallback_model": "better",
            "reason": "not able to",
        },
        {"model": "sleepy", "phase": "atomic", "enable_warmup": True, "reason": "slow to load"},
    ],
}


@pytest.fixture
def old(root) -> bytes:
    """Make the workspace one that only version 1.0 knew: no generations, no log."""
    shutil.rmtree(root / "generations")
    (root / "routing_decisions.jsonl").unlink()
    data = msgspec.json.encode(LEGACY)
    (root / "routing_config.json").write_bytes(data)
    return data


def test_every_other_command_names_the_one_that_migrates(harness, old):
    for command in (["routes", "list"], ["routes", "resolve", "auto", "atomic"], ["log", "verify"]):
        code, _, error = harness(*command)
        if command[0] == "routes":
            assert (4, True) == (code, "cure: `harness config migrate`" in error)
    assert "`harness config migrate`" in harness("doctor")[1]
    code, said, _ = harness("config", "check")
    assert (4, True) == (code, "cure: `harness config migrate` writes it as 2.0" in said)


def test_a_dry_run_shows_the_new_routing_and_writes_nothing(harness, old, root):
    before = sorted(root.rglob("*"))
    code, said, _ = harness("config", "migrate", "--dry-run")
    assert 0 == code
    assert "Baselines: atomic: better, extended: steady" in said
    assert "Nothing was written" in said
    assert before == sorted(root.rglob("*"))
    assert old == (root / "routing_config.json").read_bytes()


def test_a_migrated_workspace_serves_logs_and_keeps_the_old_file(harness, old, root):
    code, said, _ = harness("config", "migrate", "--json")
    kept = Path(json.loads(said)["kept"])
    assert (0, old) == (code, kept.read_bytes())
    config = decode((root / "routing_config.json").read_bytes(), RoutingConfig, "x")
    assert 1 == config.generation
    assert "better" == config.baselines["atomic"].spec.model
    assert "better" == json.loads(harness("routes", "resolve", "sprinter", "extended", "--json")[1])["model"]
    assert config.rule("sleepy", "atomic").settings.warmup
    entries = json.loads(harness("log", "show", "--json")[1])
    assert ["init"] == [entry["event"] for entry in entries]
    assert f"from version 1.0, which lies in generations/{kept.name}" == entries[0]["summary"]
    for command in (["log", "verify"], ["config", "check"], ["routes", "history"]):
        assert 0 == harness(*command)[0]


def test_what_is_migrated_is_not_migrated_again(harness, old):
    harness("config", "migrate")
    code, _, error = harness("config", "migrate")
    assert (2, True) == (code, "is of version 2.0; cure: none is needed" in error)


def test_a_rule_that_leads_nowhere_is_named_and_nothing_is_written(harness, old, root):
    data = old.replace(b'"fallback_model":"better"', b'"fallback_model":"bettr"')
    (root / "routing_config.json").write_bytes(data)
    code, _, error = harness("config", "migrate")
    assert (4, True) == (code, "fallback 'bettr' has no rule in this phase; did you mean 'better'" in error)
    assert data == (root / "routing_config.json").read_bytes()


def test_an_old_file_put_over_a_later_routing_is_not_migrated(harness, root):
    (root / "routing_config.json").write_bytes(msgspec.json.encode(LEGACY))
    code, _, error = harness("config", "migrate")
    assert (5, True) == (code, "the log has 1 entries of a later one" in error)


@pytest.mark.parametrize("step", ["generation", "in force", "log"])
def test_stopped_half_way_it_is_made_again_or_taken_up(harness, old, root, monkeypatch, step):
    def stop(*_args):
        raise KeyboardInterrupt

    place = {
        "generation": "harnesslib.config_manager.write_atomic",
        "in force": "harnesslib.config_manager.ConfigManager._put_in_force",
        "log": "harnesslib.routing_log.RoutingLog.append",
    }
    with monkeypatch.context() as patch:
        patch.setattr(place[step], stop)
        assert 130 == harness("config", "migrate")[0]
    if step == "log":
        assert 0 == harness("log", "rotate")[0]  # any change writes what is missing
    else:
        assert old == (root / "routing_config.json").read_bytes()
        assert 0 == harness("config", "migrate")[0]
    assert 0 == harness("log", "verify")[0]
    assert 1 == json.loads(harness("routes", "list", "--json")[1])["generation"]
