"""How candidates are told apart: what differs from the baseline, in ids and in words."""

from __future__ import annotations

from collections.abc import Sequence

from harnesslib.records.measure import Settings, Spec


def changes(before: Settings, after: Settings) -> dict[str, str]:
    """Return the settings that differ, with their new values as text."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in before.__struct_fields__)
    return {name: _text(new) for name, old, new in pairs if old != new}


def label(spec: Spec, beside: Spec) -> str:
    """Return what a spec is, in words: the model, and what differs from another spec of the same model."""
    if spec.model != beside.model or spec == beside:
        return spec.model
    listed = ", ".join(f"{name} {value}" for name, value in changes(beside.settings, spec.settings).items())
    return f"{spec.model} with {listed}"


def promotion_names(baseline: Spec, candidates: Sequence[Spec]) -> dict[str, tuple[str, str]]:
    """Return, by spec id, the id of the recommendation to promote a candidate, and its label in words.

    Parameters
    ----------
    baseline, candidates
        Of one phase, in the order of the plan.

    Notes
    -----
    A switch of the model is ``phase-promote-model``. Other settings of the baseline, and a second spec of
    another model, name what they change: ``phase-promote-model-variant-tags``.

    Examples
    --------
    >>> steady = Spec(model="steady", phase="atomic", settings=Settings())
    >>> tags = Spec(model="steady", phase="atomic", settings=Settings(variant="tags"))
    >>> promotion_names(steady, [tags])[tags.id]
    ('atomic-promote-steady-variant-tags', 'steady with variant tags')
    """
    first = {baseline.model: baseline}
    found: dict[str, tuple[str, str]] = {}
    for spec in candidates:
        beside = first.setdefault(spec.model, spec)
        differing = changes(beside.settings, spec.settings) if beside != spec else {}
        suffix = "".join(f"-{name}-{value}" for name, value in differing.items())
        found[spec.id] = (f"{spec.phase}-promote-{spec.model}{suffix}", label(spec, beside))
    return found


def ordinary(baseline: Spec, candidates: Sequence[Spec]) -> tuple[Spec, ...]:
    """Return one spec per model, the first: what is said of a model is said of it as it is usually asked."""
    first: dict[str, Spec] = {}
    for spec in (baseline, *candidates):
        first.setdefault(spec.model, spec)
    return tuple(first.values())


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
