"""Random and mutated messages on every method: the server answers all of them, with the right statuses."""

from __future__ import annotations

import contextlib
import functools
import os
import random
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from recocore.v1 import filter_pb2
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.server_process import ServerProcess

    from recocore.client import Client

# Of each method; set it to a hundred thousand for a long run.
COUNT = int(os.environ.get("RECOCORE_MUTATIONS", "300"))
ALLOWED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND"}

WHERE = ParseDict(
    {
        "all": [
            {"any": [{"in": {"field": "brand", "values": ["b1", "b2"]}}, {"exists": {"field": "sale"}}]},
            {"not": {"range": {"field": "price", "atLeast": 35, "below": 38}}},
        ]
    },
    filter_pb2.Filter(),
)

VALID: dict[str, Any] = {
    "Recommend": v1.RecommendRequest(
        user_id="even",
        page_size=7,
        exclude_item_ids=["i00", "i01"],
        candidate_item_ids=["i02"],
        seen_policy=shared.SEEN_POLICY_INCLUDE,
        explain=True,
        filter=WHERE,
        rules=[
            shared.Rule(action=shared.RULE_ACTION_BOOST, where=WHERE, weight=2.5),
            shared.Rule(action=shared.RULE_ACTION_PIN, item_ids=["i09", "i11"], slot=3),
        ],
        diversity=shared.Diversity(relevance=1, max_per_group=2, group_field="brand"),
        session_events=[shared.SessionEvent(item_id="i05", weight=1.5), shared.SessionEvent(item_id="i06")],
        context_item_ids=["i08"],
        fallbacks=[shared.FALLBACK_SIMILAR, shared.FALLBACK_POPULAR],
        personalization=shared.PERSONALIZATION_FULL,
        placement="home.top",
        read_mask=FieldMask(paths=["items", "items.attributes.brand", "next_page_token"]),
        output_format=shared.OUTPUT_FORMAT_ITEMS,
    ),
    "SimilarItems": v1.SimilarItemsRequest(
        item_ids=["i01", "i02"],
        page_size=3,
        exclude_item_ids=["i07"],
        negative_item_ids=["i20"],
        filter=WHERE,
        rules=[shared.Rule(action=shared.RULE_ACTION_BURY, item_ids=["i03"])],
        output_format=shared.OUTPUT_FORMAT_PACKED,
    ),
    "Score": v1.ScoreRequest(user_id="odd", item_ids=["i01", "i02", "zz"], explain=True),
    "BatchRecommend": v1.BatchRecommendRequest(
        user_ids=["even", "odd", "who"], template=v1.RecommendRequest(page_size=2, fallback=shared.FALLBACK_NONE)
    ),
    "StreamRecommend": v1.StreamRecommendRequest(
        user_ids=["even", "who"], template=v1.RecommendRequest(page_size=2, filter=WHERE)
    ),
}


def mutated(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at:at] = rng.randbytes(rng.randint(1, 6))
            case 2:
                del changed[at : at + rng.randint(1, 6)]
            case _:
                changed[at:at] = changed[: rng.randint(0, 20)]
    return bytes(changed)


def is_message(kind: type[Message], data: bytes) -> bool:
    try:
        kind.FromString(data)
    except DecodeError:
        return False
    return True


def test_every_method_is_tried() -> None:
    service = v1.DESCRIPTOR.services_by_name["RecommendationService"]
    assert list(VALID) == [method.name for method in service.methods]


class Stream:
    """A stream of one message; it has a status when its answers are read."""

    def __init__(self, channel: grpc.Channel, path: str, message: bytes, timeout: float) -> None:
        stub: Any = channel.stream_stream(path)
        self._call = stub(iter([message]), timeout=timeout)

    def code(self) -> grpc.StatusCode:
        with contextlib.suppress(grpc.RpcError):
            list(self._call)
        code: grpc.StatusCode = self._call.code()
        return code

    def details(self) -> Any:
        return self._call.details()


def caller(channel: grpc.Channel, method: str) -> Callable[..., Any]:
    """Calls a method with bytes; what it gives has a status in the end."""
    path = f"/recocore.v1.RecommendationService/{method}"
    if v1.DESCRIPTOR.services_by_name["RecommendationService"].methods_by_name[method].server_streaming:
        return functools.partial(Stream, channel, path)
    return channel.unary_unary(path).future


@pytest.mark.parametrize("method", VALID)
def test_no_message_crashes_or_hangs_the_server(
    method: str, channel: grpc.Channel, client: Client, stub_server: ServerProcess
) -> None:
    rng = random.Random(method)
    valid = VALID[method].SerializeToString()
    messages = [rng.randbytes(rng.randint(0, 200)) if n % 3 == 0 else mutated(rng, valid) for n in range(COUNT)]
    call = caller(channel, method)
    seen = set()
    for start in range(0, COUNT, 30):
        futures = [(message, call(message, timeout=30)) for message in messages[start : start + 30]]
        for message, future in futures:
            status = future.code().name
            seen.add(status)
            assert status in ALLOWED, (message, status, future.details())
            assert status == "INVALID_ARGUMENT" or is_message(type(VALID[method]), message), (message, status)
    assert {"OK", "INVALID_ARGUMENT"} <= seen
    assert stub_server.process.poll() is None
    assert client.recommend("even", 1).items[0].item_id == "i04"
