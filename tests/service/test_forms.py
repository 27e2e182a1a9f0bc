"""How an answer is put: read masks and packed items."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs

if TYPE_CHECKING:
    import grpc

    from recocore.client import Client


@pytest.fixture
def stub(channel: grpc.Channel) -> stubs.RecommendationServiceStub:
    return stubs.RecommendationServiceStub(channel)


def test_packed_items_are_those_that_are_not(client: Client) -> None:
    for user in ("even", "nobody"):
        packed, plain = (client.recommend(user, 25, packed=packed) for packed in (True, False))
        assert packed.items == plain.items
        assert (packed.fallback_used, packed.missing_ids) == (plain.fallback_used, plain.missing_ids)
    assert client.similar_items(["i05"], 25, packed=True).items == client.similar_items(["i05"], 25).items


def test_packed_items_have_the_documented_bytes(stub: stubs.RecommendationServiceStub) -> None:
    request = v1.RecommendRequest(user_id="even", page_size=3, output_format=shared.OUTPUT_FORMAT_PACKED)
    answer = stub.Recommend(request, timeout=10)
    assert not answer.items
    assert answer.packed.ids == b"i04i06i08"
    assert answer.packed.offsets == struct.pack("<4I", 0, 3, 6, 9)
    assert answer.packed.scores == struct.pack("<3f", 96, 94, 92)
    assert answer.packed.sources == bytes([shared.SOURCE_MODEL] * 3)
    # The layout is Arrow's.
    buffers = [None, pa.py_buffer(answer.packed.offsets), pa.py_buffer(answer.packed.ids)]
    assert pa.Array.from_buffers(pa.string(), 3, buffers).to_pylist() == ["i04", "i06", "i08"]


def test_no_items_pack_to_one_offset(stub: stubs.RecommendationServiceStub) -> None:
    request = v1.RecommendRequest(user_id="x", fallback=shared.FALLBACK_NONE, output_format=shared.OUTPUT_FORMAT_PACKED)
    packed = stub.Recommend(request, timeout=10).packed
    assert (packed.ids, packed.offsets, packed.scores, packed.sources) == (b"", bytes(4), b"", b"")


@pytest.mark.parametrize(
    ("paths", "fields", "of_items"),
    [
        (["request_id"], {"request_id"}, set()),
        (["items"], {"items"}, {"item_id", "score", "reasons", "source"}),
        (["items.item_id", "served_model"], {"items", "served_model"}, {"item_id"}),
        (["items.score", "items.reasons", "next_page_token"], {"items", "next_page_token"}, {"score", "reasons"}),
        (["items", "items.attributes"], {"items"}, {"item_id", "score", "reasons", "source", "attributes"}),
        (["items.attributes.brand", "items.source"], {"items"}, {"source", "attributes"}),
        (["items", "missing_ids", "fallback_used", "attribution_token"], None, None),
    ],
)
def test_only_what_the_mask_names_is_sent(
    stub: stubs.RecommendationServiceStub, paths: list[str], fields: set[str] | None, of_items: set[str] | None
) -> None:
    request = v1.RecommendRequest(user_id="even", page_size=2, explain=True)
    request.read_mask.paths.extend(paths)
    answer = stub.Recommend(request, timeout=10)
    sent = {field.name for field, _ in answer.ListFields()}
    assert sent == (fields if fields is not None else {"items", "fallback_used", "attribution_token"})
    if of_items is not None:
        assert {field.name for item in answer.items for field, _ in item.ListFields()} == of_items
    similar = v1.SimilarItemsRequest(item_ids=["i05"], page_size=2)
    similar.read_mask.paths.extend(path for path in paths if path != "fallback_used")
    sent = {field.name for field, _ in stub.SimilarItems(similar, timeout=10).ListFields()}
    assert sent == (fields if fields is not None else {"items", "attribution_token"})


def test_attributes_come_with_the_items_that_have_them(client: Client) -> None:
    items = client.recommend("even", 40, read_mask=["items", "items.attributes"]).items
    by_id = {item.item_id: item.attributes for item in items}
    assert by_id["i10"] == {"brand": "b2", "tags": ["even", "round"], "price": 10.0, "sale": False}
    assert by_id["i36"] == {"brand": "b0", "tags": ["even"], "sale": False}
    some = client.similar_items(["i35"], 2, read_mask=["items.item_id", "items.attributes.price"]).items
    assert {item.item_id: item.attributes for item in some} == {"i34": {"price": 34.0}, "i36": {}}
    assert client.recommend("even", 1).items[0].attributes == {}


def test_a_mask_may_leave_the_items_out_of_packed_answers(stub: stubs.RecommendationServiceStub) -> None:
    request = v1.RecommendRequest(user_id="even", output_format=shared.OUTPUT_FORMAT_PACKED)
    request.read_mask.paths.append("served_model")
    assert {field.name for field, _ in stub.Recommend(request, timeout=10).ListFields()} == {"served_model"}
    request.read_mask.paths.append("packed")
    assert {field.name for field, _ in stub.Recommend(request, timeout=10).ListFields()} == {"served_model", "packed"}
