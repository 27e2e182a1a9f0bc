"""How calls end that the server gives up on, and that callers do."""

from __future__ import annotations

import asyncio

import pytest

from recocore.errors import CancelledError
from recocore.service.call import Call
from recocore.service.config import ServerConfig
from recocore.service.observe.observer import CallObserver
from recocore.service.problems import StoppingError, TooManyCallsError
from recocore.service.rate_limits import LimitsConfig, RateLimiter
from recocore.service.running import Running


def running(max_calls: int = 1) -> Running:
    return Running(ServerConfig(max_calls=max_calls), RateLimiter(LimitsConfig()), CallObserver())


async def forever(request: bytes, call: Call) -> bytes:
    await asyncio.Event().wait()
    return request


def test_a_call_that_is_given_up_can_still_tell_its_caller() -> None:
    async def main() -> None:
        served = running()
        run = served.awaited(forever)
        call = Call("r")
        told = []

        async def handle() -> None:
            try:
                await run(b"", call)
            except StoppingError:
                await asyncio.sleep(0)
                told.append("UNAVAILABLE")

        handler = asyncio.ensure_future(handle())
        await asyncio.sleep(0)
        served.give_up()
        await handler
        assert told == ["UNAVAILABLE"]
        assert not handler.cancelled()
        with pytest.raises(CancelledError):
            call.checkpoint()

    asyncio.run(main())


def test_a_call_whose_caller_left_makes_room_for_the_next() -> None:
    async def main() -> None:
        served = running(max_calls=1)
        left = asyncio.ensure_future(served.awaited(forever)(b"", Call("left")))
        await asyncio.sleep(0)

        async def echo(request: bytes, call: Call) -> bytes:
            return request

        run = served.awaited(echo)
        with pytest.raises(TooManyCallsError):
            await run(b"early", Call("early"))
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        assert await run(b"late", Call("late")) == b"late"

    asyncio.run(main())
