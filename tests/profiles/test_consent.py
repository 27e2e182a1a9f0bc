"""What a withdrawn purpose removes, and that every column has purposes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from recocore.errors import InvalidArgumentError
from recocore.profiles import ProfileConfig, profile_schema
from recocore.profiles.consent import FEATURE_PURPOSES, PURPOSES, purposes_of, withdraw


def example() -> pa.Table:
    """A table of the documented columns, three users and a value in each cell."""
    schema = profile_schema(ProfileConfig())
    samples = {"string": "x", "int64": 3, "double": 0.5}
    columns = []
    for field in schema:
        if field.name == "user_id":
            columns.append(pa.array(["ann", "bob", "cat"]))
        elif pa.types.is_list(field.type):
            columns.append(pa.array([[dict.fromkeys([entry.name for entry in field.type.value_type])]] * 3, field.type))
        elif pa.types.is_timestamp(field.type):
            columns.append(pa.array([1, 2, 3], field.type))
        else:
            columns.append(pa.array([samples[str(field.type)]] * 3, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def test_every_column_of_profiles_has_purposes() -> None:
    further = ["p_alive", "p_alive_mbg", "expected_purchases", "expected_spend", "clv", "segment", "top_brand"]
    for name in [*profile_schema(ProfileConfig()).names, *further]:
        assert name == "user_id" or purposes_of(name), name
    assert {purpose for purposes in FEATURE_PURPOSES.values() for purpose in purposes} == set(PURPOSES)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_withdrawn_purpose_takes_what_was_built_for_it_alone(purpose: str) -> None:
    before = example()
    after = withdraw(before, {"bob": [purpose], "nobody": [purpose]})
    assert after.schema.equals(before.schema)
    for name in before.column_names:
        gone = purposes_of(name) == (purpose,)
        assert after.column(name).null_count == int(gone), name
        assert after.column(name)[1].is_valid is not gone or name == "user_id"
        assert after.column(name).take([0, 2]).equals(before.column(name).take([0, 2]))
    assert any(purposes_of(name) == (purpose,) for name in before.column_names)


def test_all_purposes_take_everything_but_the_id() -> None:
    after = withdraw(example(), {"ann": PURPOSES, "cat": []})
    row, other = after.slice(0, 1).to_pylist()[0], after.slice(2, 1).to_pylist()[0]
    assert row.pop("user_id") == "ann"
    assert set(map(repr, row.values())) == {"None"}
    assert None not in other.values()


def test_what_is_not_known_goes_with_any_withdrawal() -> None:
    table = pa.table({"user_id": [1, 2], "shoe_size": [38, 42]})
    assert withdraw(table, {2: "analytics"}).column("shoe_size").to_pylist() == [38, None]


def test_unknown_purposes_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="purposes: expected some of personalisation, marketing, analytics"):
        withdraw(example(), {"ann": ["fun"]})
