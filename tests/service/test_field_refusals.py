"""Every limit of what a request can ask: the path of the field and what was expected there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2, status_pb2
from recocore.v1 import recommendation_service_pb2 as v1
from tests.service.test_refusals import call_raw

from recocore.service import limits

if TYPE_CHECKING:
    import grpc

EXISTS = {"exists": {"field": "price"}}
ONE_OF = "expected exactly one of all, any, not, in, range, exists, got "
CHAIN = "expected FALLBACK_SIMILAR and FALLBACK_POPULAR, each at most once, or FALLBACK_NONE alone, got "


def nested(depth: int) -> dict[str, Any]:
    return EXISTS if depth == 1 else {"not": nested(depth - 1)}


def violations(channel: grpc.Channel, method: str, request: Any) -> dict[str, str]:
    """What is wrong with each field, as BadRequest says it."""
    code, _, details = call_raw(channel, method, request.SerializeToString())
    if code == "OK":
        return {}
    assert code == "INVALID_ARGUMENT"
    bad = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(details or b"").details[2].Unpack(bad)
    return {violation.field: violation.description for violation in bad.field_violations}


RECOMMEND: list[tuple[dict[str, Any], dict[str, str]]] = [
    # Filters.
    ({"filter": {}}, {"filter": ONE_OF + "none"}),
    ({"filter": {**EXISTS, "not": EXISTS}}, {"filter": ONE_OF + "not and exists"}),
    (
        {"filter": {"all": [EXISTS, {}, {"not": {"any": [EXISTS, {}]}}]}},
        {"filter.all[1]": ONE_OF + "none", "filter.all[2].not.any[1]": ONE_OF + "none"},
    ),
    (
        {"filter": {"all": [EXISTS, EXISTS, {"range": {"field": "price"}}]}},
        {"filter.all[2].range": "expected at least one of at_least, above, at_most, below, got none"},
    ),
    (
        {"filter": {"range": {"field": "price", "below": "NaN", "above": "Infinity"}}},
        {
            "filter.range.above": "expected a finite number, got inf",
            "filter.range.below": "expected a finite number, got nan",
        },
    ),
    ({"filter": {"exists": {}}}, {"filter.exists.field": "expected the name of an attribute, 1 to 256 bytes, got 0"}),
    ({"filter": {"in": {"field": "brand"}}}, {"filter.in.values": "expected 1 to 10000 values, got 0"}),
    (
        {"filter": {"in": {"field": "brand", "values": ["b1", None, [1], "é" * 129]}}},
        {
            "filter.in.values[1]": "expected a string, a number or a boolean, got null",
            "filter.in.values[2]": "expected a string, a number or a boolean, got list",
            "filter.in.values[3]": "expected a string of at most 256 bytes, got 258",
        },
    ),
    (
        {"filter": {"any": [{"in": {"field": "brand", "values": ["b"] * 9_999}}] * 2}},
        {"filter.any[1].in.values": "expected 1 to 1 values, got 9999"},
    ),
    ({"filter": nested(9)}, {"filter" + ".not" * 8: "expected a filter at most 8 deep"}),
    (
        {"filter": {"all": [EXISTS] * 64}},
        {"filter.all": "expected at most 64 filters in a request, joined ones included"},
    ),
    (
        {"filter": {"all": [EXISTS] * 60}, "rules": [{"action": "RULE_ACTION_BURY", "where": {"any": [EXISTS] * 3}}]},
        {"rules[0].where.any": "expected at most 64 filters in a request, joined ones included"},
    ),
    # Attributes of this model.
    (
        {"filter": {"any": [{"exists": {"field": "prize"}}, {"range": {"field": "brand", "below": 1}}]}},
        {
            "filter.any[0].exists.field": "expected an attribute of this model's items, got 'prize'; "
            "did you mean 'price'?",
            "filter.any[1].range.field": "expected an attribute that is a number, 'brand' is a text",
        },
    ),
    (
        {"filter": {"not": {"in": {"field": "price", "values": [1, "1", True]}}}},
        {
            "filter.not.in.values[1]": "expected a number, got a text",
            "filter.not.in.values[2]": "expected a number, got a flag",
        },
    ),
    (
        {"rules": [{"action": "RULE_ACTION_BURY", "where": {"exists": {"field": "xyz"}}}]},
        {
            "rules[0].where.exists.field": "expected an attribute of this model's items, got 'xyz'; "
            "items of this model have brand, price, sale, tags"
        },
    ),
    (
        {"diversity": {"maxPerGroup": 2, "groupField": "price"}},
        {"diversity.group_field": "expected an attribute that is a text, 'price' is a number"},
    ),
    (
        {"readMask": "items.itemId,items.attributes.brant"},
        {"read_mask.paths[1]": "expected an attribute of this model's items, got 'brant'; did you mean 'brand'?"},
    ),
    # Rules.
    ({"rules": [{"itemIds": ["a"]}]}, {"rules[0].action": "expected a value of RuleAction, got 0"}),
    (
        {"rules": [{"action": "RULE_ACTION_BURY"}, {"action": "RULE_ACTION_BURY", "itemIds": ["a"], "where": EXISTS}]},
        {
            "rules[0]": "expected one of where and item_ids to say which items, got neither",
            "rules[1]": "expected one of where and item_ids to say which items, got both",
        },
    ),
    (
        {"rules": [{"action": "RULE_ACTION_BURY", "itemIds": ["a"], "weight": 2, "slot": 1}]},
        {
            "rules[0].weight": "expected none but with RULE_ACTION_BOOST, got 2",
            "rules[0].slot": "expected none but with RULE_ACTION_PIN, got 1",
        },
    ),
    (
        {"rules": [{"action": "RULE_ACTION_BOOST", "itemIds": ["a"]}]},
        {"rules[0].weight": "expected a number other than 0, at most 1,000,000 from it, got 0"},
    ),
    (
        {
            "rules": [
                {"action": "RULE_ACTION_PIN", "itemIds": ["a"]},
                {"action": "RULE_ACTION_PIN", "itemIds": ["a"], "slot": 500},
            ]
        },
        {"rules[1].slot": "expected 0 to 499, got 500"},
    ),
    (
        {"rules": [{"action": "RULE_ACTION_PIN", "itemIds": ["", "a"]}]},
        {"rules[0].item_ids[0]": "expected an id, got an empty string"},
    ),
    (
        {"rules": [{"action": "RULE_ACTION_PIN", "itemIds": ["a"] * 1_001}]},
        {"rules[0].item_ids": "expected 0 to 1000 ids, got 1001"},
    ),
    ({"rules": [{}] * 21}, {"rules": "expected 0 to 20 rules, got 21"}),
    # Diversity.
    ({"diversity": {}}, {"diversity": "expected relevance, or max_per_group with group_field, got neither"}),
    ({"diversity": {"relevance": 1.5}}, {"diversity.relevance": "expected 0 to 1, got 1.5"}),
    ({"diversity": {"relevance": "NaN"}}, {"diversity.relevance": "expected 0 to 1, got nan"}),
    (
        {"diversity": {"maxPerGroup": 2}},
        {"diversity.group_field": "expected the name of an attribute, 1 to 256 bytes, got 0"},
    ),
    ({"diversity": {"groupField": "brand"}}, {"diversity.max_per_group": "expected 1 to 500, got 0"}),
    (
        {"diversity": {"groupField": "brand", "maxPerGroup": -1}},
        {"diversity.max_per_group": "expected 1 to 500, got -1"},
    ),
    # Session and context.
    (
        {"sessionEvents": [{"itemId": "a"}, {"weight": 0}, {"itemId": "a", "weight": "-Infinity"}]},
        {
            "session_events[1].item_id": "expected an id, got an empty string",
            "session_events[1].weight": "expected a number other than 0, at most 1,000,000 from it, got 0",
            "session_events[2].weight": "expected a number other than 0, at most 1,000,000 from it, got -inf",
        },
    ),
    ({"sessionEvents": [{"itemId": "a"}] * 101}, {"session_events": "expected 0 to 100 events, got 101"}),
    ({"contextItemIds": ["a"] * 101}, {"context_item_ids": "expected 0 to 100 ids, got 101"}),
    ({"contextItemIds": ["a", ""]}, {"context_item_ids[1]": "expected an id, got an empty string"}),
    # Enums.
    ({"personalization": 9}, {"personalization": "expected a value of Personalization, got 9"}),
    ({"outputFormat": 9}, {"output_format": "expected a value of OutputFormat, got 9"}),
    (
        {"fallbacks": ["FALLBACK_POPULAR", "FALLBACK_POPULAR", "FALLBACK_NONE", 9]},
        {
            "fallbacks[1]": CHAIN + "FALLBACK_POPULAR",
            "fallbacks[2]": CHAIN + "FALLBACK_NONE",
            "fallbacks[3]": CHAIN + "9",
        },
    ),
    (
        {"fallbacks": ["FALLBACK_POPULAR"], "fallback": "FALLBACK_NONE"},
        {"fallback": "expected none beside fallbacks; put all of them there"},
    ),
    # The rest.
    ({"placement": "home page"}, {"placement": "expected 1 to 64 of A-Z a-z 0-9 . _ -, got 'home page'"}),
    ({"readMask": ",".join(["items"] * 33)}, {"read_mask.paths": "expected 0 to 32 paths, got 33"}),
    (
        {"readMask": "item,servedModel.x,items.nix,items.score.x"},
        {
            "read_mask.paths[0]": "expected the path of a field of RecommendResponse, got 'item'",
            "read_mask.paths[1]": "expected the path of a field of RecommendResponse, got 'served_model.x'",
            "read_mask.paths[2]": "expected items and a field of ScoredItem, got 'items.nix'",
            "read_mask.paths[3]": "expected items and a field of ScoredItem, got 'items.score.x'",
        },
    ),
    (
        {"readMask": "items.score,packed", "outputFormat": "OUTPUT_FORMAT_PACKED"},
        {"read_mask.paths[0]": "expected no path into items, which OUTPUT_FORMAT_PACKED does not send"},
    ),
    (
        {"explain": True, "outputFormat": "OUTPUT_FORMAT_PACKED"},
        {"explain": "expected false with OUTPUT_FORMAT_PACKED, which has no place for reasons"},
    ),
    ({"userId": "", "personalization": "PERSONALIZATION_FULL"}, {"user_id": "expected an id, got an empty string"}),
    (
        {"userId": "x" * 257, "personalization": "PERSONALIZATION_NONE"},
        {"user_id": "expected an id of at most 256 bytes, got 257"},
    ),
]


@pytest.mark.parametrize(("fields", "expected"), RECOMMEND)
def test_recommend_names_what_is_wrong(channel: grpc.Channel, fields: dict[str, Any], expected: dict[str, str]) -> None:
    request = ParseDict({"userId": "even", **fields}, v1.RecommendRequest())
    assert violations(channel, "Recommend", request) == expected
    if "user_id" not in expected:
        request.user_id = ""
        batch = v1.BatchRecommendRequest(user_ids=["even"], template=request)
        in_template = {f"template.{field}": description for field, description in expected.items()}
        assert violations(channel, "BatchRecommend", batch) == in_template


@pytest.mark.parametrize(
    ("method", "request_", "expected"),
    [
        (
            "SimilarItems",
            v1.SimilarItemsRequest(item_ids=["i01"], negative_item_ids=["x"] * 101),
            {"negative_item_ids": "expected 0 to 100 ids, got 101"},
        ),
        (
            "SimilarItems",
            ParseDict({"itemIds": ["i01"], "filter": {}, "rules": [{}]}, v1.SimilarItemsRequest()),
            {
                "filter": ONE_OF + "none",
                "rules[0].action": "expected a value of RuleAction, got 0",
                "rules[0]": "expected one of where and item_ids to say which items, got neither",
            },
        ),
        (
            "SimilarItems",
            ParseDict({"itemIds": ["i01"], "readMask": "fallbackUsed"}, v1.SimilarItemsRequest()),
            {"read_mask.paths[0]": "expected the path of a field of SimilarItemsResponse, got 'fallback_used'"},
        ),
        (
            "Score",
            ParseDict(
                {"userId": "even", "itemIds": ["a"], "explain": True, "outputFormat": "OUTPUT_FORMAT_PACKED"},
                v1.ScoreRequest(),
            ),
            {"explain": "expected false with OUTPUT_FORMAT_PACKED, which has no place for reasons"},
        ),
        (
            "Score",
            v1.ScoreRequest(user_id="even", item_ids=["a"] * 501, explain=True),
            {"item_ids": "expected 1 to 500 ids, got 501"},
        ),
        (
            "BatchRecommend",
            v1.BatchRecommendRequest(user_ids=["a"], template=v1.RecommendRequest(page_token="x")),
            {"template.page_token": "expected an empty string: a batch begins every list"},
        ),
    ],
)
def test_the_other_methods_name_it_too(
    channel: grpc.Channel, method: str, request_: Any, expected: dict[str, str]
) -> None:
    assert violations(channel, method, request_) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"filter": nested(limits.MAX_FILTER_DEPTH)},
        {"filter": {"all": [EXISTS] * (limits.MAX_FILTERS - 1)}},
        {"filter": {"in": {"field": "brand", "values": ["b"] * limits.MAX_FILTER_VALUES}}},
        {"sessionEvents": [{"itemId": "a", "weight": -1e6}] * limits.MAX_SESSION_EVENTS},
        {"contextItemIds": ["a"] * limits.MAX_CONTEXT_ITEMS},
        {
            "rules": [{"action": "RULE_ACTION_PIN", "itemIds": ["a"] * limits.MAX_RULE_ITEMS, "slot": 499}]
            * limits.MAX_RULES
        },
        {"placement": "a" * limits.MAX_PLACEMENT_CHARS},
        {"readMask": ",".join(["items"] * limits.MAX_MASK_PATHS)},
        {"diversity": {"relevance": 0}},
        {"fallbacks": ["FALLBACK_SIMILAR", "FALLBACK_POPULAR"]},
    ],
)
def test_what_reaches_its_limit_is_taken(channel: grpc.Channel, fields: dict[str, Any]) -> None:
    request = ParseDict({"userId": "even", **fields}, v1.RecommendRequest())
    assert violations(channel, "Recommend", request) == {}


def test_a_filter_too_deep_to_be_read_is_refused(channel: grpc.Channel) -> None:
    request = b""
    for _ in range(2_000):
        request = b"\x1a" + _varint(len(request)) + request
    code, message, _ = call_raw(channel, "Recommend", b"\x0a\x01a\x52" + _varint(len(request)) + request)
    assert code == "INVALID_ARGUMENT"
    assert message == "the request is not a recocore.v1.RecommendRequest"


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])
