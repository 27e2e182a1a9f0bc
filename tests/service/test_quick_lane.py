"""Quick calls are answered on the event loop: together with who arrives meanwhile, and never for long."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from recocore.v1 import recommendation_service_pb2 as v1
from tests.service.small_index import small_index

from recocore.models import Popularity
from recocore.service.call import Call
from recocore.service.engine import Engine
from recocore.service.hosting.host import Hosted, SingleModel
from recocore.service.quick_lane import MOST_SECONDS, QuickLane
from recocore.service.recommending import Answer, Recommending

if TYPE_CHECKING:
    from collections.abc import Sequence


class Answering:
    """Answers batches, and remembers them and the threads that they came on."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()

    def __call__(self, asked: Sequence[str], calls: Sequence[Call]) -> Sequence[str | Exception]:
        assert len(asked) == len(calls)
        self.batches.append(list(asked))
        self.threads.add(threading.get_ident())
        return [ValueError("bad") if each == "bad" else f"answer to {each}" for each in asked]


def submit(lane: QuickLane[str, str], *asked: str, seconds: float = 1e-6) -> list[asyncio.Future[str]]:
    return [lane.submit(each, Call("r"), seconds) for each in asked]


def test_each_gets_its_own_answer_on_the_loop() -> None:
    answering = Answering()

    async def test() -> None:
        lane = QuickLane(answering, most=8)
        ended = await asyncio.gather(*submit(lane, "a", "bad", "c"), return_exceptions=True)
        assert [str(end) for end in ended] == ["answer to a", "bad", "answer to c"]
        assert await submit(lane, "later")[0] == "answer to later"

    asyncio.run(test())
    assert answering.batches == [["a", "bad", "c"], ["later"]]
    assert answering.threads == {threading.get_ident()}


def test_who_arrives_in_the_next_turns_comes_along() -> None:
    answering = Answering()

    async def test() -> None:
        lane = QuickLane(answering, most=8)
        answers = submit(lane, "1")
        for name in ("2", "3"):
            await asyncio.sleep(0)
            answers += submit(lane, name)
        await asyncio.gather(*answers)

    asyncio.run(test())
    assert answering.batches == [["1", "2", "3"]]


def test_a_batch_is_neither_large_nor_long() -> None:
    answering = Answering()

    async def test() -> None:
        lane = QuickLane(answering, most=3)
        await asyncio.gather(*submit(lane, *"abcdefg"))
        await asyncio.gather(*submit(lane, *"vwxyz", seconds=16 * MOST_SECONDS))

    asyncio.run(test())
    assert answering.batches == [list("abc"), list("def"), ["g"], ["v"], ["w"], ["x"], ["y"], ["z"]]


def test_a_cancelled_call_is_not_answered() -> None:
    answering = Answering()

    async def test() -> None:
        lane = QuickLane(answering, most=8)
        gone, stays = submit(lane, "1", "2")
        gone.cancel()
        assert await stays == "answer to 2"
        submit(lane, "3")[0].cancel()
        assert await submit(lane, "4")[0] == "answer to 4"

    asyncio.run(test())
    assert answering.batches == [["2"], ["4"]]


def test_a_batch_that_fails_whole_fails_each_of_its_calls() -> None:
    async def test() -> None:
        def fail(asked: Sequence[str], calls: Sequence[Call]) -> Sequence[str | Exception]:
            raise OSError("broken")

        lane: QuickLane[str, str] = QuickLane(fail, most=4)
        for _ in range(2):
            ended = await asyncio.gather(*submit(lane, "1", "2"), return_exceptions=True)
            assert [str(end) for end in ended] == ["broken", "broken"]

    asyncio.run(test())


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
