"""What all clients share: a session, bounded answers, and foreign errors mapped to `Failure` in one place."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from harnesslib.clients._reading import (
    EXCERPT,
    MAX_ANSWER_BYTES,
    ParseCalls,
    UnreadableError,
    error_message,
    one_line,
    read_json,
    without_secret,
)
from harnesslib.errors import EndpointError, InputError
from harnesslib.ports import Clock
from harnesslib.records import Failure

MODELS_TIMEOUT_S = 10.0
UNLOAD_TIMEOUT_S = 30.0
_OK = 200
_TEMPORARILY_UNAVAILABLE = 503

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with status 200. `content_type` is "" where none was stated."""

    body: bytes
    content_type: str
    latency_s: float
    ttfb_s: float


class HttpClient:
    """One aiohttp session to one endpoint, open inside ``async with``.

    Parameters
    ----------
    base_url
        ``http://`` or ``https://``; without user and password.
    key
        Sent as a bearer token, and nowhere else: messages and `repr` never show it.
    clock
        Measures latency, and waits where a model is slow to go.
    parse_calls
        Reads the `tool_calls` of an answer.

    Raises
    ------
    InputError
        `base_url` is no HTTP address, or holds a password.
    """

    def __init__(self, base_url: str, *, key: str = "", clock: Clock, parse_calls: ParseCalls) -> None:
        self._base = _checked(base_url)
        self._key = key
        self._clock = clock
        self._parse_calls = parse_calls
        self._session: aiohttp.ClientSession | None = None
        self._headers = CIMultiDict({"Accept-Encoding": "identity", "Content-Type": "application/json"})
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._base)!r})"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, method: str, url: URL, content: Any, timeout_s: float) -> Answer | Failure:  # noqa: ANN401 - JSON
        """Make one attempt: the only place where a foreign error becomes a `Failure`."""
        if self._session is None:
            raise EndpointError(f"{self!r}: not open; use it inside `async with`")
        body = None if content is None else msgspec.json.encode(content)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(self._session, method, url, body)
        except TimeoutError:
            return Failure(kind="timeout", detail=f"no answer within {timeout_s:.3g} s")
        except aiohttp.ClientConnectorError as error:
            reason = error.os_error.strerror or type(error.os_error).__name__
            return self._failed("can't connect", f"{reason} ({url.host}:{url.port})")
        except aiohttp.ClientResponseError as error:
            return self._failed("answer is not HTTP", error.message)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._failed("connection broken", f"{type(error).__name__} {error}")

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, url: URL, body: bytes | None
    ) -> Answer | Failure:
        started = self._clock.monotonic()
        sent = session.request(method, url, data=body, headers=self._headers, allow_redirects=False)
        async with sent as response:
            first_byte = self._clock.monotonic()
            received = await _read(response)
        if isinstance(received, Failure):
            return received
        received = without_secret(received, self._key)
        if response.status != _OK:
            return self._refused(response, received)
        ended = self._clock.monotonic()
        stated = response.headers.get("Content-Type", "")
        return Answer(received, stated, ended - started, first_byte - started)

    def _decode(self, answer: Answer, type_: type[T]) -> T | Failure:
        """Decode an answer; what can't be read is the endpoint's failure."""
        try:
            return read_json(answer.body, type_, answer.content_type)
        except UnreadableError as error:
            return self._failed("answer can't be read", str(error))

    async def _listed(self, url: URL, type_: type[T]) -> T:
        """GET one JSON document that every endpoint of this kind has.

        Raises
        ------
        EndpointError
            It can't be had; the message names the cure.
        """
        answer = await self._ask("GET", url, None, MODELS_TIMEOUT_S)
        listed = answer if isinstance(answer, Failure) else self._decode(answer, type_)
        if isinstance(listed, Failure):
            raise EndpointError(f"{url}: {listed.detail}; cure: {_cure(listed)}")
        return listed

    async def _unload_by_generate(self, root: URL, model: str) -> bool:
        """Unload as Ollama does: an empty generation whose model is to be kept for 0 seconds."""
        request = {"model": model, "keep_alive": 0}
        answer = await self._ask("POST", root / "api" / "generate", request, UNLOAD_TIMEOUT_S)
        return isinstance(answer, Answer)

    def _refused(self, response: aiohttp.ClientResponse, body: bytes) -> Failure:
        message = error_message(body)
        if response.status == _TEMPORARILY_UNAVAILABLE and "loading" in message.lower():
            return Failure(kind="loading", detail=self._clean(message), status=response.status)
        return Failure(
            kind="infra_error",
            detail=f"HTTP {response.status}: {self._clean(message)}",
            status=response.status,
            retry_after_s=self._retry_after(response.headers.get("Retry-After", "")),
        )

    def _failed(self, what: str, detail: str) -> Failure:
        return Failure(kind="infra_error", detail=f"{what}: {self._clean(detail)}")

    def _clean(self, text: str) -> str:
        return one_line(text, self._key)[:EXCERPT]

    def _retry_after(self, header: str) -> float | None:
        """Return the seconds that a Retry-After asks for, given in seconds or as a date."""
        try:
            seconds = float(header)
        except ValueError:
            try:
                until = parsedate_to_datetime(header)
            except ValueError:
                return None
            seconds = (until.replace(tzinfo=until.tzinfo or UTC) - self._clock.now()).total_seconds()
        return max(0.0, seconds) if math.isfinite(seconds) else None


def _checked(base_url: str) -> URL:
    if "@" in base_url:
        # Not only in the host's part: a key with a slash in it ends that part early. It is not shown.
        raise InputError(
            "base_url: holds a user or a password; name an environment variable in key_env instead"
        )
    try:
        url = URL(base_url)
    except ValueError as error:
        raise InputError(f"base_url {base_url!r}: not an address ({error})") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise InputError(
            f"base_url {base_url!r}: got scheme {url.scheme!r}, expected http or https; "
            "write it as http://127.0.0.1:8080"
        )
    return url.with_path(url.path.rstrip("/"))


async def _read(response: aiohttp.ClientResponse) -> bytes | Failure:
    """Read a body, but never more than the bound, and never one that would have to be unpacked."""
    packed = response.headers.get("Content-Encoding", "identity")
    if packed != "identity":
        response.close()
        return Failure(
            kind="infra_error", detail=f"answer is packed: {packed[:20]}, though identity was asked"
        )
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            response.close()
            bound = MAX_ANSWER_BYTES // 1024 // 1024
            return Failure(kind="infra_error", detail=f"answer is too long: more than {bound} MB")
    return b"".join(parts)


def _cure(failure: Failure) -> str:
    """Name what most likely helps."""
    if failure.kind == "timeout":
        return "check that the endpoint is up and not overloaded"
    if failure.kind == "loading":
        return "wait until it has loaded its model"
    if failure.status in {401, 403}:
        return "set the variable that key_env names to a valid key"
    if failure.detail.startswith("can't connect"):
        return "start the endpoint, or correct base_url in harness.toml"
    return "correct base_url and client in harness.toml: this address does not speak that protocol"
