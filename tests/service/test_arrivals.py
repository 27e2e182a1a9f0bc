"""What becomes of calls that go through the server together: each ends as it would alone, and is told of once."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import grpc
import pytest
from google.rpc import error_details_pb2
from recocore.v1 import recommendation_service_pb2 as v1
from tests.service.contexts import Context
from tests.service.small_index import small_index

from recocore.models import Popularity
from recocore.service.call import request_ids
from recocore.service.config import ServerConfig
from recocore.service.dispatch import Dispatcher
from recocore.service.events import commit_tokens
from recocore.service.events.personal import People
from recocore.service.events.problems import CommitNotSeenError
from recocore.service.hosting.host import SingleModel
from recocore.service.limits import BATCH_SECONDS, QUICK_SECONDS
from recocore.service.observe.board import Board, read_board
from recocore.service.observe.counting import CountingObserver
from recocore.service.observe.observer import CallObserver
from recocore.service.rate_limits import LimitsConfig
from recocore.service.recommending import Answer, Asked, Recommending
from recocore.service.security.caller import ADMITTED, Admitted, Caller

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from recocore.service.call import Call
    from recocore.service.observe.observer import ServedBy

REQUEST = v1.RecommendRequest(user_id="user-03", page_size=3).SerializeToString()


class Seen(CallObserver):
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.ended: list[str] = []
        self.batches: list[int] = []
        self.lookups = [0, 0]
        self.waiting: list[int] = []
        self.turned_away: list[str] = []

    def started(self) -> None:
        self.in_flight += 1

    def finished(self, method: str, status: str, seconds: float, hosted: ServedBy | None, call: Call) -> None:
        assert (hosted is not None) == (status == "OK")
        assert seconds >= 0
        self.in_flight -= 1
        self.ended.append(status)

    def batched(self, calls: int) -> None:
        self.batches.append(calls)

    def queued(self, change: int) -> None:
        self.waiting.append(change)

    def looked_up(self, *, hits: int, misses: int) -> None:
        self.lookups[0] += hits
        self.lookups[1] += misses

    def shed(self, reason: str) -> None:
        self.turned_away.append(reason)


class Counted(Recommending):
    """Remembers whom it ranked, and on which threads; fails whole batches on demand, or takes long by its own account."""

    def __init__(self, people: People | None = None) -> None:
        models = SingleModel(small_index(Popularity()))
        models.warm_up()
        super().__init__(models, people or People())
        self.engine = models._hosted.engine
        self.threads: list[int] = []
        self.fails = False

    def answer_asked(self, asked: Sequence[Asked | Exception], calls: Sequence[Call]) -> list[Answer | Exception]:
        self.threads.append(threading.get_ident())
        if self.fails:
            raise OSError("broken")
        return super().answer_asked(asked, calls)


class Service:
    """The way of Recommend calls through a server, without its transport."""

    def __init__(self, method: Counted | None = None, limits: LimitsConfig | None = None, **config: Any) -> None:
        self.seen = Seen()
        self.method = method or Counted()
        config = {"cache_mb": 0, "threads": 1} | config
        self.dispatcher = Dispatcher(ServerConfig(**config), limits or LimitsConfig(), self.seen)
        self._together = self.dispatcher.together("Recommend", self.method)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispatcher.running.close()

    def call(self, request: bytes = REQUEST, context: Context | None = None) -> asyncio.Task[bytes]:
        return asyncio.ensure_future(self._together.behave(request, context or Context()))  # type: ignore[arg-type]

    async def statuses(self, *contexts: Context, request: bytes = REQUEST) -> list[str]:
        """How a call of each context ends, all made at once."""
        ended = await asyncio.gather(*(self.call(request, each) for each in contexts), return_exceptions=True)
        for end in ended:
            assert isinstance(end, bytes | grpc.aio.AbortError), end
        return ["OK" if each.ended is None else each.ended[0].name for each in contexts]


def test_calls_that_arrive_together_are_ranked_together_on_the_loop() -> None:
    async def main() -> None:
        with Service() as service:
            users = [f"user-{number:02d}" for number in range(7)]
            requests = [v1.RecommendRequest(user_id=user, page_size=4).SerializeToString() for user in users]
            together = await asyncio.gather(*map(service.call, requests))
            assert service.seen.batches == [7]
            alone = [await service.call(request) for request in requests]
            assert service.seen.batches == [7] + 7 * [1]
            assert set(service.method.threads) == {threading.get_ident()}
            for one, other in zip(together, alone, strict=True):
                answers = [v1.RecommendResponse.FromString(answer) for answer in (one, other)]
                assert len(answers[0].items) == 4
                assert answers[0].request_id != answers[1].request_id
                for answer in answers:
                    answer.request_id = answer.attribution_token = ""
                assert answers[0] == answers[1]
            assert service.seen.ended == 14 * ["OK"]
            assert service.seen.in_flight == sum(service.seen.waiting) == 0

    asyncio.run(main())


def test_one_that_fails_fails_alone() -> None:
    async def main() -> None:
        with Service() as service:
            bad = Context(metadata=(("x-request-id", "mine"),))
            ends = asyncio.gather(service.call(), service.call(b"\xff", bad), service.call(), return_exceptions=True)
            assert [type(end) for end in await ends] == [bytes, grpc.aio.AbortError, bytes]
            assert bad.ended is not None
            assert bad.ended[0] is grpc.StatusCode.INVALID_ARGUMENT
            assert bad.details(error_details_pb2.RequestInfo).request_id == "mine"
            assert Counter(service.seen.ended) == {"OK": 2, "INVALID_ARGUMENT": 1}

    asyncio.run(main())


def test_a_batch_that_fails_whole_fails_each_of_its_calls() -> None:
    async def main() -> None:
        with Service() as service:
            service.method.fails = True
            assert await service.statuses(Context(), Context()) == ["INTERNAL", "INTERNAL"]
            service.method.fails = False
            assert await service.statuses(Context()) == ["OK"]
            assert service.seen.ended == ["INTERNAL", "INTERNAL", "OK"]
            assert service.seen.in_flight == sum(service.seen.waiting) == 0

    asyncio.run(main())


class Shadowed(Counted):
    """Cannot say that some answers are on their way."""

    @property
    def has_shadows(self) -> bool:
        return True

    def given(self, request: bytes, call: Call) -> None:
        if call.request_id == "bad":
            raise OSError("broken")


@pytest.mark.parametrize("cache_mb", [0, 1])
def test_an_answer_that_cannot_be_given_fails_alone(cache_mb: int) -> None:
    async def main() -> None:
        with Service(Shadowed(), cache_mb=cache_mb) as service:
            for _ in range(2):
                contexts = [Context(metadata=(("x-request-id", name),)) for name in ("a", "bad", "b")]
                assert await service.statuses(*contexts) == ["OK", "INTERNAL", "OK"]
            assert Counter(service.seen.ended) == {"OK": 4, "INTERNAL": 2}
            assert service.seen.in_flight == sum(service.seen.waiting) == 0

    asyncio.run(main())


def test_a_batch_is_not_long() -> None:
    async def main() -> None:
        with Service() as service:
            service.method.engine.plain_seconds = QUICK_SECONDS
            assert await service.statuses(*(Context() for _ in range(40))) == 40 * ["OK"]
            assert service.seen.batches == [16, 16, 8]
            assert service.seen.ended == 40 * ["OK"]

    asyncio.run(main())


def test_a_batch_of_many_kinds_of_requests_is_not_long_either() -> None:
    def asked(place: str, user: int) -> bytes:
        return v1.RecommendRequest(user_id=f"user-{user:02d}", placement=place).SerializeToString()

    async def main() -> None:
        with Service() as service:
            service.method.engine.plain_seconds = 0.0
            service.method.engine.first_seconds = BATCH_SECONDS / 4
            await asyncio.gather(*(service.call(asked("same", user)) for user in range(12)))
            assert service.seen.batches == [12]
            await asyncio.gather(*(service.call(asked(f"place-{user}", user)) for user in range(12)))
            assert service.seen.batches == [12, 4, 4, 4]

    asyncio.run(main())


def test_long_lists_are_ranked_on_a_thread() -> None:
    async def main() -> None:
        with Service() as service:
            service.method.engine.plain_seconds = QUICK_SECONDS / 2
            service.method.engine.item_seconds = QUICK_SECONDS / 100
            for size, on_the_loop in ((10, True), (60, True), (61, False), (500, False)):
                service.method.threads.clear()
                request = v1.RecommendRequest(user_id="user-03", page_size=size).SerializeToString()
                assert await service.statuses(Context(), request=request) == ["OK"]
                assert (service.method.threads == [threading.get_ident()]) is on_the_loop

    asyncio.run(main())


def test_what_takes_long_or_is_large_is_ranked_on_a_thread() -> None:
    async def main() -> None:
        with Service(cache_mb=1) as service:
            large = v1.RecommendRequest(user_id="user-03", exclude_item_ids=[f"none-{n}" for n in range(200)])
            assert await service.statuses(Context(), request=large.SerializeToString()) == ["OK"]
            service.method.engine.plain_seconds = 2 * QUICK_SECONDS
            assert await service.statuses(Context(), Context()) == ["OK", "OK"]
            assert threading.get_ident() not in service.method.threads
            assert service.seen.lookups == [0, 3]
            assert await service.statuses(Context()) == ["OK"]
            assert service.seen.lookups == [1, 3]
            assert sum(service.seen.waiting) == 0
            assert service.dispatcher.running.free_slots == ServerConfig().max_calls

    asyncio.run(main())


def test_the_cache_answers_a_batch_as_well() -> None:
    async def main() -> None:
        with Service(cache_mb=1) as service:
            first = v1.RecommendResponse.FromString(await service.call())
            others = await asyncio.gather(*(service.call() for _ in range(3)))
            assert service.seen.lookups == [3, 1]
            assert service.seen.batches == [1]
            for other in map(v1.RecommendResponse.FromString, others):
                assert other.items == first.items
                assert other.request_id != first.request_id
            assert await service.statuses(Context(seconds=0)) == ["DEADLINE_EXCEEDED"]
            assert service.seen.ended == [*4 * ["OK"], "DEADLINE_EXCEEDED"]

    asyncio.run(main())


def test_more_than_are_admitted_are_told_when_to_come_again() -> None:
    async def main() -> None:
        with Service(max_calls=2) as service:
            contexts = [Context() for _ in range(5)]
            assert await service.statuses(*contexts) == ["OK", "OK"] + 3 * ["RESOURCE_EXHAUSTED"]
            assert contexts[4].details(error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 50
            assert contexts[4].details(error_details_pb2.ErrorInfo).reason == "TOO_MANY_CALLS"
            assert service.seen.turned_away == 3 * ["TOO_MANY_CALLS"]
            assert service.seen.in_flight == 0
            service.dispatcher.running.take_slot()
            service.dispatcher.running.take_slot()
            assert await service.statuses(Context()) == ["RESOURCE_EXHAUSTED"]
            service.dispatcher.running.give_slot()
            assert await service.statuses(Context()) == ["OK"]

    asyncio.run(main())


def test_a_cancelled_call_is_not_ranked_and_told_of_once() -> None:
    async def main() -> None:
        with Service() as service:
            gone, stays = service.call(), service.call()
            await asyncio.sleep(0)
            gone.cancel()
            assert isinstance(await stays, bytes)
            with pytest.raises(asyncio.CancelledError):
                await gone
            assert service.seen.batches == [1]
            assert sorted(service.seen.ended) == ["CANCELLED", "OK"]
            assert service.seen.in_flight == 0

    asyncio.run(main())


def test_a_call_that_is_cancelled_in_the_turn_of_its_answer_is_told_of_once() -> None:
    async def main() -> None:
        with Service() as service:
            call = service.call()
            while not service.seen.ended:
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert service.seen.ended == ["OK"]
            assert service.seen.in_flight == 0

    asyncio.run(main())


def test_a_call_past_its_deadline_is_not_ranked() -> None:
    async def main() -> None:
        with Service() as service:
            assert await service.statuses(Context(seconds=0), Context(seconds=60)) == ["DEADLINE_EXCEEDED", "OK"]
            assert Counter(service.seen.ended) == {"DEADLINE_EXCEEDED": 1, "OK": 1}

    asyncio.run(main())


def test_who_calls_too_often_is_turned_away_by_name() -> None:
    async def main() -> None:
        limits = LimitsConfig(rate=0.001, burst=2, caller_metadata="x-api-key")
        with Service(limits=limits) as service:
            names = ["a", "a", "b", "a", "b", "b"]
            contexts = [Context(metadata=(("x-api-key", name),)) for name in names]
            refused = "RESOURCE_EXHAUSTED"
            assert await service.statuses(*contexts) == ["OK", "OK", "OK", refused, "OK", refused]
            assert service.seen.turned_away == ["RATE_LIMITED", "RATE_LIMITED"]

    asyncio.run(main())


def test_a_caller_whom_the_guard_knows_is_limited_by_that_name() -> None:
    async def main() -> None:
        def known_as(name: str) -> Admitted:
            caller = Caller(name, f"pseudonym of {name}", frozenset(), 0.0)
            return Admitted(caller, lambda: caller)

        with Service(limits=LimitsConfig(rate=0.001, burst=1)) as service:
            contexts = [Context() for _ in range(3)]
            calls = []
            for name, context in zip(("ann", "bob", "ann"), contexts, strict=True):
                ADMITTED.set(known_as(name))
                calls.append(service.call(context=context))
            await asyncio.gather(*calls, return_exceptions=True)
            assert [each.ended is None for each in contexts] == [True, True, False]

    asyncio.run(main())


def test_a_server_that_gives_up_ranks_no_more() -> None:
    async def main() -> None:
        with Service() as service:
            waiting = asyncio.ensure_future(service.statuses(Context(), Context()))
            await asyncio.sleep(0)
            service.dispatcher.running.give_up()
            assert await waiting == ["UNAVAILABLE", "UNAVAILABLE"]
            assert service.seen.batches == []

    asyncio.run(main())


def test_who_is_held_at_the_gate_goes_on_when_it_opens() -> None:
    async def main() -> None:
        with Service() as service:
            await service.dispatcher.running.hold(at_most=0.0)
            held, gone = service.call(), service.call()
            for _ in range(30):
                await asyncio.sleep(0)
            assert (service.seen.in_flight, service.seen.batches) == (2, [])
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            service.dispatcher.running.resume()
            assert isinstance(await held, bytes)
            assert service.seen.ended == ["CANCELLED", "OK"]

    asyncio.run(main())


class Commits(People):
    """Nobody is known before the commit that is waited for."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()
        self.fails = False

    @property
    def are_known(self) -> bool:
        return True

    def check(self, min_commit: str) -> None:
        pass

    async def wait(self, min_commit: str, call: Call) -> None:
        if self.fails:
            raise CommitNotSeenError(2, 1)
        await self.seen.wait()


