"""What is asked: tools, turns, cases and suites."""

from __future__ import annotations

from typing import Any, Literal

from harnesslib.records.base import Record, encode, sha256

Split = Literal["search", "holdout"]
SPLITS: tuple[Split, ...] = ("search", "holdout")


class Tool(Record):
    """A function that a model may call. `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ExpectedCall(Record):
    """One acceptable call.

    An argument is a JSON value (compared with its type: 1 is not true, "5" is not 5) or a matcher, a
    dict with exactly one key that starts with ``$``: ``{"$any": [v, ...]}`` one of the values or
    matchers, ``{"$number": 5.0}`` equal within 1e-6 relative, ``{"$text": ["all", "words"]}`` a string
    that contains each word, case folded. Arguments named in `optional` may be left out.
    """

    name: str
    arguments: dict[str, Any] = {}
    optional: tuple[str, ...] = ()


class Turn(Record):
    """One user message and what may answer it.

    `accept` holds alternatives; each is the set of calls of this turn (their order is free). An empty
    alternative means: no call is right. With `any_call` calls of offered tools are right, however many and
    whatever their arguments, as long as there is one; `accept` then holds an example. `reply` is a reference
    answer in words.
    """

    user: str
    accept: tuple[tuple[ExpectedCall, ...], ...]
    reply: str = "Done."
    any_call: bool = False


class Case(Record):
    """One question: a conversation of one or more turns with its tools and its expectation.

    `smoke` marks the few cases that a quick run asks. `parameters` makes a case parametric: by name, the
    values of ``{name}`` in its texts and expected calls, at least four each; the k-th values of all names
    belong together, and a sample's seed chooses k (see `suites.parametric`). `final_state` is the part of
    the world's state that must hold when the conversation is over; none: the state isn't looked at.
    `harmless` names tools whose extra calls cost nothing in this case.
    """

    id: str
    skill: str
    split: Split
    turns: tuple[Turn, ...]
    tools: tuple[str, ...]
    notes: str
    world: str = ""
    smoke: bool = False
    parameters: dict[str, tuple[Any, ...]] = {}
    final_state: dict[str, Any] | None = None
    harmless: tuple[str, ...] = ()

    @property
    def wants_call(self) -> bool:
        """Whether a call is needed somewhere; a case that wants none measures restraint."""
        return any(all(alternative for alternative in turn.accept) for turn in self.turns)

    @property
    def requests(self) -> int:
        """How many requests a perfect answer takes: each turn one, and one more after its calls."""
        return sum(1 + any(turn.accept and turn.accept[0]) for turn in self.turns)


class Suite(Record):
    """A versioned set of cases with its tools. `part_of` names the suite that this one is a part of."""

    name: str
    version: str
    title: str
    description: str
    tools: tuple[Tool, ...]
    cases: tuple[Case, ...]
    schema_version: int = 1
    part_of: str = ""

    @property
    def content_hash(self) -> str:
        """Hex SHA-256 over everything that can change a measurement."""
        return sha256(encode(self))

    def part(self, split: Split) -> tuple[Case, ...]:
        """Return the cases of one split, in suite order."""
        return tuple(case for case in self.cases if case.split == split)

    def tools_of(self, case: Case) -> tuple[Tool, ...]:
        """Return the tools that `case` offers, in the case's order."""
        by_name = {tool.name: tool for tool in self.tools}
        return tuple(by_name[name] for name in case.tools)
