"""Client of a program: one process per request, which reads a JSON request and writes a JSON reply."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from harnesslib.clients._reading import (
    EXCERPT,
    MAX_ANSWER_BYTES,
    ParseCalls,
    UnreadableError,
    count_of,
    one_line,
    read_json,
    text_of,
    tools_of,
    without_secret,
)
from harnesslib.errors import EndpointError, InputError
from harnesslib.ports import Clock
from harnesslib.programs import Ended, ending, environment_of, run
from harnesslib.records import ChatRequest, Failure, ModelInfo, Reply

_TEMPORARILY_UNAVAILABLE = 503


class _Said(msgspec.Struct):
    calls: Any = msgspec.UNSET
    text: Any = msgspec.UNSET
    model: Any = ""
    usage: Any = None
    error: Any = None


class CommandClient:
    """A program that speaks for models.

    Parameters
    ----------
    command
        The program and its arguments. No shell is involved.
    folder
        Where it is started; relative names in `command` start from here.
    models
        The models it speaks for: it can't be asked.
    key
        A key that its environment holds: messages never show it.
    env
        The environment variables that it sees beside ``PATH``, ``HOME`` and the like.
    clock
        Measures latency.
    parse_calls
        Reads calls in OpenAI's form.

    Raises
    ------
    InputError
        `command` is empty.

    Notes
    -----
    ``{"model", "messages", "tools", "temperature", "seed"}`` goes to standard input, messages and tools in
    OpenAI's form; ``{"calls": [{"name", "arguments"}], "text", "usage", "model", "error"}`` is expected on
    standard output, all but one of `calls`, `text` and `error` optional. The process leads a group of its
    own, which is killed when time is up, when too much is written, and when the request is given up.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path | str,
        models: Sequence[str] = (),
        key: str = "",
        env: Sequence[str] = (),
        clock: Clock,
        parse_calls: ParseCalls,
    ) -> None:
        if not command or not all(command):
            raise InputError(
                "command: got no program; expected a list of a program and its arguments; "
                'write command = ["python3", "my_model.py"]'
            )
        self._command = tuple(command)
        self._folder = Path(folder)
        self._models = tuple(models)
        self._key = key
        self._env = tuple(env)
        self._clock = clock
        self._parse_calls = parse_calls
        self._open = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._command[0]!r})"

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False

    async def chat(self, request: ChatRequest, timeout_s: float) -> Reply | Failure:
        """Ask once, for at most `timeout_s` seconds: one process from its start to its end."""
        if not self._open:
            raise EndpointError(f"{self!r}: not open; use it inside `async with`")
        out_of_time = Failure(kind="timeout", detail=f"no answer within {timeout_s:.3g} s")
        if timeout_s <= 0:
            return out_of_time
        body = msgspec.json.encode(_body(request))
        try:
            async with asyncio.timeout(timeout_s):
                ended = await run(
                    self._command,
                    body,
                    folder=self._folder,
                    clock=self._clock,
                    environment=environment_of(self._env),
                )
        except TimeoutError:
            return out_of_time
        except OSError as error:
            return self._failed("program can't be started", error.strerror or type(error).__name__)
        return self._reply(ended)

    async def models(self) -> tuple[ModelInfo, ...]:
        """List the models of ``harness.toml``; EndpointError when the program isn't there.

        The digest is that of the command and of the files it names: another program is another model.
        """
        program = self._command[0]
        path = self._folder / program if os.sep in program else program
        if shutil.which(path) is None:
            raise EndpointError(
                f"command {program!r}: no such program, looked for from {self._folder}; "
                "correct `command` in harness.toml"
            )
        digest = await asyncio.to_thread(self._digest)
        return tuple(ModelInfo(id=model, digest=digest) for model in self._models)

    async def capabilities(self, model: str) -> tuple[str, ...] | None:  # noqa: ARG002 - the protocol's
        """Return none: a program does not tell what its models can do."""
        return None

    async def unload(self, model: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return false: a process ends with its request, and what it loads elsewhere is not known."""
        return False

    def _reply(self, ended: Ended) -> Reply | Failure:
        if ended.too_long:
            bound = MAX_ANSWER_BYTES // 1024 // 1024
            return Failure(kind="infra_error", detail=f"answer is too long: more than {bound} MB")
        if ended.code:
            return self._failed(
                f"program {ending(ended.code)}", ended.last_words or "it said nothing about why"
            )
        try:
            said = read_json(without_secret(ended.body, self._key), _Said)
        except UnreadableError as error:
            words = f"; it said: {ended.last_words}" if ended.last_words else ""
            return self._failed("answer can't be read", f"{error}{words}")
        if said.error is not None:
            return self._refused(said.error)
        if said.calls is msgspec.UNSET and said.text is msgspec.UNSET:
            return self._failed("answer has no calls", f"and no text either ({len(ended.body)} bytes)")
        calls, malformed = self._parse_calls(_in_openais_form(said.calls))
        usage = said.usage if isinstance(said.usage, dict) else {}
        return Reply(
            calls=calls,
            text=text_of(said.text),
            malformed=malformed,
            served_model=text_of(said.model),
            latency_s=ended.seconds,
            ttfb_s=ended.first_byte_s,
            input_tokens=count_of(usage.get("prompt_tokens")),
            output_tokens=count_of(usage.get("completion_tokens")),
        )

    def _refused(self, error: Any) -> Failure:  # noqa: ANN401 - what a program says can be anything
        """Return what a program says about the endpoint that it asks in turn."""
        told = error if isinstance(error, dict) else {"message": error}
        status, wait_s = count_of(told.get("status")), told.get("retry_after_s")
        message = one_line(str(told.get("message", "")), self._key)[:EXCERPT]
        if status == _TEMPORARILY_UNAVAILABLE and "loading" in message.lower():
            return Failure(kind="loading", detail=message, status=status)
        return Failure(
            kind="infra_error",
            detail=f"endpoint reports an error{f' {status}' if status else ''}: {message}",
            status=status,
            retry_after_s=None if type(wait_s) not in {int, float} else max(0.0, float(wait_s or 0)),
        )

    def _failed(self, what: str, detail: str) -> Failure:
        return Failure(kind="infra_error", detail=f"{what}: {one_line(detail, self._key)[-2 * EXCERPT :]}")

    def _digest(self) -> str:
        digest = hashlib.sha256(msgspec.json.encode(self._command))
        for name in self._command:
            path = self._folder / name
            if path.is_file():
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def _body(request: ChatRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "messages": request.messages,
        "tools": [],
        "temperature": request.temperature,
        "seed": request.seed,
        **tools_of(request),
    }


def _in_openais_form(calls: Any) -> Any:  # noqa: ANN401 - what a program says can be anything
    if calls is msgspec.UNSET:
        return None
    return [{"function": call} for call in calls] if isinstance(calls, list) else calls