def test_who_waits_for_a_commit_keeps_nobody_else_waiting() -> None:
    request = v1.RecommendRequest(user_id="user-03", min_commit_token=commit_tokens.encode(2)).SerializeToString()

    async def main() -> None:
        people = Commits()
        with Service(Counted(people)) as service:
            waits, leaves = service.call(request), service.call(request)
            assert isinstance(await service.call(), bytes)
            assert service.seen.batches == [1]
            assert not waits.done()
            leaves.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaves
            people.seen.set()
            assert isinstance(await waits, bytes)
            assert service.seen.batches == [1, 1]
            people.fails = True
            late = Context()
            assert await service.statuses(late, request=request) == ["UNAVAILABLE"]
            assert late.details(error_details_pb2.ErrorInfo).reason == "COMMIT_NOT_SEEN"
            assert service.seen.ended == ["OK", "CANCELLED", "OK", "UNAVAILABLE"]
            assert service.seen.in_flight == 0

    asyncio.run(main())


def test_no_more_wait_for_commits_than_are_admitted() -> None:
    request = v1.RecommendRequest(user_id="user-03", min_commit_token=commit_tokens.encode(2)).SerializeToString()

    async def main() -> None:
        people = Commits()
        with Service(Counted(people), max_calls=2) as service:
            waiting = [service.call(request), service.call(request)]
            for _ in range(30):
                await asyncio.sleep(0)
            assert await service.statuses(Context(), request=request) == ["RESOURCE_EXHAUSTED"]
            # Nobody else is kept from an answer by them.
            assert await service.statuses(Context(), Context()) == ["OK", "OK"]
            people.seen.set()
            assert [type(answer) for answer in await asyncio.gather(*waiting)] == [bytes, bytes]
            assert await service.statuses(Context(), request=request) == ["OK"]
            assert service.seen.in_flight == 0

    asyncio.run(main())


