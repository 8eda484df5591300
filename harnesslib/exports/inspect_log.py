"""A run as logs of Inspect AI, version 2: one per model, phase, settings and stage.

A sample's repeat becomes its ``epoch``, the phase becomes the ``task``, and the settings become its
``task_args``. Inspect keeps errors apart from scores, as this program does: an infrastructure
error has an ``error`` and no score.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from harnesslib.exports.bundle import Arm, Bundle
from harnesslib.records import Call, Case, Estimate, Manifest, Sample, encode, sha256

SCORER = "harnesslib"
_STATUS = {"running": "started", "done": "success", "failed": "error", "lost": "cancelled"}
_CORRECT, _INCORRECT = "C", "I"


def inspect_logs(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """Return the logs by file name; Inspect lists a JSON file only when its name is ``TIME_TASK_ID.json``."""
    return {_file_name(arm, bundle): _log(arm, bundle) for arm in bundle.arms()}


def _file_name(arm: Arm, bundle: Bundle) -> str:
    started = bundle.records.manifest.started_at
    task = f"{arm.phase}-{arm.stage}-{arm.model}".replace("_", "-")
    plain = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in task)
    return f"{started:%Y-%m-%dT%H-%M-%S}_{plain}_{_id(arm.stage, arm.spec_id)}.json"


def _log(arm: Arm, bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.records.manifest
    log: dict[str, Any] = {
        "version": 2,
        "status": _STATUS[manifest.status],
        "eval": _eval(arm, bundle),
        "plan": {"name": "plan", "steps": [], "config": _generation(arm)},
        "results": _results(arm),
        "stats": _stats(arm, manifest),
        "samples": list(_samples(arm, bundle)),
    }
    if manifest.status == "failed":
        log["error"] = {"message": manifest.reason, "traceback": "", "traceback_ansi": ""}
    return log


def _eval(arm: Arm, bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.records.manifest
    suite = bundle.suites.get(arm.phase)
    ids = list(dict.fromkeys(sample.case_id for sample in arm.samples))
    settings = {} if arm.summary is None else json.loads(encode(arm.summary.spec.settings))
    return {
        "eval_id": _id(manifest.run_id, arm.stage, arm.spec_id),
        "run_id": manifest.run_id,
        "created": manifest.started_at.isoformat(),
        "task": arm.phase,
        "task_id": _id(arm.phase, arm.stage, arm.spec_id),
        "task_version": suite.version if suite else "unknown",
        "task_args": {"stage": arm.stage, **settings},
        "dataset": {
            "name": suite.name if suite else arm.phase,
            "samples": len(ids),
            "sample_ids": ids,
            "shuffled": True,
        },
        "model": arm.model,
        "model_generate_config": _generation(arm),
        "config": {"epochs": max(_epochs(arm).values()), "epochs_reducer": ["mean"]},
        "packages": {"harnesslib": manifest.environment.get("harnesslib", "unknown")},
        "scorers": [{"name": SCORER}],
        "metadata": {
            "stage": arm.stage,
            "spec_id": arm.spec_id,
            "suite_hash": suite.content_hash if suite else "",
            "simulated": manifest.simulated,
        },
    }


def _generation(arm: Arm) -> dict[str, Any]:
    return {} if arm.summary is None else {"temperature": arm.summary.spec.settings.temperature}


def _results(arm: Arm) -> dict[str, Any]:
    scored = sum(sample.outcome != "infra_error" for sample in arm.samples)
    found = arm.summary
    estimates = (
        {"accuracy": found.served, "skill_accuracy": found.skill, "restraint": found.restraint}
        if found
        else {}
    )
    return {
        "total_samples": len(arm.samples),
        "completed_samples": scored,
        "scores": [
            {
                "name": SCORER,
                "scorer": SCORER,
                "scored_samples": scored,
                "unscored_samples": len(arm.samples) - scored,
                "params": {},
                "metrics": {
                    name: _metric(name, estimate)
                    for name, estimate in estimates.items()
                    if estimate.value is not None
                },
            }
        ],
    }


def _metric(name: str, estimate: Estimate) -> dict[str, Any]:
    bounds = {"low": estimate.low, "high": estimate.high, "level": estimate.level, "n": estimate.n}
    return {
        "name": name,
        "value": estimate.value,
        "params": {},
        "metadata": {**bounds, "method": estimate.method},
    }


def _stats(arm: Arm, manifest: Manifest) -> dict[str, Any]:
    started = arm.samples[0].started_at
    ended = manifest.ended_at or arm.samples[-1].started_at
    return {
        "started_at": started.isoformat(),
        "completed_at": ended.isoformat(),
        "model_usage": {arm.model: _usage(arm.samples)},
    }


def _usage(samples: tuple[Sample, ...]) -> dict[str, Any]:
    """Return what is known to have been used; Inspect has no way to say that a number is unknown."""
    read = sum(sample.input_tokens or 0 for sample in samples)
    written = sum(sample.output_tokens or 0 for sample in samples)
    cost = sum(sample.cost or 0.0 for sample in samples)
    used = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    return used | ({"total_cost": cost} if cost else {})


def _epochs(arm: Arm) -> Counter[str]:
    return Counter(sample.case_id for sample in arm.samples)


def _samples(arm: Arm, bundle: Bundle) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for sample in arm.samples:
        seen[sample.case_id] += 1
        yield _sample(sample, seen[sample.case_id], arm, bundle.case(sample))


def _sample(sample: Sample, epoch: int, arm: Arm, case: Case | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": sample.case_id,
        "epoch": epoch,
        "input": case.turns[0].user if case else f"(the text of {sample.case_id} has changed since)",
        "target": _target(case) if case else "",
        "messages": list(_messages(sample, case)),
        "output": _output(sample),
        "events": list(_events(sample, case)),
        "metadata": _metadata(sample),
        "model_usage": {sample.served_model or sample.model: _usage((sample,))},
        "started_at": sample.started_at.isoformat(),
        "total_time": sample.elapsed_s,
        "uuid": _id(sample.run_id, *map(str, sample.key)),
    }
    if sample.latency_s is not None:
        made["working_time"] = sample.latency_s
    if sample.outcome == "infra_error":
        return made | {"error": {"message": sample.detail, "traceback": "", "traceback_ansi": ""}}
    if sample.outcome == "timeout" and arm.summary:
        made["limit"] = {"type": "time", "limit": arm.summary.spec.settings.timeout_s}
    return made | {"scores": {SCORER: _score(sample)}}


def _metadata(sample: Sample) -> dict[str, Any]:
    names = ("outcome", "skill", "wants_call", "cold", "session", "requested_model", "served_model", "seed")
    return {name: getattr(sample, name) for name in names} | {"attempts": sample.attempts}


def _score(sample: Sample) -> dict[str, Any]:
    calls = [_as_text(call) for turn in sample.turns for call in turn]
    return {
        "value": _CORRECT if sample.outcome == "pass" else _INCORRECT,
        "answer": "; ".join(calls) or sample.text,
        "explanation": f"{sample.outcome}: {sample.detail}",
        "metadata": {"outcome": sample.outcome},
    }


def _as_text(call: Call) -> str:
    arguments = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call.arguments.items()
    )
    return f"{call.name}({arguments})"


def _target(case: Case) -> list[str]:
    """Return one text per turn: the sets of calls any of which is right."""
    return [encode([list(alternative) for alternative in turn.accept]).decode() for turn in case.turns]


def _messages(sample: Sample, case: Case | None) -> Iterator[dict[str, Any]]:
    asked = [turn.user for turn in case.turns] if case else []
    for index in range(max(len(asked), len(sample.turns))):
        if index < len(asked):
            yield {"id": _message_id(sample, index, "user"), "role": "user", "content": asked[index]}
        if index < len(sample.turns):
            last = index == len(sample.turns) - 1
            yield _assistant(sample, index, sample.text if last else "")


def _assistant(sample: Sample, turn: int, text: str) -> dict[str, Any]:
    calls = [
        {"id": f"call-{turn}-{place}", "function": call.name, "arguments": call.arguments, "type": "function"}
        for place, call in enumerate(sample.turns[turn])
    ]
    message = {
        "id": _message_id(sample, turn, "assistant"),
        "role": "assistant",
        "content": text,
        "source": "generate",
        "model": sample.served_model,
    }
    return message | ({"tool_calls": calls} if calls else {})


def _output(sample: Sample) -> dict[str, Any]:
    last = len(sample.turns) - 1
    made: dict[str, Any] = {"model": sample.served_model or sample.model, "choices": []}
    if last >= 0:
        reason = "tool_calls" if sample.turns[last] else "stop"
        made["choices"] = [{"message": _assistant(sample, last, sample.text), "stop_reason": reason}]
        made["completion"] = sample.text
    if sample.latency_s is not None:
        made["time"] = sample.latency_s
    return made | {"usage": _usage((sample,))}


def _events(sample: Sample, case: Case | None) -> Iterator[dict[str, Any]]:
    """Yield the last request, from which Inspect's frame of messages is made."""
    if sample.turns:
        yield {
            "event": "model",
            "uuid": _message_id(sample, len(sample.turns), "event"),
            "timestamp": sample.started_at.isoformat(),
            "working_start": 0.0,
            "model": sample.served_model or sample.model,
            "input": list(_messages(sample, case))[:-1],
            "tools": [],
            "tool_choice": "auto",
            "config": {},
            "output": _output(sample),
        }


def _message_id(sample: Sample, turn: int, role: str) -> str:
    return _id(sample.run_id, *map(str, sample.key), str(turn), role)


def _id(*parts: str) -> str:
    return sha256(encode(parts))[:22]
