"""Profiles as features: numbers, ages, strongest interests, one row."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.profiles.features import Features
from recocore.profiles.schema import INTEREST, TIME

AS_OF = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def table() -> pa.Table:
    interests = [[{"name": "tea", "weight": 3.0}, {"name": "mugs", "weight": 1.0}], [], None]
    return pa.table(
        {
            "user_id": pa.array([5, 7, 9_000_000_000]),
            "spend_net": pa.array([900, -5, None]),
            "last_event": pa.array(
                [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 28, 12, tzinfo=UTC), None], TIME
            ),
            "interest_category": pa.array(interests, INTEREST),
            "interest_category_total": pa.array([5.0, 0.0, None]),
            "is_member": pa.array([True, None, False]),
        }
    )


def us(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6)


def test_every_kind_of_column(table: pa.Table) -> None:
    features = Features(table, as_of=us(AS_OF))
    assert features.kinds["days_since_last_event"] == "number"
    assert features["days_since_last_event"][:2].tolist() == [1.0, 1.5]
    assert np.isnan(features["days_since_last_event"][2])
    assert features["spend_net"][:2].tolist() == [900.0, -5.0]
    assert features["top_category"].tolist() == ["tea", None, None]
    assert features["top_category_share"][0] == 0.6
    assert np.isnan(features["top_category_share"][1:]).all()
    assert features["is_member"].tolist() == [True, None, False]
    assert "interest_category" not in features
    assert "days_since_last_event" not in Features(table)  # no moment to count from


def test_one_row_is_what_the_columns_say(table: pa.Table) -> None:
    further = pa.table({"user_id": table.column("user_id"), "clv": [1.5, 2.5, None]})
    features = Features(table.slice(0, 3), further, as_of=us(AS_OF))
    for place, user in enumerate((5, 7, 9_000_000_000)):
        row = features.row(user)
        assert set(row) == set(features)
        for name, value in row.items():
            whole = features[name][place]
            assert (value is None and (whole is None or np.isnan(whole))) or value == whole, name
    assert features.row(5)["clv"] == 1.5
    with pytest.raises(NotFoundError, match="no profile of 6"):
        features.row(6)
    with pytest.raises(InvalidArgumentError, match="user_id: expected one of int64, got 'ann'"):
        features.row("ann")


def test_slices_and_chunks_make_no_difference(table: pa.Table) -> None:
    chunked = pa.concat_tables([table.slice(1), table.slice(0, 1)])
    features = Features(chunked, as_of=us(AS_OF))
    assert features["top_category"].tolist() == [None, None, "tea"]
    assert features["top_category_share"][2] == 0.6
    assert Features(table.slice(1, 2))["top_category"].tolist() == [None, None]


def test_refusals(table: pa.Table) -> None:
    with pytest.raises(InvalidArgumentError, match="profiles: expected a column user_id"):
        Features(table.drop_columns(["user_id"]))
    with pytest.raises(InvalidArgumentError, match="further: expected the 3 users"):
        Features(table, table.slice(1))
    with pytest.raises(NotFoundError, match="expected one of"):
        Features(table).numbers("nothing")
    with pytest.raises(InvalidArgumentError, match="top_category, which holds texts"):
        Features(table).numbers("top_category")
