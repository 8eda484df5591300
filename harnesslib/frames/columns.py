"""The columns of every frame, in order, with their types; ``docs/frames.md`` says what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harnesslib.sample_table import COLUMNS as STORED
from harnesslib.sample_table import UNSURE_COUNTS

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["text", "yes/no", "whole", "unsure whole", "number", "time"]

_SQL: dict[str, Kind] = {
    "VARCHAR": "text",
    "JSON": "text",
    "BOOLEAN": "yes/no",
    "BIGINT": "whole",
    "DOUBLE": "number",
    "TIMESTAMPTZ": "time",
}


def _kinds(text: str) -> dict[str, Kind]:
    """Read ``name kind`` pairs; a line of the table holds those that belong together."""
    short: dict[str, Kind] = {"t": "text", "b": "yes/no", "i": "whole", "f": "number", "d": "time"}
    return {name: short[kind] for name, _, kind in (word.partition(":") for word in text.split())}


FRAMES: dict[str, dict[str, Kind]] = {
    "samples": {
        **{name: _SQL[kind] for name, kind in STORED.items()},
        **dict.fromkeys(UNSURE_COUNTS, "unsure whole"),
        **_kinds("served:f skilled:f"),
    },
    "runs": _kinds(
        "run_id:t kind:t status:t started_at:d ended_at:d duration_s:f simulated:b sealed:b verdict:t "
        "reason:t problem:t"
    ),
    "cycles": _kinds(
        "run_id:t cycle:i phase:t started_at:d ended_at:d status:t outcome:t headline:t "
        "suite:t suite_version:t suite_hash:t smallest_effect:f candidates:i "
        "generation_before:i generation:f "
        "baseline_model:t baseline_spec_id:t baseline_digest:t baseline_samples:i "
        "baseline_accuracy:f baseline_low:f baseline_high:f "
        "served_by:t served_accuracy:f samples:i requests:i cost:f"
    ),
    "decisions": _kinds(
        "run_id:t cycle:i decision_id:t phase:t model:t spec_id:t action:t verdict:t reason:t hypothesis:t "
        "effect:f effect_low:f effect_high:f gates:i gates_passed:i gates_failed:i gates_unknown:i "
        "proof:t credited:f credited_low:f credited_high:f proof_p_value:f"
    ),
    "gates": _kinds(
        "run_id:t cycle:i decision_id:t phase:t model:t action:t gate:t verdict:t observed:t threshold:t "
        "settle:t"
    ),
}
"""Frame -> column -> what it holds."""

DTYPES: dict[Kind, str] = {
    "text": "object",
    "yes/no": "bool",
    "whole": "int64",
    "unsure whole": "Int64",
    "number": "float64",
    "time": "datetime64[us, UTC]",
}
"""What a column holds -> its dtype; text that is unknown is None, and so is a time (NaT)."""


def empty(name: str) -> pd.DataFrame:
    """Return a frame without rows, its columns and types as always."""
    import pandas as pd

    return pd.DataFrame({column: pd.Series(dtype=DTYPES[kind]) for column, kind in FRAMES[name].items()})


def typed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the frame with its columns in order and of their types, whatever this data happened to hold."""
    kinds = FRAMES[name]
    ordered = frame.reindex(columns=list(kinds))
    for column, kind in kinds.items():
        if kind == "text":
            texts = ordered[column].astype("object")
            ordered[column] = texts.where(texts.notna(), None)
        elif kind == "yes/no":
            ordered[column] = ordered[column].eq(other=True)
        else:
            dtype: Any = DTYPES[kind]
            ordered[column] = ordered[column].astype(dtype)
    return ordered
