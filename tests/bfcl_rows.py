"""Rows of our own in the leaderboard's file format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LAMP = {
    "name": "house.set_lamp",
    "description": "Set a lamp.",
    "parameters": {
        "type": "dict",
        "properties": {
            "room": {"type": "string", "description": "Which room."},
            "level": {"type": "integer", "description": "Percent."},
            "warmth": {"type": "float", "default": 0.5},
            "blink": {"type": "boolean", "optional": True},
            "colours": {"type": "array", "items": {"type": "string"}},
            "position": {"type": "tuple", "items": {"type": "float"}},
            "plan": {
                "type": "dict",
                "properties": {"start": {"type": "string"}, "repeat": {"type": "boolean"}},
            },
            "steps": {
                "type": "array",
                "items": {"type": "dict", "properties": {"level": {"type": "integer"}}},
            },
            "mode": {"type": "string", "enum": ["day", "night"]},
            "tag": {"type": "any"},
        },
        "required": ["room"],
    },
}
BELL = {
    "name": "ring",
    "description": "Ring a bell.",
    "parameters": {"type": "dict", "properties": {"times": {"type": "integer"}}, "required": ["times"]},
}


def row(id_: str, text: str, *functions: dict[str, Any], system: str = "") -> dict[str, Any]:
    """Return a row of a question file."""
    messages = [{"role": "system", "content": system}] if system else []
    return {
        "id": id_,
        "question": [[*messages, {"role": "user", "content": text}]],
        "function": list(functions or (LAMP,)),
    }


def write_files(folder: Path, category: str, rows: list[tuple[dict[str, Any], list[Any] | None]]) -> Path:
    """Write a question file and its answers; None: the row has no answers. Returns the question file."""
    name = f"BFCL_v4_{category}.json"
    file = folder / name
    file.write_text("".join(json.dumps(question) + "\n" for question, _ in rows))
    answers = [{"id": one["id"], "ground_truth": truth} for one, truth in rows if truth is not None]
    if answers:
        (folder / "possible_answer").mkdir(exist_ok=True)
        lines = "".join(json.dumps(answer) + "\n" for answer in answers)
        (folder / "possible_answer" / name).write_text(lines)
    return file


def sample(folder: Path) -> Path:
    """Write a folder of small files, one per kind of category. Returns the folder."""
    lamp = {
        "room": ["kitchen", "Kitchen"],
        "level": [40],
        "warmth": ["", 0.5],
        "mode": ["", "Night", "night"],
    }
    write_files(
        folder,
        "simple_python",
        [
            (row("simple_python_0", "Kitchen lamp to 40 percent."), [{"house.set_lamp": lamp}]),
            (row("simple_python_1", "Ring twice.", BELL, system="Be brief."), [{"ring": {"times": [2]}}]),
            (row("simple_python_2", "Ring 3 times.", BELL), [{"ring": {"times": [3]}}]),
        ],
    )
    plan = {"room": ["hall"], "plan": [{"start": ["18:00", "6 pm"], "repeat": [True, ""]}]}
    steps = {"room": ["hall"], "steps": [[{"level": [10]}, {"level": [20, 25]}]], "tag": ["x", "y"]}
    write_files(
        folder,
        "live_multiple",
        [
            (row("live_multiple_0-0-0", "Hall lamp at 6 pm.", BELL, LAMP), [{"house.set_lamp": plan}]),
            (row("live_multiple_1-0-0", "Hall lamp in steps.", BELL, LAMP), [{"house.set_lamp": steps}]),
        ],
    )
    write_files(
        folder,
        "parallel",
        [
            (
                row("parallel_0", "Ring once or twice, and once.", BELL),
                [{"ring": {"times": [1, 2]}}, {"ring": {"times": [1]}}],
            )
        ],
    )
    write_files(folder, "irrelevance", [(row("irrelevance_0", "What is the capital of Norway?", BELL), None)])
    write_files(
        folder,
        "live_relevance",
        [(row(f"live_relevance_{number}-0-0", "Make some light."), None) for number in range(2)],
    )
    write_files(folder, "multi_turn_base", [(row("multi_turn_base_0", "Ring."), None)])
    return folder
