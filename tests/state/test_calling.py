"""Calls of many go over the socket together, a lone one at once, and each gets its own answer or error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from recocore.errors import InternalError, InvalidArgumentError, OwnerUnavailableError
from recocore.state.answering import answering
from recocore.state.calling import Caller
from recocore.state.wire import Answer, Messages, encode, read_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from recocore.state.wire import Request


class Reading(asyncio.Protocol):
    """Answers the n-th request with n; notes which came in each piece that was read."""

    def __init__(self, pieces: list[list[int]]) -> None:
        self._messages = Messages()
        self._pieces = pieces

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        requests = [read_request(message) for message in self._messages.feed(data)]
        self._pieces.append([request.number for request in requests])
        for request in requests:
            self._transport.write(encode(Answer(request.number, value=request.number)))


def pieces_of(socket: Path, ask: Callable[[Caller], Awaitable[None]]) -> list[list[int]]:
    """The requests, but the first, of each piece that came over a connection."""
    pieces: list[list[int]] = []

    async def test() -> None:
        server = await asyncio.get_running_loop().create_unix_server(lambda: Reading(pieces), socket)
        caller = Caller(socket)
        await caller.call("first", {}, timeout=20)
        pieces.clear()
        await ask(caller)
        await caller.close()
        server.close()

    asyncio.run(test())
    return pieces


def test_one_after_the_other_each_goes_at_once(tmp_path: Path) -> None:
    async def ask(caller: Caller) -> None:
        for _ in range(3):
            await caller.call("n", {}, timeout=20)

    assert pieces_of(tmp_path / "socket", ask) == [[2], [3], [4]]


def test_what_is_asked_while_others_wait_goes_together(tmp_path: Path) -> None:
    async def ask(caller: Caller) -> None:
        answers = await asyncio.gather(*(caller.call("n", {}, timeout=20) for _ in range(60)))
        assert answers == list(range(2, 62))

    # The first is asked while nobody waits, and read with those that follow.
    assert [len(piece) for piece in pieces_of(tmp_path / "socket", ask)] == [33, 27]


def test_a_large_request_waits_for_nobody(tmp_path: Path) -> None:
    async def ask(caller: Caller) -> None:
        rows = [b"x" * 5_000]
        small = [asyncio.ensure_future(caller.call("n", {}, timeout=20)) for _ in range(2)]
        await asyncio.gather(*small, caller.call("n", {}, rows=rows, timeout=20))

    pieces = pieces_of(tmp_path / "socket", ask)
    assert [number for piece in pieces for number in piece] == [2, 4, 3]


def answered(socket: Path, do: Callable[[Request], Any], names: list[str]) -> list[Any]:
    """What calls of some methods get that are asked at once."""

    async def test() -> list[Any]:
        async with answering(socket, do):
            caller = Caller(socket)
            calls = (caller.call(name, {}, timeout=20) for name in names)
            try:
                return await asyncio.gather(*calls, return_exceptions=True)
            finally:
                await caller.close()

    return asyncio.run(test())


def test_values_futures_and_coroutines_answer_each_call_by_itself(tmp_path: Path) -> None:
    futures: list[asyncio.Future[str]] = []

    async def later(name: str) -> str:
        await asyncio.sleep(0)
        if name == "coroutine-error":
            raise InvalidArgumentError("of a coroutine", field="f")
        return name

    def do(request: Request) -> Any:
        kind = request.method
        if kind == "error":
            raise InvalidArgumentError("at once")
        if kind.startswith("coroutine"):
            return later(kind)
        if kind == "value":
            return kind
        future = asyncio.get_running_loop().create_future()
        futures.append(future)
        if kind == "last":  # those who waited are answered in one turn, in the other order
            for place, waiting in enumerate(reversed(futures)):
                if place % 2:
                    waiting.set_exception(InvalidArgumentError(f"of future {place}"))
                else:
                    waiting.set_result(f"future {place}")
        return future

    names = ["future", "value", "error", "future", "coroutine", "coroutine-error", "future", "last"]
    got = answered(tmp_path / "socket", do, names)
    assert [str(each) for each in got] == [
        *("of future 3", "value", "at once", "future 2", "coroutine", "of a coroutine", "of future 1", "future 0")
    ]
    assert [isinstance(each, InvalidArgumentError) for each in got] == [1, 0, 1, 0, 0, 1, 1, 0]


def test_what_cannot_be_written_down_is_a_failure_of_its_call_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def later(value: object) -> object:
        return value

    def do(request: Request) -> Any:
        value = object() if "bad" in request.method else request.method
        return later(value) if request.method.startswith("later") else value

    got = answered(tmp_path / "socket", do, ["good", "bad", "later-bad", "later-good"])
    assert (got[0], got[3]) == ("good", "later-good")
    assert [type(each) for each in got[1:3]] == [InternalError, InternalError]
    assert [record.message for record in caplog.records] == ["a call of bad failed", "a call of later-bad failed"]


def test_answers_under_way_leave_before_the_end(tmp_path: Path) -> None:
    async def test() -> list[Any]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        caller = Caller(tmp_path / "socket")
        asked = asyncio.Event()

        def do(_: Request) -> asyncio.Future[int]:
            asked.set()
            return future

        async with answering(tmp_path / "socket", do):
            calls = asyncio.gather(*(caller.call("n", {}, timeout=20) for _ in range(3)))
            await asked.wait()
            while len(future._callbacks) < 3:
                await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(0.05, future.set_result, 7)
        return await calls

    assert asyncio.run(test()) == [7, 7, 7]


def test_who_waits_for_company_when_the_other_end_goes_is_told(tmp_path: Path) -> None:
    async def test() -> list[Any]:
        transports: list[asyncio.Transport] = []

        class Silent(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                transports.append(transport)

        server = await asyncio.get_running_loop().create_unix_server(Silent, tmp_path / "socket")
        caller = Caller(tmp_path / "socket")
        first = asyncio.ensure_future(caller.call("n", {}, timeout=20))
        while not transports:
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(caller.call("n", {}, timeout=20)) for _ in range(5)]
        await asyncio.sleep(0)
        transports[0].abort()
        ended = await asyncio.gather(first, *others, return_exceptions=True)
        await caller.close()
        server.close()
        return ended

    ended = asyncio.run(test())
    assert len(ended) == 6
    assert all(isinstance(each, OwnerUnavailableError) for each in ended), ended


def test_a_call_that_is_given_up_takes_no_answer_of_others(tmp_path: Path) -> None:
    async def ask(caller: Caller) -> None:
        calls = [asyncio.ensure_future(caller.call("n", {}, timeout=20)) for _ in range(6)]
        await asyncio.sleep(0)
        calls[3].cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert ended[:3] + ended[4:] == [2, 3, 4, 6, 7]
        with pytest.raises(asyncio.CancelledError):
            calls[3].result()

    assert [number for piece in pieces_of(tmp_path / "socket", ask) for number in piece] == [2, 3, 4, 5, 6, 7]
