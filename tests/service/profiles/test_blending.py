"""What a profile changes in a recommendation: boosts and items of the segment, over a real state and a real index."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from tests.service.events.served import StateServer

from recocore import Index, Interactions
from recocore.client import Client, Recommendations
from recocore.data import EventBatch
from recocore.index.asking import Ask, Rule
from recocore.index.filters import In
from recocore.models import ALS, ItemKNN
from recocore.profiles import ProfileConfig, Segmentation, SegmentRule, build
from recocore.profiles.row_features import feature_kinds
from recocore.profiles.segment_popular import SegmentPopular
from recocore.service.engine import Engine
from recocore.service.events.personal import StatePeople
from recocore.service.profiles.blending import Blend
from recocore.service.profiles.definitions import Definitions
from recocore.service.profiles.making import ProfileMaker
from recocore.service.queries import Template
from recocore.state import StateReader, StateStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NOW = datetime.now(UTC)
CATEGORIES = ["tea", "mug", "pen"]


def made_index(model: Any) -> Index:
    """Thirty users and twenty items with a category each."""
    rng = np.random.default_rng(3)
    users = [f"user-{number:02}" for number in rng.integers(0, 30, 240)]
    log = Interactions.from_coo(users, [f"i{n:02}" for n in np.minimum(rng.geometric(0.15, 240), 20)])
    items = [str(item) for item in log.items.ids_of(np.arange(len(log.items), dtype=np.int32))]
    columns = {
        "item_id": items,
        "category": [CATEGORIES[place % 3] for place in range(len(items))],
        "tags": [["gift", "wool"] if place % 4 == 0 else ["wool"] for place in range(len(items))],
    }
    attributes = pa.table(columns)
    return Index.build(model.fit(log), log, attributes=attributes)


@pytest.fixture(scope="module")
def index() -> Index:
    return made_index(ALS(factors=4, iterations=3, seed=1))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateReader]:
    path = tmp_path_factory.mktemp("b") / "state"
    with StateStore.open(path) as store:
        at = iter(range(1, 99))
        views = [
            ("user-01", "pen", 3),
            ("user-01", "tea", 1),
            ("cold", "mug", 4),
            ("withdrawn", "mug", 4),
            ("user-02", "tea", 2),
        ]
        store.record(
            [
                {"user_id": user, "type": "view", "item_id": "elsewhere", "category": category,
                 "event_time": NOW - timedelta(minutes=next(at))}
                for user, category, count in views
                for _ in range(count)
            ]
        )  # fmt: skip
        tagged = {"user_id": "tagged", "type": "view", "item_id": "elsewhere", "event_time": NOW - timedelta(minutes=1)}
        store.record([{**tagged, "tags": ["gift", "wool"]}, {**tagged, "tags": ["gift"]}])
        store.set_consent("withdrawn", "personalization", False)
        with StateReader.open(path) as made:
            yield made


def people(
    reader: StateReader, weight: float = 0.0, popular: Mapping[str, tuple[str, ...]] | None = None
) -> StatePeople:
    config = ProfileConfig()
    rule = SegmentRule.parse("lookers", "n_events >= 4", feature_kinds(config))
    definitions = Definitions(config, rules=(rule,), popular=popular or {})
    maker = ProfileMaker(definitions, lambda id_, visitor: reader.user(id_, visitor=visitor))
    # Recent events have a weight of their own in Recommend; here profiles are looked at alone.
    return StatePeople(reader, 0, Blend(maker, weight, definitions.popular, 60.0))


def blended(who: StatePeople, user: str, index: Index, ask: Ask | None = None) -> Template:
    record = who.record(user)
    return who.blend(who.add_to(Template(ask or Ask()), record), record, user, Engine(index))


def test_interests_are_boosts_by_their_share(reader: StateReader, index: Index) -> None:
    found = blended(people(reader, 2.0), "user-01", index)
    assert [(rule.action, rule.where) for rule in found.ask.rules] == [
        ("boost", In("category", ("pen",))),
        ("boost", In("category", ("tea",))),
    ]
    pen, tea = (rule.weight for rule in found.ask.rules)
    assert pen + tea == pytest.approx(2.0, rel=1e-12)
    assert pen / tea == pytest.approx(3.0, rel=1e-3)  # events of the last hour weigh as much as one another, nearly
    assert found.named == Ask()
    plain = {item.item_id: item.score for item in Engine(index).rank(["user-01"], Template(Ask(k=20)))[0].ranked.items}
    ranked = Engine(index).rank(["user-01"], replace(found, ask=replace(found.ask, k=20)))[0].ranked.items
    categories = {item: row["category"] for item in plain for row in index.attributes_of([item], ["category"])}
    added = {"pen": pen, "tea": tea, "mug": 0.0}
    for item in ranked:
        if item.source == "model":
            expected = plain[item.item_id] + added[str(categories[str(item.item_id)])]
            assert item.score == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert [item.score for item in ranked if item.source == "model"] == sorted(
        (item.score for item in ranked if item.source == "model"), reverse=True
    )


def test_an_item_is_moved_by_each_of_its_tags(reader: StateReader, index: Index) -> None:
    found = blended(people(reader, 3.0), "tagged", index)
    assert [(rule.action, rule.where) for rule in found.ask.rules] == [
        ("boost", In("tags", ("gift",))),
        ("boost", In("tags", ("wool",))),
    ]
    assert [rule.weight for rule in found.ask.rules] == [pytest.approx(2.0, rel=1e-12), pytest.approx(1.0, rel=1e-12)]


def test_whom_the_model_does_not_know_gets_what_is_popular_in_the_segment_first(
    reader: StateReader, index: Index
) -> None:
    popular = {"lookers": ("i19", "nowhere", "i07", "i12")}
    who, engine = people(reader, popular=popular), Engine(index)
    found = blended(who, "cold", index, Ask(k=6))
    assert found.ask.popular_first == popular["lookers"]
    ranked = engine.rank(["cold"], found)[0].ranked
    everybody = [str(item.item_id) for item in engine.rank([""], Template(Ask(k=20)))[0].ranked.items]
    listed = [str(item.item_id) for item in ranked.items]
    assert listed == [*("i19", "i07", "i12"), *[item for item in everybody if item not in listed[:3]][:3]]
    assert {item.source for item in ranked.items} == {"popular"}
    assert ranked.missing_ids == ("cold",)
    # The rules of a request hold for them as well.
    second = engine.rank(["cold"], blended(who, "cold", index, Ask(k=2, offset=1, block=("i07",))))[0].ranked
    assert [item.item_id for item in second.items] == ["i12", everybody[0]]
    # Whom the model knows, and who is of no segment, is ranked as before.
    assert blended(who, "user-01", index) == who.add_to(Template(Ask()), who.record("user-01"))
    assert blended(who, "user-02", index).ask.popular_first == ()


def test_what_was_added_is_no_longer_given_again_once_it_is_old(
    reader: StateReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = 1_700_000_000
    monkeypatch.setattr("recocore.service.profiles.blending.time.time_ns", lambda: second * 10**9)
    who, nobody = people(reader, 2.0), StatePeople(reader, 0)
    ages = []
    for after in (0, 1, 59, 1):  # what `people` makes is kept for 60 s
        second += after
        ages.append((who.version(who.record("user-01")), who.version(None), nobody.version(who.record("user-01"))))
    first, soon, later, as_late = (age[0] for age in ages)
    assert first == soon != later == as_late
    assert len({age[1:] for age in ages}) == 1
    assert len({len(version) for age in ages for version in age}) == 1


def test_consent_and_the_request_come_first(reader: StateReader, index: Index) -> None:
    who = people(reader, 2.0, {"lookers": ("i19",)})
    assert blended(who, "withdrawn", index).ask == Ask(personalization="none")
    for personalization in ("none", "context"):
        ask = Ask(personalization=personalization)
        assert blended(who, "user-01", index, ask) == Template(ask)
    assert blended(who, "nobody", index) == Template(Ask())
    own = Rule("bury", item_ids=("i01",))
    assert blended(who, "user-01", index, Ask(rules=(own,))).ask.rules[0] == own


def test_without_such_attributes_there_is_nothing_to_boost(reader: StateReader) -> None:
    rng = np.random.default_rng(3)
    log = Interactions.from_coo([f"user-{n:02}" for n in rng.integers(0, 9, 60)], rng.integers(0, 9, 60))
    bare = Index.build(ItemKNN().fit(log), log)
    assert blended(people(reader, 2.0), "user-01", bare) == Template(Ask())


def test_it_is_off_by_default_and_served_where_it_is_set(index: Index, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    events = [
        {
            "user_id": f"p{user}",
            "item_id": item,
            "type": "buy",
            "event_time": NOW - timedelta(days=user + 1),
            "value": value,
        }
        for user, (item, value) in enumerate(
            [("i17", 5.0), ("i17", 6.0), ("i03", 900.0), ("i03", 901.0), ("i04", 899.0)] * 3
        )
    ]
    batch = EventBatch.from_arrow(pa.Table.from_pylist(events))
    population = build(batch, NOW, ProfileConfig(currency="EUR"))
    segments = Segmentation.fit(population, features=("spend_net", "n_events"), k=2)
    groups = {str(number): [] for number in segments.numbers}  # type: dict[str, list[str]]
    users = population.column("user_id").to_pylist()
    for user, number in zip(users, segments.assign(population).tolist(), strict=True):
        groups[str(number)].append(user)
    popular = SegmentPopular.count(batch, groups)
    assert sorted(items[0] for items in popular.items.values()) == ["i03", "i17"]
    population.save(tmp_path / "profiles.parquet")
    segments.save(tmp_path / "segments.json")
    popular.save(tmp_path / "popular.json")
    assert SegmentPopular.load(tmp_path / "popular.json").items == popular.items
    given = {"population": "profiles.parquet", "segments": "segments.json", "segment_popular": "popular.json"}
    settings = ", ".join(f"{name}={str(tmp_path / file)!r}" for name, file in given.items())
    more = f"profiles=ProfilesConfig({settings})"
    bought = {"type": "buy", "item_id": "elsewhere", "currency": "EUR", "event_time": NOW}
    with StateStore.open(tmp_path / "state") as store:
        store.record([{**bought, "user_id": "rich", "value": 900.0}, {**bought, "user_id": "poor", "value": 5.5}])
    with (
        StateServer.start(tmp_path / "index", tmp_path / "state", settings="recent_events=0", more=more) as running,
        Client(running.address, timeout=30) as client,
    ):
        firsts = {user: client.recommend(user, 1).items[0].item_id for user in ("rich", "poor", "nobody")}
        assert firsts == {"rich": "i03", "poor": "i17", "nobody": _most_popular(index)}
        assert client.recommend("rich", 1, personalization="none").items[0].item_id == firsts["nobody"]
        rows = client.batch_recommend(["rich", "poor"], 1)
        found = [row.result for row in rows if isinstance(row.result, Recommendations)]
        assert [result.items[0].item_id for result in found] == ["i03", "i17"]


def _most_popular(index: Index) -> str:
    return str(index.ask([""], Ask(k=1))[0].items[0].item_id)
