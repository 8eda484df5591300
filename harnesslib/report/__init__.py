"""The cycle report: each function takes the records of a cycle and returns a section.

A notebook shows a section as the value of its cell; sections are joined with ``+``. Every section has
something true to say whatever is missing.
"""

from __future__ import annotations

from harnesslib.report.evidence import audit, budget, cases, environment, history, models, speed
from harnesslib.report.html import Section
from harnesslib.report.judging import checks, confirmation, learnings
from harnesslib.report.sections import causes, decisions, effects, plan, truth, verdict, verification

__all__ = [
    "SECTIONS",
    "Section",
    "audit",
    "budget",
    "cases",
    "causes",
    "checks",
    "confirmation",
    "decisions",
    "effects",
    "environment",
    "history",
    "learnings",
    "models",
    "plan",
    "speed",
    "truth",
    "verdict",
    "verification",
]

SECTIONS = (
    verdict,
    decisions,
    effects,
    confirmation,
    verification,
    checks,
    causes,
    learnings,
    truth,
    plan,
    models,
    cases,
    speed,
    history,
    budget,
    audit,
    environment,
)
"""All sections, in the order of the page."""
