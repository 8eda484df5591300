"""A run in the shared schema of Every Eval Ever, version 0.3.0: a document per model, intervals and all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harnesslib.exports.bundle import Arm, Bundle
from harnesslib.records import Estimate, SpecSummary, encode, sha256

SCHEMA_VERSION = "0.3.0"
_UNKNOWN = "unknown"
_METRICS = {
    "served": ("served accuracy", "Share of valid samples that pass; a timeout counts as a failure.", False),
    "skill": ("skill accuracy", "Share of answered samples that pass; timeouts are left out.", False),
    "restraint": ("restraint", "Share of samples without need of a call that pass.", False),
    "latency_p50_s": ("median latency", "Median time until a sample's answer, in seconds.", True),
    "latency_p95_s": ("latency, 95th percentile", "Time until a sample's answer, in seconds.", True),
}


def every_eval_ever(bundle: Bundle, *, organisation: str) -> dict[str, dict[str, Any]]:
    """Return the documents by path, laid out as in that project: ``harnesslib/DEVELOPER/MODEL/ID.json``.

    Parameters
    ----------
    bundle
        The run.
    organisation
        Who measured; the schema asks for a name.

    Notes
    -----
    What was not measured is left out: the schema has no way to say "unknown, because".
    """
    arms = [arm for arm in bundle.arms() if arm.summary]
    models = dict.fromkeys(arm.model for arm in arms)
    documents = (
        _document(model, [arm for arm in arms if arm.model == model], bundle, organisation)
        for model in models
    )
    return {_path(document): document for document in documents if document["evaluation_results"]}


def _path(document: dict[str, Any]) -> str:
    developer, _, name = document["model_info"]["id"].partition("/")
    return f"harnesslib/{_plain(developer)}/{_plain(name)}/{_uuid(document['evaluation_id'])}.json"


def _document(model: str, arms: list[Arm], bundle: Bundle, organisation: str) -> dict[str, Any]:
    manifest = bundle.records.manifest
    ended = manifest.ended_at or manifest.started_at
    developer, separator, name = model.partition("/")
    model_id = model if separator else f"{_UNKNOWN}/{model}"
    when = f"{ended.timestamp():.0f}"
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"harnesslib/{model_id.replace('/', '_')}/{when}",
        "evaluation_timestamp": manifest.started_at.isoformat(),
        "retrieved_timestamp": when,
        "source_metadata": {
            "source_name": f"harnesslib run {manifest.run_id}",
            "source_type": "evaluation_run",
            "source_organization_name": organisation,
            "evaluator_relationship": "other",
            "additional_details": {"simulated_models": str(manifest.simulated).lower()},
        },
        "eval_library": {"name": "harnesslib", "version": manifest.environment.get("harnesslib", _UNKNOWN)},
        "model_info": {
            "name": name if separator else model,
            "id": model_id,
            "developer": developer if separator else _UNKNOWN,
            "additional_details": {"deployment_type": _UNKNOWN, "model_availability": _UNKNOWN},
        },
        "evaluation_results": [result for arm in arms for result in _results(arm, bundle)],
    }


def _results(arm: Arm, bundle: Bundle) -> Iterator[dict[str, Any]]:
    found = arm.summary
    for field in _METRICS if found else ():
        estimate: Estimate = getattr(found, field)
        if found and estimate.value is not None:
            yield _result(arm, found, field, bundle)


def _result(arm: Arm, found: SpecSummary, field: str, bundle: Bundle) -> dict[str, Any]:
    suite = bundle.suites.get(arm.phase)
    estimate: Estimate = getattr(found, field)
    return {
        "evaluation_result_id": f"{arm.spec_id}/{arm.stage}/{field}",
        "evaluation_name": f"{arm.phase}: {_METRICS[field][0]} ({arm.stage})",
        "evaluation_timestamp": arm.samples[0].started_at.isoformat(),
        "source_data": {
            "dataset_name": suite.name if suite else arm.phase,
            "source_type": "other",
            "additional_details": {
                "suite_version": suite.version if suite else _UNKNOWN,
                "suite_sha256": suite.content_hash if suite else _UNKNOWN,
                "cases": str(len({sample.case_id for sample in arm.samples})),
            },
        },
        "metric_config": _metric_config(field),
        "score_details": {
            "score": estimate.value,
            "details": {name: str(count) for name, count in found.outcomes.items()},
            "uncertainty": _uncertainty(estimate),
        },
        "generation_config": {
            "generation_args": {"temperature": found.spec.settings.temperature},
            "additional_details": {
                "variant": found.spec.settings.variant,
                "timeout_s": f"{found.spec.settings.timeout_s:g}",
                "retries": str(found.spec.settings.retries),
                "warmup": str(found.spec.settings.warmup).lower(),
            },
        },
    }


def _metric_config(field: str) -> dict[str, Any]:
    name, meaning, lower_is_better = _METRICS[field]
    return {
        "evaluation_description": meaning,
        "metric_id": f"harnesslib.{field}",
        "metric_name": name,
        "metric_unit": "seconds" if lower_is_better else "proportion",
        "lower_is_better": lower_is_better,
        "score_type": "continuous",
        "min_score": 0.0,
        "max_score": "Infinity" if lower_is_better else 1.0,
    }


def _uncertainty(estimate: Estimate) -> dict[str, Any]:
    known: dict[str, Any] = {"num_samples": estimate.n}
    if estimate.low is not None and estimate.high is not None:
        known["confidence_interval"] = {
            "lower": estimate.low,
            "upper": estimate.high,
            "confidence_level": estimate.level,
            "method": estimate.method,
        }
    return known


def _plain(name: str) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    return plain.lstrip(".") or _UNKNOWN  # a folder that begins with a dot may lead out, or is not seen


def _uuid(text: str) -> str:
    """Return an id in the form of a random UUID, but the same for the same text: no file is made twice."""
    digits = sha256(encode(text))[:32]
    digits = f"{digits[:12]}4{digits[13:16]}8{digits[17:]}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
