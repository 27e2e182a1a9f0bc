"""Calls that are ranked together or answered from the cache get what each would get alone."""

from __future__ import annotations

import gc
import random
import time
import weakref
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore import _native
from recocore.errors import InvalidArgumentError
from recocore.index import SOURCES, RankedColumns, RankedItem, RankedList
from recocore.models import Popularity
from recocore.service import convert
from recocore.service.attribution import decode
from recocore.service.call import Call
from recocore.service.engine import Engine
from recocore.service.hosting.host import Hosted
from recocore.service.queries import PLAIN, ColumnRankings, Ranking, Served
from recocore.service.recommending import Answer, Recommending

if TYPE_CHECKING:
    from recocore.index.results import Fallback
    from recocore.service.hosting.choice import ModelChoice


class OneModel:
    """Answers everything from one model."""

    generation = 0
    shadows = False

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted

    def pick(self, choice: ModelChoice, user_id: str | None) -> Hosted:
        return self._hosted

    def shadow(self, hosted: Hosted, query: Any) -> None:
        raise AssertionError("there is no shadow")


def test_a_failing_call_takes_nobody_along() -> None:
    with ServerProcess.stub(threads=1, max_batch=64) as server, grpc.insecure_channel(server.address) as channel:
        stub = stubs.RecommendationServiceStub(channel)
        users = ["even", "boom", "odd", "corrupt", "nobody", "even", "unsupported", ""]
        # The first takes the only thread; the others gather meanwhile and leave together.
        first = stub.Recommend.future(v1.RecommendRequest(user_id="slow-1000"), timeout=20)
        time.sleep(0.3)
        calls = [stub.Recommend.future(v1.RecommendRequest(user_id=user, page_size=3), timeout=20) for user in users]
        assert len(first.result().items) == 10
        codes = [call.code().name for call in calls]
        assert codes == ["OK", "INTERNAL", "OK", "DATA_LOSS", "OK", "OK", "UNIMPLEMENTED", "INVALID_ARGUMENT"]
        items = [[item.item_id for item in call.result().items] for call in calls if call.code().name == "OK"]
        assert items == [["i04", "i06", "i08"], ["i03", "i05", "i07"], ["i00", "i01", "i02"], ["i04", "i06", "i08"]]
        assert list(calls[4].result().missing_ids) == ["nobody"]


def test_an_answer_from_the_cache_is_the_same_and_the_calls_own() -> None:
    with ServerProcess.stub(cache_mb=1) as server, grpc.insecure_channel(server.address) as channel:
        stub = stubs.RecommendationServiceStub(channel)
        started = time.monotonic()
        # Only the first of these is slow.
        answers = [
            stub.Recommend(
                v1.RecommendRequest(user_id="slow-1000"), timeout=20, metadata=(("x-request-id", f"call-{number}"),)
            )
            for number in range(20)
        ]
        assert time.monotonic() - started < 10
        tokens = []
        for number, answer in enumerate(answers):
            assert answer.request_id == f"call-{number}"
            tokens.append(decode(answer.attribution_token))
            assert (tokens[-1].request_id, tokens[-1].served_model) == (f"call-{number}", "stub-1")
            answer.request_id = answer.attribution_token = ""
            assert answer == answers[0]
        assert sorted(token.issued_at for token in tokens) == [token.issued_at for token in tokens]
        other = stub.Recommend(v1.RecommendRequest(user_id="slow-50", page_size=2), timeout=20)
        assert [item.item_id for item in other.items] == ["i00", "i02"]


@pytest.mark.parametrize("seed", range(20))
def test_columns_are_encoded_as_messages_are(seed: int) -> None:
    rng = random.Random(seed)
    # At and around the lengths where a length takes one byte more.
    lengths = [1, 5, 117, 118, 119, 120, 127, 128, 130, 200, 256]
    fallbacks: list[Fallback] = ["none", "popular", "similar"]
    served = Served("als-1", "r1", "t" * rng.choice([5, 127, 128, 300]), *rng.choice([("", ""), ("test", "b")]))
    lists, pages = [], []
    for _ in range(rng.randrange(1, 5)):
        ids = [rng.choice(["x", "é", "\U0001f375"]) * (rng.choice(lengths) // 4 + 1) for _ in range(rng.randrange(30))]
        ids += ["y" * length for length in lengths] if rng.random() < 0.5 else []
        items = [
            RankedItem(id_, float(np.float32(rng.choice([0.0, -1.5, 1e30, rng.random()]))), rng.choice(SOURCES))
            for id_ in ids
        ]
        missing = tuple(rng.sample(ids, min(len(ids), rng.randrange(4))))
        lists.append(RankedList(tuple(items), rng.choice(fallbacks), missing))
        pages.append(rng.choice(["", "next", "p" * rng.choice([127, 128, 400])]))
    all_items = [item for ranked in lists for item in ranked.items]
    columns = RankedColumns(
        [item.item_id for item in all_items],
        np.array([item.score for item in all_items], np.float32),
        np.array([SOURCES.index(item.source) for item in all_items], np.uint8),
        list(accumulate(len(ranked.items) for ranked in lists)),
        [ranked.fallback_used for ranked in lists],
    )
    encoded = convert.encode_shared(ColumnRankings(columns, [ranked.missing_ids for ranked in lists], pages), served)
    own = convert.encode_own(served.request_id, served.attribution_token)
    for data, ranked, page in zip(encoded, lists, pages, strict=True):
        whole = convert.encode_recommend(Ranking(ranked, (), page), served, PLAIN)
        found, wanted = v1.RecommendResponse.FromString(data + own), v1.RecommendResponse.FromString(whole)
        assert found == wanted
        assert found.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)


@pytest.mark.parametrize("ends", [[], [1], [3], [2, 1], [-1, 2], [1, 3, 2]])
def test_lists_that_end_elsewhere_than_the_items_are_refused(ends: list[int]) -> None:
    with pytest.raises(InvalidArgumentError, match="ends: expected numbers from 0 that do not fall and end at 2"):
        _native.encode_scored_lists(["a", "b"], np.zeros(2, np.float32), np.zeros(2, np.uint8), ends, b"\1")


def test_an_answer_that_is_kept_keeps_no_model() -> None:
    index = small_index(Popularity())
    engine = Engine(index)
    gone = weakref.ref(engine)
    recommending = Recommending(OneModel(Hosted(engine, index.version)))
    request = v1.RecommendRequest(user_id="user-03").SerializeToString()
    (answer,) = recommending.answer_all([request], [Call("r1")])
    assert isinstance(answer, Answer)
    del engine, recommending
    gc.collect()
    assert gone() is None
    assert v1.RecommendResponse.FromString(answer.to(Call("r2"))).served_model == index.version


def test_integers_are_written_as_text() -> None:
    columns = RankedColumns([-7, 12_345], np.array([1, 2], np.float32), np.zeros(2, np.uint8), [2], ["none"])
    (data,) = convert.encode_shared(ColumnRankings(columns, [(3,)], [""]), Served("m", ""))
    found = v1.RecommendResponse.FromString(data)
    assert [item.item_id for item in found.items] == ["-7", "12345"]
    assert list(found.missing_ids) == ["3"]
