"""Turns at the interpreter are short while a thread works, and only then."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from recocore.service.batching import Batcher
from recocore.service.call import Call
from recocore.service.turns import Turns

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
        with ThreadPoolExecutor(1) as threads:
            batcher = Batcher(answer, threads, lanes=1, most=4, turns=Turns())
            alone = sys.getswitchinterval()
            coming = batcher.submit(b"a", Call("r"))
            await asyncio.sleep(0)
            go_on.set()
            assert await coming == b"a"
            assert seen[0] < alone == sys.getswitchinterval()

    asyncio.run(main())
