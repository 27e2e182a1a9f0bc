"""Decisions on the way out: the messages made of their packed form, beside those that protobuf makes of JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from recocore.v1 import fraud_pb2 as shared
from recocore.v1 import fraud_service_pb2 as v1

from recocore.errors import CorruptError
from recocore.fraud import Decision, Reason
from recocore.service import limits
from recocore.service.fraud import convert
from recocore.service.problems import InvalidRequestError, ResponseTooLargeError

OUTCOMES = ("approve", "challenge", "review", "decline")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0, 1000.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.integers(-(2**53), 2**53) | TEXTS,
    lambda each: st.lists(each, max_size=3),
    max_leaves=5,
)
REASONS = st.builds(
    Reason,
    TEXTS,
    st.sampled_from(["rule", "anomaly", "model", "exploration", "cost", "ring"]),
    VALUES,
    VALUES,
    TEXTS,
    NUMBERS,
    st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=3).map(tuple),
)
SHADOWS = st.fixed_dictionaries(
    {
        "rule": TEXTS,
        "status": st.sampled_from(["hit", "error"]),
        "outcome": st.none() | st.sampled_from(OUTCOMES),
        "score": st.integers(0, 1000),
    }
)
DECISIONS = st.builds(
    Decision,
    TEXTS,
    TEXTS,
    st.sampled_from(OUTCOMES),
    st.sampled_from(OUTCOMES),
    NUMBERS,
    st.integers(0, 1000),
    NUMBERS,
    st.lists(st.sampled_from(["limit", "freeze", "ban"]), max_size=3).map(tuple),
    st.lists(REASONS, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=2).map(tuple),
    st.lists(SHADOWS, max_size=2).map(tuple),
    TEXTS,
    TEXTS,
    st.integers(-62_000_000_000_000_000, 250_000_000_000_000_000),
    TEXTS,
)


def by_json(decision: Decision) -> shared.FraudDecision:
    """The message by protobuf's own reader of JSON."""

    def outcome(name: str | None) -> str:
        return f"FRAUD_OUTCOME_{(name or 'unspecified').upper()}"

    told: dict[str, Any] = decision.as_json()
    told["outcome"], told["policy"] = outcome(told.pop("decision")), outcome(told["policy"])
    told["penalties"] = [f"FRAUD_PENALTY_{name.upper()}" for name in told["penalties"]]
    told["rule_errors"] = told.pop("errors")
    for reason in told["reasons"]:
        reason["kind"] = f"FRAUD_REASON_KIND_{reason['kind'].upper()}"
    for rule in told["shadow"]:
        rule["status"] = f"FRAUD_RULE_STATUS_{rule['status'].upper()}"
        rule["outcome"] = outcome(rule["outcome"])
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=told["feature_time"])
    told["feature_time"] = time.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    return json_format.ParseDict(told, shared.FraudDecision())


@settings(max_examples=150, deadline=None)
@given(DECISIONS)
def test_a_packed_decision_becomes_the_message_that_protobuf_makes_of_it(decision: Decision) -> None:
    packed = msgspec.msgpack.encode(decision)
    expected = by_json(decision)
    score = v1.ScoreFraudResponse.FromString(convert.encode_score((packed, True, "", ""), "r-1"))
    assert score == v1.ScoreFraudResponse(decision=expected, duplicate=True, request_id="r-1")
    batch = v1.BatchScoreFraudResponse.FromString(convert.encode_batch([(packed, False, "", "")], [0], {}, "r-2"))
    assert batch.rows[0].decision == expected


def test_an_event_that_only_counts_has_no_decision_and_a_refused_one_is_an_error() -> None:
    counted = v1.ScoreFraudResponse.FromString(convert.encode_score((None, False, "", ""), "r"))
    assert not counted.HasField("decision")
    with pytest.raises(InvalidRequestError, match=r"event\.value"):
        convert.encode_score((None, False, "value", "expected a number"), "r")


def test_bytes_that_are_no_decision_are_corrupt_and_a_decision_beyond_the_limit_is_refused() -> None:
    cut = msgspec.msgpack.encode({"decision_id": "a" * 32})[:-1]
    for packed in (b"", b"\xc0", cut, *map(msgspec.msgpack.encode, [{"more": 1}, {"score": 0.5}, {"policy": "allow"}])):
        with pytest.raises(CorruptError, match="expected a decision"):
            convert.encode_score((packed, False, "", ""), "r")
    large = msgspec.msgpack.encode({"errors": ["x" * limits.MAX_MESSAGE_BYTES]})
    with pytest.raises(ResponseTooLargeError):
        convert.encode_score((large, False, "", ""), "r")
