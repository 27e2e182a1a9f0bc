"""Who arrives together leaves the lane together, and what a batch had no time for comes first in the next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from recocore.v1 import recommendation_service_pb2 as v1
from tests.service.small_index import small_index

from recocore.models import Popularity
from recocore.service.call import Call
from recocore.service.engine import Engine
from recocore.service.hosting.host import Hosted, SingleModel
from recocore.service.quick_lane import QuickLane
from recocore.service.recommending import Answer, Recommending

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
        lane = QuickLane(batches, most=8)
        for name in "abc":
            lane.submit(name)
            await asyncio.sleep(0)
        await all_answered(batches, 3)
        lane.submit("d")
        await all_answered(batches, 4)

    asyncio.run(test())
    assert batches.seen == ["abc", "d"]


def test_a_full_batch_waits_for_nobody() -> None:
    batches = Batches()

    async def test() -> None:
        lane = QuickLane(batches, most=3)
        for name in "abcdefg":
            lane.submit(name)
        await asyncio.sleep(0)
        assert batches.seen == ["abc"]
        await all_answered(batches, 7)

    asyncio.run(test())
    assert batches.seen == ["abc", "def", "g"]


def test_what_does_not_fit_comes_first_in_the_next_batch() -> None:
    batches = Batches(fit=2)

    async def test() -> None:
        lane = QuickLane(batches, most=4)
        for name in "abcde":
            lane.submit(name)
        await all_answered(batches, 5)

    asyncio.run(test())
    assert batches.seen == ["abcd", "cde", "e"]
    assert batches.answered == list("abcde")


@pytest.mark.parametrize(
    ("request_", "is_quick"),
    [
        (v1.RecommendRequest(user_id="user-03"), True),
        (v1.RecommendRequest(user_id="nobody", page_size=3), True),
        (v1.RecommendRequest(user_id="user-03", explain=True), False),
        (v1.RecommendRequest(user_id="user-03", context_item_ids=["item-001"]), False),
    ],
)
def test_a_plain_list_is_quick_once_it_was_timed(request_: v1.RecommendRequest, is_quick: bool) -> None:
    index = small_index(Popularity())
    models = SingleModel(index)
    recommending = Recommending(models)
    call = Call("r")
    request = request_.SerializeToString()
    assert recommending.ask(request, call).quick_seconds > 1e9
    models.warm_up()
    asked = recommending.ask(request, call)
    assert (asked.quick_seconds < 1) is is_quick
    (lone,), (batched,) = recommending.answer_asked([asked], [call]), recommending.answer_all([request], [call])
    assert isinstance(lone, Answer)
    assert isinstance(batched, Answer)
    lists = [v1.RecommendResponse.FromString(answer.shared).items for answer in (lone, batched)]
    assert list(lists[0]) == list(lists[1])


def test_an_engine_of_nobody_is_never_quick() -> None:
    class Nobody:
        def __len__(self) -> int:
            return 0

        def indices_of(self, ids: Sequence[object]) -> list[int]:
            return [-1] * len(ids)

    class Empty:
        users = items = Nobody()

    engine = Engine(Empty())  # type: ignore[arg-type]
    engine.warm_up()
    assert Hosted(engine, "v").engine.plain_seconds > 1e9
