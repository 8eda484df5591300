"""A call written like a function's, ``name(count=1, room="hall")``: read as Python reads literals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harnesslib.parsers.values import (
    DEEPEST_ARGUMENTS,
    UnreadableError,
    arguments_from,
    name_from,
    require_length,
    shown,
    too_deep,
    without_duplicates,
)
from harnesslib.records import Call

NAME = r"[A-Za-z0-9_.-]++"
KEY = r"""[^\s=(),:*'"\[\]{}]++"""
CALL_BEGINS = rf"""{NAME}\((?=\s*+(?:\)|\Z|\*\*|["'{{\[]|[+-]?\.?[0-9]|{KEY}\s*+=(?!=)))"""
"""Where somebody begins to call: a name and a parenthesis, then its end, a literal or ``key=``."""

_SPACE = re.compile(r"\s*+")
_NAME = re.compile(NAME)
_KEY = re.compile(rf"({KEY})\s*+=(?!=)")
_WORD = re.compile(r"\w++")
_DIGITS = r"[0-9](?:_?[0-9])*+"
_NUMBER = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_INTEGER = re.compile(r"[+-]?(?:0[0_]*|[1-9][0-9_]*)")
_WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_QUOTES = ('"""', "'''", '"', "'")
_PLAIN = {
    '"""': re.compile(r'[^\\"]*+'),
    "'''": re.compile(r"[^\\']*+"),
    '"': re.compile(r'[^\\"\n\r]*+'),
    "'": re.compile(r"[^\\'\n\r]*+"),
}
_ESCAPES = {"\n": ""} | dict(zip("abfnrtv\\'\"/", "\a\b\f\n\r\t\v\\'\"/", strict=True))
_CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})")
_LAST_CHARACTER = 0x10FFFF
_EXCERPT = 60


def read_call(text: str, at: int) -> tuple[Call, int]:
    """Return the call that begins at `at`, and where it ends.

    Notes
    -----
    Arguments have names; ``**{"any name": 1}`` gives those that are no identifiers. Values are strings in
    single, double or triple quotes with the escapes of Python and JSON, numbers, ``True``, ``False``,
    ``None`` and their spellings in JSON, lists, tuples (they become lists) and objects with text keys.
    Nothing is evaluated, and every character is looked at once.
    """
    name = _NAME.match(text, at)
    if name is None or not text.startswith("(", name.end()):
        raise UnreadableError(f"expected name(...), got {shown(text[at : at + _EXCERPT])}")
    reader = _Reader(text, name.end() + 1)
    arguments = reader.arguments()
    require_length(reader.at - name.end())
    return Call(name=name_from(name.group()), arguments=arguments_from(arguments)), reader.at


def blank_end(text: str, at: int) -> int:
    """Return where the blanks that begin at `at` end."""
    blanks = _SPACE.match(text, at)
    return blanks.end() if blanks else at


@dataclass
class _Reader:
    """A place in a text, and what is read from there on."""

    text: str
    at: int

    def arguments(self) -> dict[str, Any]:
        """Read up to the parenthesis that closes the call."""
        pairs: list[tuple[str, Any]] = []
        while not self._ends(")"):
            if self.text.startswith("**", self.at):
                self.at += 2
                more = self._value(1)
                if not isinstance(more, dict):
                    raise UnreadableError("an object is expected after **")
                pairs.extend(more.items())
            else:
                key = self._matched(_KEY)
                if key is None:
                    raise UnreadableError(f"an argument has no name: {self._here()}")
                pairs.append((key.group(1), self._value(1)))
            self._separate(")")
        return without_duplicates(pairs)

    def _value(self, depth: int) -> Any:  # noqa: ANN401 - any literal
        self._skip_blanks()
        first = self.text[self.at : self.at + 1]
        if first in _CLOSING and depth > DEEPEST_ARGUMENTS:
            raise too_deep()
        match first:
            case '"' | "'":
                return self._string()
            case "[":
                return self._entries(depth)[0]
            case "(":
                entries, commas = self._entries(depth)
                return entries[0] if len(entries) == 1 and not commas else entries
            case "{":
                return self._object(depth)
        number = self._matched(_NUMBER)
        if number is not None:
            return _number(number.group())
        word = self._matched(_WORD)
        if word is None or word.group() not in _WORDS:
            got = shown(word.group()) if word else self._here()
            raise UnreadableError(f"a value is expected, got {got}")
        return _WORDS[word.group()]

    def _entries(self, depth: int) -> tuple[list[Any], int]:
        closing = _CLOSING[self.text[self.at]]
        self.at += 1
        entries, commas = [], 0
        while not self._ends(closing):
            entries.append(self._value(depth + 1))
            commas += self._separate(closing)
        return entries, commas

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        pairs = []
        while not self._ends("}"):
            if self.text[self.at : self.at + 1] not in {'"', "'"}:
                raise UnreadableError(f"a key has to be a text: {self._here()}")
            key = self._string()
            self._skip_blanks()
            if not self._took(":"):
                raise UnreadableError(f"expected ':', got {self._here()}")
            pairs.append((key, self._value(depth + 1)))
            self._separate("}")
        return without_duplicates(pairs)

    def _string(self) -> str:
        quote = next(quote for quote in _QUOTES if self.text.startswith(quote, self.at))
        self.at += len(quote)
        parts = []
        while not self._took(quote):
            plain = self._matched(_PLAIN[quote])
            parts.append(plain.group() if plain else "")
            if self._took("\\"):
                parts.append(self._escaped())
            elif self._took(quote):
                break
            elif len(quote) > 1 and self._took(quote[0]):
                parts.append(quote[0])
            else:
                raise UnreadableError("a text has no closing quote")
        return _joined_surrogates("".join(parts))

    def _escaped(self) -> str:
        code = self._matched(_CODE)
        if code is not None:
            number = int(next(filter(None, code.groups())), base=16)
            if number > _LAST_CHARACTER:
                raise UnreadableError("a text holds a code beyond Unicode")
            return chr(number)
        letter = self.text[self.at : self.at + 1]
        if not letter or letter in "xuUN0123456789":
            raise UnreadableError(f"an escape in a text can't be read: {self._here()}")
        self.at += 1
        return _ESCAPES.get(letter, "\\" + letter)

    def _separate(self, closing: str) -> bool:
        """Read a comma; it may only be missing before the end."""
        self._skip_blanks()
        comma = self._took(",")
        if not comma and not self.text.startswith(closing, self.at):
            raise UnreadableError(f"expected ',' or '{closing}', got {self._here()}")
        return comma

    def _ends(self, closing: str) -> bool:
        self._skip_blanks()
        if self.at >= len(self.text):
            raise UnreadableError(f"it ends before '{closing}'")
        return self._took(closing)

    def _took(self, expected: str) -> bool:
        found = self.text.startswith(expected, self.at)
        self.at += len(expected) * found
        return found

    def _matched(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def _skip_blanks(self) -> None:
        self.at = blank_end(self.text, self.at)

    def _here(self) -> str:
        rest = self.text[self.at : self.at + _EXCERPT]
        return shown(rest) if rest else "the end of the reply"


def _number(text: str) -> float:
    try:
        if not set(text) & set(".eE"):
            if _INTEGER.fullmatch(text) is None:
                raise UnreadableError(f"a number begins with 0: {shown(text)}")
            return int(text)
        return float(text)
    except ValueError as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("the arguments hold an integer beyond any float") from None


def _joined_surrogates(text: str) -> str:
    """Join the halves of a character that JSON writes as two codes; what is broken stays so."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text
