"""Who may do better than a baseline: other models, and the baseline with one setting changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from harnesslib.records import Finding, HarnessConfig, Prompt, RoutingConfig, Settings, Spec
from harnesslib.records.base import Record

LONGER = 2.0
"""How many times longer a deadline is tried where answers came too late."""

OTHER_FORMATS = ("tags", "json", "bracket", "function", "native")
"""Call formats in the order in which they are tried where calls can't be read."""


class Candidate(Record):
    """A spec to be measured beside the baseline, and why; `prompt` is the text of a variant of one's own."""

    spec: Spec
    origin: str
    prompt: Prompt | None = None


def candidates(
    phase: str,
    config: HarnessConfig,
    routing: RoutingConfig,
    findings: Sequence[Finding] = (),
    submitted: Sequence[Candidate] = (),
) -> tuple[Candidate, ...]:
    """Return the candidates of a phase, each once, in the order in which they are to be named.

    Parameters
    ----------
    phase
        The phase; its baseline is that of `routing`.
    config
        Models, the search space of the phase, prompt variants.
    routing
        The baseline, and the settings of models that have a rule.
    findings
        Of the last finished cycle. A deadline that cut answers off is doubled; a call format that can't be
        read is changed, or asked for again; nothing else is: a wrong answer can't be seen by who calls, a
        cold start and a model that can't do it have recommendations of their own, and an endpoint that fails
        is for its operator.
    submitted
        Candidates from proposals, of any phase.

    Notes
    -----
    One factor differs from the baseline: the model, which brings its own settings along (those of its rule,
    of ``harness.toml``, or what a finding asks for), or one setting. A proposal may change more.
    """
    baseline = routing.baselines[phase].spec
    found = (
        *_models(phase, baseline, config, routing),
        *_search(baseline, config),
        *_from_findings(phase, baseline, config, routing, findings),
        *(each for each in submitted if each.spec.phase == phase),
    )
    distinct: dict[str, Candidate] = {}
    for each in found:
        if each.spec.id != baseline.id:
            distinct.setdefault(each.spec.id, each)
    return tuple(distinct.values())


def candidate(model: str, phase: str, config: HarnessConfig, routing: RoutingConfig) -> Spec:
    """Return what is measured of a model in a phase: under its rule's settings, or those of the file."""
    rule = routing.rule(model, phase)
    settings = rule.settings if rule else config.settings_of(model, phase)
    return Spec(model=model, phase=phase, settings=settings)


def prompts_of(
    found: Iterable[Candidate], config: HarnessConfig, routing: RoutingConfig
) -> dict[str, Prompt]:
    """Return the texts of all prompt variants that baselines or candidates name, by pinned name."""
    known = config.prompts | routing.prompts
    return known | {each.spec.settings.variant: each.prompt for each in found if each.prompt}


def _models(phase: str, baseline: Spec, config: HarnessConfig, routing: RoutingConfig) -> Iterator[Candidate]:
    for model in config.models_of(phase):
        if model.id != baseline.model:
            yield Candidate(spec=candidate(model.id, phase, config, routing), origin="model")


def _search(baseline: Spec, config: HarnessConfig) -> Iterator[Candidate]:
    space = config.phases[baseline.phase].search
    patches: tuple[Mapping[str, object], ...] = (
        *({"variant": config.pin(name)} for name in space.variants),
        *({"temperature": value} for value in space.temperatures),
        *({"timeout_s": value} for value in space.timeouts_s),
        *({"retries": value, "retry_malformed": True} for value in space.retries),
    )
    for patch in patches:
        yield Candidate(spec=_with(baseline, patch), origin="search")


def _from_findings(
    phase: str,
    baseline: Spec,
    config: HarnessConfig,
    routing: RoutingConfig,
    findings: Sequence[Finding],
) -> Iterator[Candidate]:
    listed = {model.id for model in config.models_of(phase)}
    for finding in findings:
        asked_for = _ASKED_FOR.get(finding.cause)
        if asked_for is None or finding.phase != phase or finding.model not in listed:
            continue
        mine = baseline.model == finding.model
        spec = baseline if mine else candidate(finding.model, phase, config, routing)
        for patch, why in asked_for(spec.settings, config.phases[phase].search.variants):
            yield Candidate(spec=_with(spec, patch), origin=f"finding: {finding.cause}; {why}")


def _longer(settings: Settings, _: Sequence[str]) -> Iterator[tuple[Mapping[str, object], str]]:
    longer = settings.timeout_s * LONGER
    yield {"timeout_s": longer}, f"a case that fails may then take {longer:g} s, not {settings.timeout_s:g} s"


def _readable(settings: Settings, listed: Sequence[str]) -> Iterator[tuple[Mapping[str, object], str]]:
    # Formats that a person listed are candidates anyway; without a list one other is tried.
    others = [name for name in OTHER_FORMATS if name != settings.variant]
    if not listed:
        yield {"variant": others[0]}, "calls are asked for in another format"
    again = {"retries": max(1, settings.retries), "retry_malformed": True}
    yield again, "a call that can't be read is asked for again, which takes another answer's time"


_ASKED_FOR: Mapping[str, Callable[[Settings, Sequence[str]], Iterator[tuple[Mapping[str, object], str]]]] = {
    "timeout_bound": _longer,
    "format_mismatch": _readable,
}


def _with(spec: Spec, patch: Mapping[str, object]) -> Spec:
    settings = msgspec.structs.replace(spec.settings, **patch)
    return msgspec.structs.replace(spec, settings=settings)
