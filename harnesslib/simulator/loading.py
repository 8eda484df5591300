"""When a simulated model is in memory: a small state machine over a clock that never jumps."""

from __future__ import annotations

import re
from typing import Literal

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")


class Residence:
    """One model's place in memory: unloaded, loading, loaded, and unloaded again when nobody asks.

    The first request starts the load, and the load goes on whatever becomes of that request. A model
    that loads in no time is ready at once. Models don't push each other out.

    Parameters
    ----------
    load_s
        Seconds that a load takes.
    keep_alive_s
        Seconds after the last request until the model is unloaded; negative = never.
    """

    def __init__(self, load_s: float, keep_alive_s: float) -> None:
        self.load_s = load_s
        self.usual_keep_alive_s = keep_alive_s
        self.keep_alive_s = keep_alive_s
        self._load_began: float | None = None
        self._last_used = 0.0
        self._active = 0

    def state(self, now: float) -> Literal["unloaded", "loading", "loaded"]:
        """Return where the model is at a time."""
        if self._load_began is not None and self._expired(now):
            self._load_began = None
        if self._load_began is None:
            return "unloaded"
        return "loaded" if now >= self._load_began + self.load_s else "loading"

    def load(self, now: float) -> float:
        """Start the load if need be; return the seconds until the model is ready."""
        if self.state(now) == "unloaded":
            self._load_began = self._last_used = now
        began = now if self._load_began is None else self._load_began
        return max(0.0, began + self.load_s - now)

    def begin(self) -> None:
        """Note a request that waits or is answered: while there is one, the model stays."""
        self._active += 1

    def end(self, now: float, keep_alive_s: float | None = None) -> None:
        """Note that a request ended; `keep_alive_s` is its own wish, none = as usual."""
        self._active -= 1
        self._last_used = now
        self.keep(keep_alive_s)

    def keep(self, keep_alive_s: float | None) -> None:
        """Set how long the model stays from now on; 0 unloads it at once, none = as usual."""
        self.keep_alive_s = self.usual_keep_alive_s if keep_alive_s is None else keep_alive_s
        if keep_alive_s == 0:
            self._load_began = None

    def expires_in_s(self, now: float) -> float | None:
        """Return the seconds until the model is unloaded, or none when it stays for good."""
        return None if self.keep_alive_s < 0 else max(0.0, self._expiry() - now)

    def _expired(self, now: float) -> bool:
        return self._active == 0 and self.keep_alive_s >= 0 and now > self._expiry()

    def _expiry(self) -> float:
        ready = 0.0 if self._load_began is None else self._load_began + self.load_s
        return max(self._last_used, ready) + self.keep_alive_s


def parse_keep_alive(value: float | str | None) -> float | None:
    """Return seconds from Ollama's `keep_alive`: a number of seconds or "5m", "1h30m", "-1".

    Raises
    ------
    ValueError
        It is neither.
    """
    if value is None or isinstance(value, int | float):
        return value
    text = value.strip()
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    parts = _PART.findall(digits)
    if parts and "".join(number + unit for number, unit in parts) == digits:
        return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)
    return sign * float(digits)
