"""Random and mutated messages on every method that reflection finds: each is answered, with a status that the protos list.

The environment variable RECOCORE_MUTATIONS is their number, 2,000 where it is not set. The long form, which prints its counts:

    RECOCORE_MUTATIONS=100000 pytest -s tests/service/test_mutations.py
"""

from __future__ import annotations

import contextlib
import os
import random
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.service.random_messages import RandomMessages

from recocore.service.door.descriptors import PACKAGE, Descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.server_process import ServerProcess

    from recocore.client import Client
    from recocore.service.door.descriptors import Method

COUNT = int(os.environ.get("RECOCORE_MUTATIONS", "2000"))
# Of each method: a stream ends with its first error, and of fewer messages none may be left that is answered.
LEAST = 200
# Calls under way at once: fewer than the server admits.
TOGETHER = 32
# What a server that works never says to a caller who waits.
NEVER = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS", "DEADLINE_EXCEEDED", "CANCELLED"}

Ending = tuple[str, str]  # status and reason


def is_message(kind: type[Message], data: bytes) -> bool:
    try:
        kind.FromString(data)
    except DecodeError:
        return False
    return True


def ending_of(call: Any) -> Ending:
    """The status of a call that is over, and the reason in its details."""
    details = dict(call.trailing_metadata() or ()).get("grpc-status-details-bin")
    info = error_details_pb2.ErrorInfo()
    if details:
        status = status_pb2.Status.FromString(details)
        assert status.code == call.code().value[0]
        assert status.details[0].Unpack(info)
    return call.code().name, info.reason


def one_by_one(channel: grpc.Channel, method: Method, messages: list[bytes]) -> Iterator[tuple[bytes, Ending]]:
    """Each message in a call of its own, and how it ended."""
    unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method.rpc)
    streaming: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method.rpc)
    for start in range(0, len(messages), TOGETHER):
        some = messages[start : start + TOGETHER]
        calls: list[Any]
        if method.streams_responses:
            calls = [streaming(message, timeout=60) for message in some]
        else:
            calls = [unary.future(message, timeout=60) for message in some]
        for message, call in zip(some, calls, strict=True):
            ending = ending_of(call)
            if ending[0] == "OK":
                assert all(
                    is_message(method.response, data)
                    for data in (call if method.streams_responses else [call.result()])
                )
            yield message, ending


def in_streams(channel: grpc.Channel, method: Method, messages: list[bytes]) -> Iterator[tuple[bytes, Ending]]:
    """Streams of some messages each, and how each ended, under its first message."""
    stream: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method.rpc)
    rest = list(messages)
    while rest:
        some, rest = rest[:4], rest[4:]
        call = stream(iter(some), timeout=60)
        with contextlib.suppress(grpc.RpcError):
            for data in call:
                assert is_message(method.response, data)
        yield some[0], ending_of(call)


def methods_of(channel: grpc.Channel, api: Descriptors) -> list[Method]:
    """The methods of our package that the server tells of."""
    services = ProtoReflectionDescriptorDatabase(channel).get_services()
    return [method for method in api.methods if method.service in services]


@pytest.mark.timeout(120 + COUNT // 100)
def test_no_message_crashes_or_hangs_the_server(
    channel: grpc.Channel, client: Client, stub_server: ServerProcess
) -> None:
    api = Descriptors.installed()
    methods = methods_of(channel, api)
    assert {method.name for method in methods} >= {"Recommend", "SimilarItems", "Score", "BatchRecommend"}
    each = max(LEAST, -(-COUNT // len(methods)))
    for method in methods:
        allowed = {(outcome.status, outcome.reason) for outcome in api.outcomes(method) if outcome.status not in NEVER}
        draw = RandomMessages(random.Random(zlib.crc32(method.rpc.encode())), api.comments)
        messages = [draw.bytes_for(method.request) for _ in range(each)]
        send = in_streams if method.streams_requests else one_by_one
        endings: Counter[Ending] = Counter()
        for message, ending in send(channel, method, messages):
            endings[ending] += 1
            assert ending in {("OK", ""), *allowed}, (method.rpc, message, ending)
            if not is_message(method.request, message):
                assert ending == ("INVALID_ARGUMENT", "MALFORMED_REQUEST"), (method.rpc, message, ending)
        print(f"{method.rpc}: {len(messages)} messages, {dict(endings.most_common())}")
        assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") in endings
        if method.service == f"{PACKAGE}.RecommendationService":
            assert ("OK", "") in endings
    assert stub_server.process.poll() is None
    assert client.recommend("even", 1).items[0].item_id == "i04"
