"""Turns at the interpreter are short while a thread works, and only then."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from recocore.service.batching import Batcher
from recocore.service.call import Call
from recocore.service.turns import Turns, TurnTakers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_they_are_short_until_the_last_thread_is_done() -> None:
    turns = Turns()
    alone = sys.getswitchinterval()
    turns.begin()
    shared = sys.getswitchinterval()
    turns.begin()
    turns.end()
    assert sys.getswitchinterval() == shared < alone
    turns.end()
    assert sys.getswitchinterval() == alone


def test_a_batch_on_a_thread_shortens_them_for_as_long_as_it_takes() -> None:
    seen = []
    go_on = threading.Event()

    def answer(requests: Sequence[bytes], calls: Sequence[Call]) -> Sequence[bytes]:
        assert go_on.wait(20)
        seen.append(sys.getswitchinterval())
        return requests

    async def main() -> None:
        with TurnTakers(Turns(), 1, "rank") as threads:
            batcher = Batcher(answer, threads, lanes=1, most=4)
            alone = sys.getswitchinterval()
            coming = batcher.submit(b"a", Call("r"))
            await asyncio.sleep(0)
            go_on.set()
            assert await coming == b"a"
            assert seen[0] < alone
        assert sys.getswitchinterval() == alone

    asyncio.run(main())


def test_what_is_cancelled_or_refused_by_the_threads_no_longer_counts() -> None:
    threads = TurnTakers(Turns(), 1, "rank")
    alone = sys.getswitchinterval()
    go_on = threading.Event()
    threads.submit(go_on.wait, 20)
    waiting = threads.submit(int)
    assert waiting.cancel()
    go_on.set()
    threads.shutdown()
    with pytest.raises(RuntimeError):
        threads.submit(int)
    assert sys.getswitchinterval() == alone


def test_work_that_fails_ends_too() -> None:
    turns = Turns()
    alone = sys.getswitchinterval()
    within = []

    def fail() -> None:
        with turns.working():
            within.append(sys.getswitchinterval())
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert within[0] < alone == sys.getswitchinterval()
