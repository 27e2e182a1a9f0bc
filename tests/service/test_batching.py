"""Calls are batched: everybody gets their own answer, nobody waits for company, and what is cancelled does not leave."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from recocore.service.batching import Batcher
from recocore.service.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence


class Answering:
    """Answers batches when it is let, and remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.go_on = threading.Event()

    def __call__(self, requests: Sequence[bytes], calls: Sequence[Call]) -> Sequence[bytes | Exception]:
        assert len(requests) == len(calls)
        self.batches.append(list(requests))
        assert self.go_on.wait(30)
        return [ValueError("bad") if request == b"bad" else b"answer to " + request for request in requests]


def run(test: Callable[[Batcher[bytes, bytes], Answering], Coroutine[Any, Any, None]], **settings: Any) -> Answering:
    answering = Answering()

    async def main() -> None:
        with ThreadPoolExecutor(4) as threads:
            batcher = Batcher(answering, threads, **{"lanes": 1, "most": 4, **settings})
            await test(batcher, answering)

    asyncio.run(main())
    return answering


def submit(
    batcher: Batcher[bytes, bytes], *requests: bytes, seconds: float | None = None
) -> list[asyncio.Future[bytes]]:
    return [batcher.submit(request, Call("r", seconds)) for request in requests]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_what_arrives_together_leaves_together_and_each_gets_its_own_answer() -> None:
    async def test(batcher: Batcher[bytes, bytes], answering: Answering) -> None:
        answering.go_on.set()
        answers = submit(batcher, b"a", b"bad", b"c")
        ended = await asyncio.gather(*answers, return_exceptions=True)
        assert [str(end) if isinstance(end, ValueError) else end for end in ended] == [
            b"answer to a",
            "bad",
            b"answer to c",
        ]

    assert run(test).batches == [[b"a", b"bad", b"c"]]


def test_a_lone_call_does_not_wait_and_later_ones_share_the_next_lane() -> None:
    async def test(batcher: Batcher[bytes, bytes], answering: Answering) -> None:
        first = submit(batcher, b"1")
        await until(lambda: len(answering.batches) == 1)
        later = submit(batcher, b"2", b"3", b"4", b"5", b"6")
        answering.go_on.set()
        assert await asyncio.gather(*first, *later) == [b"answer to %d" % number for number in range(1, 7)]

    assert run(test).batches == [[b"1"], [b"2", b"3", b"4", b"5"], [b"6"]]


def test_as_many_batches_run_as_there_are_lanes() -> None:
    async def test(batcher: Batcher[bytes, bytes], answering: Answering) -> None:
        answers = submit(batcher, b"1")
        await until(lambda: len(answering.batches) == 1)
        answers += submit(batcher, b"2")
        await until(lambda: len(answering.batches) == 2)
        answers += submit(batcher, b"3", b"4")
        await asyncio.sleep(0.02)
        assert len(answering.batches) == 2
        answering.go_on.set()
        await asyncio.gather(*answers)

    assert run(test, lanes=2).batches[2:] == [[b"3", b"4"]]


def test_a_cancelled_call_does_not_leave() -> None:
    async def test(batcher: Batcher[bytes, bytes], answering: Answering) -> None:
        first = submit(batcher, b"1")
        await until(lambda: len(answering.batches) == 1)
        gone, stays = submit(batcher, b"2", b"3")
        gone.cancel()
        answering.go_on.set()
        assert await asyncio.gather(*first, stays) == [b"answer to 1", b"answer to 3"]

    assert run(test).batches == [[b"1"], [b"3"]]


def test_an_answer_nobody_waits_for_is_dropped() -> None:
    async def test(batcher: Batcher[bytes, bytes], answering: Answering) -> None:
        (gone,) = submit(batcher, b"1")
        await until(lambda: len(answering.batches) == 1)
        gone.cancel()
        answering.go_on.set()
        assert await submit(batcher, b"2")[0] == b"answer to 2"

    run(test)


def test_a_batch_that_fails_whole_fails_each_of_its_calls() -> None:
    async def main() -> None:
        def fail(requests: Sequence[bytes], calls: Sequence[Call]) -> Sequence[bytes | Exception]:
            raise OSError("broken")

        with ThreadPoolExecutor(1) as threads:
            batcher = Batcher(fail, threads, lanes=1, most=4)
            for _ in range(2):  # the lane is free again
                ended = await asyncio.gather(*submit(batcher, b"1", b"2"), return_exceptions=True)
                assert [str(end) for end in ended] == ["broken", "broken"]

    asyncio.run(main())


def test_threads_that_were_let_go_are_an_error_and_no_hang() -> None:
    async def main() -> None:
        threads = ThreadPoolExecutor(1)
        threads.shutdown()
        batcher = Batcher(Answering(), threads, lanes=1, most=4)
        with pytest.raises(RuntimeError, match="shutdown"):
            await submit(batcher, b"1")[0]

    asyncio.run(main())


def test_with_a_delay_calls_wait_for_company_until_the_batch_is_full() -> None:
    async def test(batcher: Batcher[bytes, bytes], answering: Answering) -> None:
        answering.go_on.set()
        answers = submit(batcher, b"1", b"2")
        await asyncio.sleep(0.05)
        assert answering.batches == []
        answers += submit(batcher, b"3", b"4")
        await asyncio.gather(*answers)

    assert run(test, delay_seconds=60).batches == [[b"1", b"2", b"3", b"4"]]


@pytest.mark.parametrize("seconds", [0.005, 0.05])
def test_a_near_deadline_ends_the_wait_for_company(seconds: float) -> None:
    async def test(batcher: Batcher[bytes, bytes], answering: Answering) -> None:
        answering.go_on.set()
        await asyncio.gather(*submit(batcher, b"1", seconds=30), *submit(batcher, b"2", seconds=seconds))

    assert run(test, delay_seconds=60).batches == [[b"1", b"2"]]
