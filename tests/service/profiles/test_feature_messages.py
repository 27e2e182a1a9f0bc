"""Features written natively against the messages that protobuf makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recocore.v1 import profile_pb2 as shared
from recocore.v1 import profile_service_pb2 as v1

from recocore import _native
from recocore.errors import InvalidArgumentError, NoConsentError
from recocore.service.profiles.convert import encode_merge
from recocore.state.values import Link

FIELD = shared.Profile.FEATURES_FIELD_NUMBER

_whole = st.integers(-(2**63), 2**63 - 1)
_real = st.floats(allow_nan=False)
_text = st.text(max_size=200)
_entries = st.one_of(
    st.fixed_dictionaries({"name": _text, "weight": _real}),
    st.fixed_dictionaries({"from": _text, "to": _text, "count": _whole}),
    st.fixed_dictionaries({"term": _text, "count": _whole}),
    st.fixed_dictionaries({"hour": st.integers(0, 167), "count": _whole}),
)
_values = st.one_of(
    st.none(),
    _whole,
    _real,
    _text,
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
    st.lists(_entries, max_size=6),
)


def test_a_merge_that_is_gone_when_it_is_told_of_is_refused() -> None:
    link = Link(7, False, True, "cookie", 0, None, "login")
    told = v1.MergeProfilesResponse.FromString(encode_merge(7, [link], "r"))
    assert (told.merge.number, [merge.number for merge in told.history]) == (7, [7])
    for left in ([], [link._replace(into=True)]):
        with pytest.raises(NoConsentError, match="was forgotten"):
            encode_merge(7, left, "r")


def by_messages(features: dict[str, Any], wanted: frozenset[str] | None) -> shared.Profile:
    profile = shared.Profile()
    for name, value in features.items():
        if value is None or value == [] or (wanted is not None and name not in wanted):
            continue
        if isinstance(value, list):
            for entry in value:
                named = {"name" if key in ("from", "term") else key: part for key, part in entry.items()}
                profile.features[name].list.entries.add(**named)
        elif isinstance(value, datetime):
            profile.features[name].time.FromDatetime(value)
        else:
            kind = {int: "integer", float: "number", str: "text"}[type(value)]
            setattr(profile.features[name], kind, value)
    return profile


@given(features=st.dictionaries(st.text(max_size=20), _values, max_size=9), wanted=st.none() | st.frozensets(_text))
@example({"zero": 0, "none": 0.0, "empty": "", "first": datetime(1970, 1, 1, tzinfo=UTC)}, None)
@example(
    {"before": datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "leap": datetime(2000, 2, 29, tzinfo=UTC)}, None
)
@example({"kept": -1, "left": 7, "empty": []}, frozenset({"kept", "empty"}))
def test_what_is_written_is_what_messages_hold(features: dict[str, Any], wanted: frozenset[str] | None) -> None:
    written = shared.Profile.FromString(_native.encode_features(features, wanted, FIELD))
    assert written == by_messages(features, wanted)


@pytest.mark.parametrize(
    "value",
    [
        True,
        b"bytes",
        {"name": "x"},
        datetime(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        [7],
    ],
)
def test_what_no_feature_can_be_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="expected a whole number, a number, a text"):
        _native.encode_features({"odd": value}, None, FIELD)
    with pytest.raises(InvalidArgumentError, match="expected fields of entries, got colour"):
        _native.encode_features({"odd": [{"colour": "red"}]}, None, FIELD)
    with pytest.raises(OverflowError):
        _native.encode_features({"odd": 2**63}, None, FIELD)
