"""Streams of requests that are answered one by one, in order.

The next request is read when the answer to the last is on its way: what a stream may hold in memory is one request and one
answer, and a caller who reads slowly is served slowly. Each request is admitted by itself, so that a stream without work
takes nobody's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from recocore.service.problems import RateLimitedError, StoppingError, TooManyCallsError

if TYPE_CHECKING:
    import grpc

    from recocore.service.running import Method

# Called once for each stream; what it gives is called once for each request of that stream.
OpenStream: TypeAlias = Callable[[], "Method"]


async def answer_each(
    context: grpc.aio.ServicerContext[bytes, bytes],
    answer: Callable[[bytes], Awaitable[bytes]],
    stopping: asyncio.Event,
) -> None:
    """Answer the requests of a stream until it ends.

    Args:
        context: the stream, of which nothing has been read.
        answer: answers one request.
        stopping: set when the server takes no new work.

    Raises:
        StoppingError: the server stops; every request that was read has its answer.
    """
    stop: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
    try:
        while (request := await _read(context, stop)) is not None:
            await context.write(await answer(request))
    finally:
        stop.cancel()


async def _read(context: grpc.aio.ServicerContext[bytes, bytes], stop: asyncio.Future[Any]) -> bytes | None:
    """The next request; None at the end."""
    if stop.done():
        raise StoppingError
    # At the end of a stream grpc gives a constant of its own.
    reading: asyncio.Future[object] = asyncio.ensure_future(context.read())
    try:
        await asyncio.wait((reading, stop), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise StoppingError
        request = reading.result()
        return request if isinstance(request, bytes) else None
    finally:
        reading.cancel()


async def when_there_is_room(answer: Callable[[], Awaitable[bytes]]) -> bytes:
    """An answer; where the server is full, or the caller too fast, it is asked for again later: a stream waits its turn."""
    while True:
        try:
            return await answer()
        except (TooManyCallsError, RateLimitedError) as error:
            await asyncio.sleep(error.retry_after)
