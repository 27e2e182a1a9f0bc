"""Which lists the event loop ranks itself: those of which it is known that they take it tens of microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1.filter_pb2 import Filter, Range
from tests.service.small_index import small_index

from recocore import Index, Interactions
from recocore.models import Popularity
from recocore.service.call import Call
from recocore.service.engine import Engine
from recocore.service.hosting.host import Hosted, SingleModel
from recocore.service.recommending import Answer, Recommending

if TYPE_CHECKING:
    from collections.abc import Sequence


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


def test_a_filter_is_quick_once_it_was_looked_up() -> None:
    log = Interactions.from_coo(["ann", "ann", "bob"], ["tea", "pot", "tea"])
    index = Index.build(Popularity().fit(log), log, attributes={"item_id": ["tea", "pot"], "price": [1.0, 2.0]})
    models = SingleModel(index)
    models.warm_up()
    recommending = Recommending(models)
    filters = [Filter(range=Range(field="price", below=below)) for below in (1.5, 1.6)]
    first, other = (v1.RecommendRequest(user_id="bob", filter=each).SerializeToString() for each in filters)
    call = Call("r")
    assert recommending.ask(first, call).quick_seconds > 1e9
    assert isinstance(recommending.answer_all([first], [call])[0], Answer)
    assert recommending.ask(first, call).quick_seconds < 1
    assert recommending.ask(other, call).quick_seconds > 1e9


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
