"""Tags from rules and from users: validity, versions, reasons, consent, dimensions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.profiles.features import Features
from recocore.profiles.tags import (
    Declaration,
    DeclaredAttributes,
    TagDefinition,
    TagSet,
    TagTable,
    dimension_scores,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, tzinfo=UTC)

TOML = """
[dimensions]
money = 3
loyalty = 1

[[tags]]
name = "big_spender"
when = "level >= 90"
weight_of = "level / 100"
about = "Spends more than nine in ten."
dimension = "money"

[[tags]]
name = "tier"
when = "n_orders > 0"
value_of = "'gold' if n_orders >= 5 else 'silver'"
dimension = "loyalty"

[[tags]]
name = "taste"
when = "lifecycle != 'lost'"
value = "known"
weight = 0.5
purpose = "personalisation"
"""


@pytest.fixture
def features() -> Features:
    return Features(
        pa.table(
            {
                "user_id": ["ann", "bob", "cat"],
                "level": [95, 40, None],
                "n_orders": [7, 1, 0],
                "lifecycle": ["active", "lost", None],
            }
        )
    )


def read(tmp_path: Path, features: Features, text: str = TOML, name: str = "tags.toml", **options: Any) -> TagSet:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return TagSet.read(path, features.kinds, **options)


def test_rules_give_tags_with_values_and_weights(tmp_path: Path, features: Features) -> None:
    tags = read(tmp_path, features)
    given = tags.apply(features, at=NOW)
    told = {user: [(t.name, t.value, t.weight) for t in given.of(user)] for user in ("ann", "bob", "cat")}
    assert told == {
        "ann": [("big_spender", "true", 0.95), ("tier", "gold", 1.0), ("taste", "known", 0.5)],
        "bob": [("tier", "silver", 1.0)],
        "cat": [],
    }
    assert given.errors == {"big_spender": 1, "taste": 1}  # cat has neither level nor lifecycle
    [tag, *_] = given.of("ann")
    assert (tag.source, tag.updated, len(tag.version)) == ("rule", NOW, 12)
    assert given.counts() == {"tier": 2, "big_spender": 1, "taste": 1}
    path = tmp_path / "tags.parquet"
    given.save(path)
    assert TagTable.load(path).of("ann") == given.of("ann")


def test_json_says_the_same_as_toml(tmp_path: Path, features: Features) -> None:
    import tomllib  # noqa: PLC0415

    tags = read(tmp_path, features)
    same = read(tmp_path, features, json.dumps(tomllib.loads(TOML)), "tags.json")
    assert same.version == tags.version
    assert [tag.version for tag in same.definitions] == [tag.version for tag in tags.definitions]


def test_a_version_follows_the_rule_and_nothing_else(features: Features) -> None:
    def version(**changed: Any) -> str:
        arguments: dict[str, Any] = {"name": "rich", "when": "level >= 90", "about": "x", "weight": 1.0} | changed
        return TagDefinition.make(arguments.pop("name"), arguments.pop("when"), features.kinds, **arguments).version

    assert version() == version(about="another sentence") == version(when="level>=90")
    others = [version(when="level >= 91"), version(weight=2.0), version(value="x"), version(purpose="analytics")]
    assert len({version(), *others}) == 5


def test_a_tag_keeps_its_time_while_nothing_changes(tmp_path: Path, features: Features) -> None:
    tags = read(tmp_path, features)
    first = tags.apply(features, at=NOW)
    table = pa.table({"user_id": ["ann", "bob", "cat"], "level": [95, 99, 1], "n_orders": [3, 1, 0]})
    later = Features(table.append_column("lifecycle", pa.array(["active", "lost", "new"])))
    tomorrow = NOW + timedelta(days=1)
    second = tags.apply(later, at=tomorrow, previous=first)
    times = {user: {tag.name: tag.updated for tag in second.of(user)} for user in ("ann", "bob", "cat")}
    assert times["ann"] == {"big_spender": NOW, "tier": tomorrow, "taste": NOW}  # from gold to silver
    assert times["bob"] == {"big_spender": tomorrow, "tier": NOW}
    assert times["cat"] == {"taste": tomorrow}
    # The order of users and definitions is that of a run without a previous one.
    assert second.table.select(["user_id", "name"]).equals(tags.apply(later, at=NOW).table.select(["user_id", "name"]))


def test_why_a_user_has_a_tag(tmp_path: Path, features: Features) -> None:
    tags = read(tmp_path, features)
    told = tags.explain(features, "ann", "big_spender")
    assert (told.held, dict(told.observed)) == (True, {"level": 95.0})
    [comparison] = told.comparisons
    assert (comparison.observed, comparison.threshold) == (95.0, 90.0)
    assert str(told) == f"has big_spender (version {told.definition.version}): level >= 90 (95)"
    assert tags.explain(features, "bob", "big_spender").held is False
    missing = tags.explain(features, "cat", "big_spender")
    assert missing.held is None
    assert "level >= 90 (missing)" in str(missing)
    with pytest.raises(NotFoundError, match="expected one of big_spender, tier, taste"):
        tags.explain(features, "ann", "nothing")
    with pytest.raises(NotFoundError, match="no profile of 'eve'"):
        tags.explain(features, "eve", "tier")


def often(n_orders, level):  # type: ignore[no-untyped-def]  # numba compiles it for numbers
    return n_orders > 5 or level > 98


def test_a_python_function_is_a_rule_too(tmp_path: Path, features: Features) -> None:
    text = '[[tags]]\nname = "often"\nwhen = "function:often"\n'
    tags = read(tmp_path, features, text, functions={"often": often})
    given = tags.apply(features, at=NOW)
    assert given.table.column("user_id").to_pylist() == ["ann"]
    assert given.errors == {"often": 1}
    told = tags.explain(features, "bob", "often")
    assert (told.held, dict(told.observed)) == (False, {"n_orders": 1.0, "level": 40.0})
    assert "n_orders = 1, level = 40" in str(told)
    with pytest.raises(InvalidArgumentError, match=r"expected one of the functions given \(none\), got 'often'"):
        read(tmp_path, features, text)


def test_a_file_is_refused_whole_with_everything_that_is_wrong(tmp_path: Path, features: Features) -> None:
    text = """
    colour = "blue"
    [[tags]]
    name = "Rich"
    when = "level > 1"
    [[tags]]
    name = "ok"
    when = "levle > 1"
    [[tags]]
    name = "number"
    when = "level"
    [[tags]]
    name = "gender"
    when = "level > 1"
    [[tags]]
    name = "both"
    when = "level > 1"
    value = "x"
    value_of = "level"
    [[tags]]
    name = "extra"
    when = "level > 1"
    wen = "level > 1"
    [[tags]]
    name = "lost"
    when = "level > 1"
    purpose = "fun"
    [[tags]]
    when = "level > 1"
    [[tags]]
    name = "light"
    when = "level > 1"
    weight = -1
    """
    with pytest.raises(InvalidArgumentError) as refused:
        read(tmp_path, features, text)
    message = str(refused.value)
    for part in (
        "colour: expected tags and dimensions",
        "tags[0] (Rich): name: expected lower-case letters",
        "tags[1] (ok): when",
        "levle",
        "tags[2] (number): when: expected a condition",
        "tags[3] (gender): name: gender is declared by users and never inferred",
        "tags[4] (both): value_of: expected either",
        "tags[5] (extra): wen",
        "tags[6] (lost): purpose: expected one of personalisation, marketing, analytics",
        "tags[7]: expected name and when",
        "tags[8] (light): weight: expected a number of at least 0",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tags = 3", "a list of tags"),
        (
            '[[tags]]\nname = "a"\nwhen = "level > 1"\n[[tags]]\nname = "a"\nwhen = "level > 2"',
            "each name once, got a again",
        ),
        ('[[tags]]\nname = "a"\nwhen = "level > 1"\ndimension = "money"', "a weight for money"),
        ("[dimensions]\nmoney = 0", "a weight above 0 for money"),
        ("[[tags", "tags.toml"),
    ],
)
def test_other_files_that_are_refused(tmp_path: Path, features: Features, text: str, expected: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read(tmp_path, features, text)
    assert expected in str(refused.value)


def test_tags_go_with_their_purpose(tmp_path: Path, features: Features) -> None:
    tags = read(tmp_path, features)
    given = tags.apply(features, at=NOW, withdrawn={"ann": {"marketing"}, "cat": {"personalisation", "marketing"}})
    assert [tag.name for tag in given.of("ann")] == ["taste"]
    assert [tag.name for tag in given.of("bob")] == ["tier"]
    assert given.errors == {}


def test_dimensions_are_weighted_means(tmp_path: Path, features: Features) -> None:
    tags = read(tmp_path, features)
    given = tags.apply(features, at=NOW)
    told = dimension_scores(tags, given, features.users, own={"bob": {"money": 0}}).to_pydict()
    assert told["money"] == [0.95, 0.0, 0.0]
    assert told["loyalty"] == [1.0, 1.0, 0.0]
    assert told["score"] == pytest.approx([(3 * 0.95 + 1) / 4, 1.0, 0.0])
    with pytest.raises(InvalidArgumentError, match="own: expected weights of at least 0"):
        dimension_scores(tags, given, features.users, own={"bob": {"height": 1}})
    with pytest.raises(InvalidArgumentError, match="only zeros"):
        dimension_scores(tags, given, features.users, own={"bob": {"money": 0, "loyalty": 0}})


def test_no_tags_and_no_users(features: Features) -> None:
    assert len(TagSet(()).apply(features, at=NOW)) == 0
    nobody = Features(pa.table({"user_id": pa.array([], pa.string()), "level": pa.array([], pa.int64())}))
    tags = TagSet.parse({"tags": [{"name": "rich", "when": "level > 90"}]}, nobody.kinds)
    assert len(tags.apply(nobody, at=NOW)) == 0
    with pytest.raises(InvalidArgumentError, match="at: expected a time"):
        tags.apply(nobody)


def test_declared_attributes_keep_who_said_so() -> None:
    said = DeclaredAttributes()
    said.declare(Declaration("ann", "age", "34", "account", NOW))
    said.declare(Declaration("ann", "region", " Taipei ", "survey", NOW))
    said.declare(Declaration("ann", "age", "33", "import", NOW - timedelta(days=9)))  # late, and older
    assert [(t.name, t.value, t.source) for t in said.tags("ann")] == [
        ("age", "34", "declared:account"),
        ("region", "Taipei", "declared:survey"),
    ]
    assert said.current("ann", as_of=NOW)["age"].value == "33"
    said.declare(Declaration("ann", "age", None, "account", NOW + timedelta(days=1)))
    assert list(said.current("ann")) == ["region"]
    assert len(said.history("ann")) == 4
    again = DeclaredAttributes.from_table(said.to_table())
    assert again.history("ann") == said.history("ann")
    said.forget("ann")
    assert said.tags("ann") == []
    assert said.to_table().num_rows == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"source": "model"}, "what is inferred is no declaration"),
        ({"name": "income"}, "name: expected one of age, gender, region, occupation"),
        ({"value": "old"}, "an age in whole years"),
        ({"value": "200"}, "an age in whole years"),
        ({"name": "region", "value": " "}, "text of at most 128"),
        ({"updated": NOW.replace(tzinfo=None)}, "a datetime with a zone"),
    ],
)
def test_declarations_that_are_refused(change: dict[str, Any], expected: str) -> None:
    arguments: dict[str, Any] = {"user_id": "ann", "name": "age", "value": "34", "source": "account", "updated": NOW}
    arguments |= change
    with pytest.raises(InvalidArgumentError, match=expected):
        Declaration(**arguments)


def test_another_parquet_file_is_no_table_of_tags(tmp_path: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(CorruptError, match=r"TagTable\.save"):
        TagTable.load(tmp_path / "a.parquet")
