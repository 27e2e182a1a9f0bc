"""Who arrives together leaves together, and what a batch had no time for comes first in the next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from recocore.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Sequence


class Batches:
    """Remembers batches; deals with at most `fit` of each."""

    def __init__(self, fit: int = 1_000) -> None:
        self.seen: list[str] = []
        self.answered: list[str] = []
        self._fit = fit

    def __call__(self, batch: Sequence[str]) -> Sequence[str]:
        self.seen.append("".join(batch))
        self.answered += batch[: self._fit]
        return batch[self._fit :]


async def all_answered(batches: Batches, count: int) -> None:
    while len(batches.answered) < count:
        await asyncio.sleep(0)


def test_who_arrives_in_the_next_turns_comes_along() -> None:
    batches = Batches()

    async def test() -> None:
        gathering = Gathering(batches, most=8)
        for name in "abc":
            gathering.submit(name)
            await asyncio.sleep(0)
        await all_answered(batches, 3)
        gathering.submit("d")
        await all_answered(batches, 4)

    asyncio.run(test())
    assert batches.seen == ["abc", "d"]


def test_a_full_batch_waits_for_nobody() -> None:
    batches = Batches()

    async def test() -> None:
        gathering = Gathering(batches, most=3)
        for name in "abcdefg":
            gathering.submit(name)
        await asyncio.sleep(0)
        assert batches.seen == ["abc"]
        await all_answered(batches, 7)

    asyncio.run(test())
    assert batches.seen == ["abc", "def", "g"]


def test_a_batch_that_breaks_does_not_break_the_next() -> None:
    batches = Batches()
    broken: list[object] = []

    def hand_on(batch: Sequence[str]) -> Sequence[str]:
        if "b" in batch:
            raise MemoryError("b")
        return batches(batch)

    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context["exception"]))
        gathering = Gathering(hand_on, most=2)
        for name in "abcd":
            gathering.submit(name)
        await all_answered(batches, 2)
        gathering.submit("e")
        await all_answered(batches, 3)

    asyncio.run(test())
    assert batches.answered == ["c", "d", "e"]
    assert [type(error) for error in broken] == [MemoryError]


def test_what_does_not_fit_comes_first_in_the_next_batch() -> None:
    batches = Batches(fit=2)

    async def test() -> None:
        gathering = Gathering(batches, most=4)
        for name in "abcde":
            gathering.submit(name)
        await all_answered(batches, 5)

    asyncio.run(test())
    assert batches.seen == ["abcd", "cde", "e"]
    assert batches.answered == list("abcde")
