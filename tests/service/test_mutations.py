"""Random and mutated messages on every method: the server answers all of them, with the right statuses."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.message import DecodeError, Message
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    import grpc
    from tests.service.server_process import ServerProcess

    from recocore.client import Client

COUNT = 300
ALLOWED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND"}

VALID: dict[str, Any] = {
    "Recommend": v1.RecommendRequest(
        user_id="even",
        page_size=7,
        exclude_item_ids=["i00", "i01"],
        candidate_item_ids=["i02"],
        seen_policy=shared.SEEN_POLICY_INCLUDE,
        explain=True,
    ),
    "SimilarItems": v1.SimilarItemsRequest(item_ids=["i01", "i02"], page_size=3, exclude_item_ids=["i07"]),
    "Score": v1.ScoreRequest(user_id="odd", item_ids=["i01", "i02", "zz"]),
    "BatchRecommend": v1.BatchRecommendRequest(
        user_ids=["even", "odd", "who"], template=v1.RecommendRequest(page_size=2, fallback=shared.FALLBACK_NONE)
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


@pytest.mark.parametrize("method", VALID)
def test_no_message_crashes_or_hangs_the_server(
    method: str, channel: grpc.Channel, client: Client, stub_server: ServerProcess
) -> None:
    rng = random.Random(method)
    valid = VALID[method].SerializeToString()
    messages = [rng.randbytes(rng.randint(0, 200)) if n % 3 == 0 else mutated(rng, valid) for n in range(COUNT)]
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        f"/recocore.v1.RecommendationService/{method}"
    )
    seen = set()
    for start in range(0, COUNT, 30):
        futures = [(message, call.future(message, timeout=30)) for message in messages[start : start + 30]]
        for message, future in futures:
            status = future.code().name
            seen.add(status)
            assert status in ALLOWED, (message, status, future.details())
            assert status == "INVALID_ARGUMENT" or is_message(type(VALID[method]), message), (message, status)
    assert {"OK", "INVALID_ARGUMENT"} <= seen
    assert stub_server.process.poll() is None
    assert client.recommend("even", 1).items[0].item_id == "i04"