def test_who_waits_for_a_commit_is_told_that_the_server_stops() -> None:
    request = v1.RecommendRequest(user_id="user-03", min_commit_token=commit_tokens.encode(2)).SerializeToString()

    async def main() -> None:
        with Service(Counted(Commits())) as service:
            context = Context()
            waiting = asyncio.ensure_future(service.statuses(context, request=request))
            for _ in range(30):
                await asyncio.sleep(0)
            service.dispatcher.running.give_up()
            assert await waiting == ["UNAVAILABLE"]
            assert context.details(error_details_pb2.ErrorInfo).reason == "STOPPING"
            assert service.seen.ended == ["UNAVAILABLE"]

    asyncio.run(main())


def test_request_ids_are_new_and_well_formed() -> None:
    ids = request_ids(1_000)
    assert len(set(ids)) == 1_000
    assert all(len(each) == 16 and set(each) <= set("0123456789abcdef") for each in ids)
    assert request_ids(0) == []


def test_calls_are_counted_together_as_one_by_one(tmp_path: Path) -> None:
    async def main() -> list[Call]:
        with Service() as service:
            found: list[Call] = []
            answered = service.method.answer_asked

            def remember(asked: Sequence[Asked | Exception], calls: Sequence[Call]) -> list[Answer | Exception]:
                found.extend(calls)
                return answered(asked, calls)

            service.method.answer_asked = remember  # type: ignore[method-assign]
            await asyncio.gather(*(service.call() for _ in range(9)))
            return found

    calls = asyncio.run(main())
    seconds = [0.0003 * 3**number for number in range(9)]
    alone, together = (CountingObserver(Board(tmp_path / name)) for name in ("alone", "together"))
    for observer in (alone, together):
        for _ in calls:
            observer.started()
    for each, call in zip(seconds, calls, strict=True):
        alone.finished("Recommend", "OK", each, call.hosted, call)
    together.finished_all("Recommend", "OK", seconds, calls)
    assert read_board(tmp_path / "together") == pytest.approx(read_board(tmp_path / "alone"))
