"""The published JSON Schemas are those of the records, and as strict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from harnesslib.errors import InputError
from harnesslib.records import encode
from harnesslib.schemas import RECORDS, schema
from harnesslib.testing import tiny_harness

ROOT = Path(__file__).resolve().parents[2]


def test_the_published_schemas_are_those_of_the_records():
    done = subprocess.run(
        [sys.executable, "scripts/schemas", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (0, "the schemas are current") == (done.returncode, done.stdout.strip())


@pytest.mark.parametrize("name", RECORDS)
def test_a_schema_is_a_schema_and_allows_no_unknown_key(name):
    made = schema(name)
    jsonschema.Draft202012Validator.check_schema(made)
    assert RECORDS[name][1] == made["title"]
    objects = [part for part in made["$defs"].values() if part["type"] == "object"]
    assert objects
    assert {False} == {part.get("additionalProperties") for part in objects}


def test_a_schema_accepts_its_record_and_refuses_another():
    config = json.loads(encode(tiny_harness("steady")))
    jsonschema.validate(config, schema("harness"))
    for broken in (
        config | {"endpoints": []},
        config | {"nonsense": 1},
        {k: config[k] for k in config if k != "models"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema("harness"))


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="expected one of harness, routing_config"):
        schema("plans")
