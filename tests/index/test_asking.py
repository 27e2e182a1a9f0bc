"""What an index answers to asks of every kind, compared with loops over every item."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from tests.index.conftest import LEARNERS, fit
from tests.index.reference import Reference

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.index import SOURCES, Ask, Diversity, Index, Rule, SessionEvent, asking, composing, filters

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.index.reference import Values

    from recocore.index import RankedList

BRANDS = ["acme", "bolt", "cord"]
TAGS = ["red", "new", "big", "old"]


@pytest.fixture(scope="session")
def values(log: Interactions) -> list[Values]:
    """The attributes of each item; some have none."""
    rng = np.random.default_rng(11)
    found: list[Values] = []
    for item in range(len(log.items)):
        tags = rng.permutation(TAGS)[: rng.integers(0, 4)].tolist()
        values = {
            "brand": BRANDS[rng.integers(0, 3)] if rng.random() < 0.85 else None,
            "tags": tags or None,
            "price": float(rng.integers(1, 30)) if rng.random() < 0.85 else None,
            "sold_out": bool(rng.random() < 0.3) if item % 5 else None,
        }
        found.append({name: value for name, value in values.items() if value is not None})
    return found


def table(log: Interactions, values: list[Values]) -> pa.Table:
    rows = [{"item_id": item, **row} for item, row in zip(log.items.ids_of(range(len(values))), values, strict=True)]
    types = {
        "item_id": pa.int64(),
        "brand": pa.string(),
        "tags": pa.list_(pa.string()),
        "price": pa.float64(),
        "sold_out": pa.bool_(),
    }
    return pa.Table.from_pylist(rows[::-1], schema=pa.schema(list(types.items())))


@pytest.fixture(scope="session", params=list(LEARNERS))
def asked(request: pytest.FixtureRequest, log: Interactions, values: list[Values]) -> Index:
    """An index with attributes, of each kind of scorer."""
    return Index.build(fit(request.param, log), log, attributes=table(log, values))


def random_filter(rng: Any, depth: int = 0) -> filters.Filter:  # noqa: PLR0911
    kind = rng.integers(0, 9 if depth < 3 else 6)
    if kind == 0:
        return filters.In("brand", tuple(rng.permutation([*BRANDS, "none"])[: rng.integers(0, 3)].tolist()))
    if kind == 1:
        return filters.In("tags", tuple(rng.permutation(TAGS)[: rng.integers(1, 3)].tolist()))
    if kind == 2:
        return filters.In("sold_out", (bool(rng.random() < 0.5),))
    if kind == 3:
        return filters.Exists(rng.choice(["brand", "tags", "price", "sold_out"]).item())
    if kind == 4:
        return filters.In("price", tuple(rng.integers(1, 30, 6).tolist()))
    if kind == 5:
        low = float(rng.integers(0, 25))
        bounds = {"at_least": low, "above": low, "below": low + 12, "at_most": low + 12}
        return filters.Range("price", **{name: bounds[name] for name in rng.permutation(list(bounds))[:2]})
    if kind == 6:
        return filters.Not(random_filter(rng, depth + 1))
    parts = tuple(random_filter(rng, depth + 1) for _ in range(rng.integers(0, 4)))
    return filters.All(parts) if kind == 7 else filters.Any(parts)


def random_rule(rng: Any, items: list[Any]) -> Rule:
    which: dict[str, Any] = {"where": random_filter(rng)}
    if rng.random() < 0.6:
        which = {"item_ids": tuple(rng.permutation([*items, 9999])[: rng.integers(1, 5)].tolist())}
    action = rng.choice(["boost", "bury", "pin"]).item()
    # Halves, so that sums with counts and small products are exact in float32 and ties are ties.
    return Rule(action, **which, weight=float(rng.integers(-6, 7)) / 2, slot=int(rng.integers(0, 8)))


def random_ask(rng: Any, items: list[Any], kind: str) -> Ask:
    """Each part is there in some of the asks."""

    def some(most: int) -> tuple[Any, ...]:
        return tuple(rng.permutation([*items, 9999])[: rng.integers(1, most)].tolist())

    maybe = rng.random(8) < 0.4
    ratings = kind == "ratings"
    session = tuple(SessionEvent(item, float(rng.integers(1 if ratings else -1, 5))) for item in some(6))
    diversity = None
    if maybe[5]:
        relevance = [None, 0.0, 0.3, 0.8, 1.0][rng.integers(0, 5)]
        capped = {"max_per_group": int(rng.integers(1, 4)), "group_field": ["brand", "tags"][rng.integers(0, 2)]}
        diversity = Diversity(relevance, **(capped if rng.random() < 0.6 else {}))
    fallbacks = [(), ("popular",), ("similar",), ("similar", "popular"), ("popular", "similar")]
    return Ask(
        k=int(rng.integers(1, 25)),
        offset=int(rng.integers(0, 8)) if maybe[0] else 0,
        exclude_seen=bool(rng.random() < 0.7),
        allow=some(18) if maybe[1] and rng.random() < 0.6 else None,
        block=some(6) if maybe[2] else (),
        where=random_filter(rng) if maybe[3] else None,
        rules=tuple(random_rule(rng, items) for _ in range(rng.integers(1, 5))) if maybe[4] else (),
        diversity=diversity,
        session=session if maybe[6] else (),
        context_item_ids=some(4) if maybe[7] else (),
        personalization=["full", "context", "none"][rng.choice(3, p=[0.6, 0.2, 0.2])],
        fallbacks=fallbacks[rng.integers(0, 5)],
    )


def compare(found: RankedList, wanted: list[Any], index: Index) -> None:
    assert [item.item_id for item in found.items] == index.items.ids_of([entry.item for entry in wanted])
    assert [item.source for item in found.items] == [entry.source for entry in wanted]
    assert [item.score for item in found.items] == pytest.approx([e.score for e in wanted], rel=2e-5, abs=2e-5)
    used = [entry.kind for entry in wanted]
    assert found.fallback_used == ("popular" if "popular" in used else "similar" if "similar" in used else "none")


@pytest.mark.parametrize("seed", range(4))
def test_asks_of_every_kind(
    asked: Index, log: Interactions, values: list[Values], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        for module in (asking, composing):
            monkeypatch.setattr(module, "DIVERSE_AMONG", 6)
    rng = np.random.default_rng([seed, 5])
    reference = Reference(asked, values)
    items = log.items.ids_of(range(len(values)))
    for _ in range(60):
        ask = random_ask(rng, items, asked.scorer.kind)
        users = rng.permutation([*range(30), -1])[:3].tolist()
        names = ["nobody" if user < 0 else log.users.id_of(user) for user in users]
        for user, found in zip(users, asked.ask(names, ask), strict=True):
            compare(found, reference.page(user, ask), asked)
        unknown = [item for item in (*(ask.allow or ()), *ask.block) if item == 9999]
        assert bool(unknown) <= (9999 in asked.missing_of(ask))


@pytest.mark.parametrize("seed", range(2))
def test_similar_asks_of_every_kind(asked: Index, log: Interactions, values: list[Values], seed: int) -> None:
    rng = np.random.default_rng([seed, 6])
    reference = Reference(asked, values)
    items = log.items.ids_of(range(len(values)))
    for _ in range(40):
        ask = random_ask(rng, items, asked.scorer.kind)
        chosen = rng.permutation(len(items)).tolist()
        # Means over 1, 2 and 4 are exact, so that what is as like the seeds as the negatives is so here and there.
        seeds, negatives = chosen[: rng.choice([0, 1, 2, 4])], chosen[4:][: rng.choice([0, 0, 1, 2, 4])]
        found = asked.similar([*asked.items.ids_of(seeds), 7], asked.items.ids_of(negatives), ask)
        compare(found, reference.similar(seeds, negatives, ask), asked)
        assert found.missing_ids[0] == 7


def test_plain_asks_are_what_recommend_answers(asked: Index, log: Interactions) -> None:
    users = [*log.users.ids_of(range(30)), "nobody"]
    for arguments in (
        {"k": 7},
        {"k": 50, "exclude_seen": False, "explain": 2},
        {"k": 4, "allow": (10, 20, 30, 77), "block": (20, 9999)},
    ):
        ask = Ask(**arguments)
        assert asked.ask(users, ask) == asked.recommend(users, **arguments)
        short = asked.ask(users, Ask(**arguments, fallbacks=()))
        assert short == asked.recommend(users, **arguments, fallback="none")
    assert asked.recommend(["user-01"], 4, allow=[10, 77], block=[9999])[0].missing_ids == (77, 9999)


def test_an_ask_that_changes_nothing_gets_the_plain_list(asked: Index, log: Interactions) -> None:
    users = [*log.users.ids_of(range(30)), "nobody"]
    for k in (3, 9, 30):
        plain = asked.ask(users, Ask(k=k, explain=2))
        for ask in (
            Ask(k=k, explain=2, rules=(Rule("boost", item_ids=(10,), weight=0.0),)),
            Ask(k=k, explain=2, diversity=Diversity(relevance=1.0)),
            Ask(k=k, explain=2, session=(SessionEvent(9999), SessionEvent(7))),
        ):
            assert not ask.is_plain
            for one, other in zip(plain, asked.ask(users, ask), strict=True):
                assert [item.item_id for item in one.items] == [item.item_id for item in other.items]
                assert one.items == other.items or asked.scorer.kind == "user_neighbors"
                assert one.fallback_used == other.fallback_used


def test_pages_are_parts_of_one_list(asked: Index, log: Interactions, values: list[Values]) -> None:
    rng = np.random.default_rng(3)
    items = log.items.ids_of(range(len(values)))
    for _ in range(20):
        ask = replace(random_ask(rng, items, asked.scorer.kind), k=40, offset=0)
        user = [log.users.id_of(int(rng.integers(0, 30)))]
        whole = asked.ask(user, ask)[0].items
        pages = [asked.ask(user, replace(ask, k=3, offset=at))[0].items for at in range(0, 24, 3)]
        assert tuple(item for page in pages for item in page) == whole
        assert len({item.item_id for item in whole}) == len(whole)


def test_many_users_get_what_each_gets_alone(asked: Index, log: Interactions, values: list[Values]) -> None:
    rng = np.random.default_rng(4)
    items = log.items.ids_of(range(len(values)))
    users = ["nobody", *log.users.ids_of(range(12)), "somebody", "user-03"]
    for _ in range(10):
        ask = replace(random_ask(rng, items, asked.scorer.kind), explain=2)
        assert asked.ask(users, ask) == [asked.ask([user], ask)[0] for user in users]
        assert asked.ask(users, ask, num_threads=2) == asked.ask(users, ask)


def test_arrays_are_the_same_lists(asked: Index, log: Interactions, values: list[Values]) -> None:
    rng = np.random.default_rng(8)
    items = log.items.ids_of(range(len(values)))
    for _ in range(10):
        ask = replace(random_ask(rng, items, asked.scorer.kind), explain=1)
        named = asked.ask(["nobody", "user-05"], ask)
        bare = asked.ask_arrays(np.array([-1, 5], np.int32), ask)
        for one, other in zip(named, bare, strict=True):
            assert [item.item_id for item in one.items] == asked.items.ids_of(other.items)
            assert [item.score for item in one.items] == other.scores.tolist()
            assert [item.source for item in one.items] == [SOURCES[source] for source in other.sources.tolist()]
            assert one.fallback_used == other.fallback_used
            assert len(other.reasons) == len(other.items)
            assert (str(other.items.dtype), str(other.scores.dtype), str(other.sources.dtype)) == (
                *("int32", "float32"),
                "uint8",
            )
    with pytest.raises(InvalidArgumentError, match=r"user_indices: expected indices in \[-1, 30\), got -2 to -2"):
        asked.ask_arrays(np.array([-2], np.int32), Ask())


@pytest.mark.parametrize("is_plain", [True, False])
def test_columns_are_the_same_lists(asked: Index, values: list[Values], is_plain: bool) -> None:
    rng = np.random.default_rng(9)
    items = asked.items.ids_of(range(len(values)))
    users = asked.users.ids_of(range(6))
    for number in range(10):
        # Plain ones from the model alone, filled up by popular items, and behind the end of the list.
        plain = Ask(k=4 + 40 * (number % 3), offset=50 * (number % 2), fallbacks=("popular",) if number % 4 else ())
        ask = plain if is_plain else replace(random_ask(rng, items, asked.scorer.kind), explain=0)
        assert ask.is_plain or not is_plain
        for some in (users, ["nobody", *users], []):
            named, columns = asked.ask(some, ask), asked.ask_columns(asked.users.indices_of(some), ask)
            begins = [0, *columns.ends]
            assert len(columns.ends) == len(some)
            assert begins[-1] == len(columns.item_ids) == len(columns.scores) == len(columns.sources)
            for one, begin, end in zip(named, begins, columns.ends, strict=False):
                assert [item.item_id for item in one.items] == columns.item_ids[begin:end]
                assert [item.score for item in one.items] == columns.scores[begin:end].tolist()
                assert [item.source for item in one.items] == [SOURCES[s] for s in columns.sources[begin:end].tolist()]
            assert [one.fallback_used for one in named] == columns.fallbacks_used
    with pytest.raises(InvalidArgumentError, match=r"user_indices: expected indices in"):
        asked.ask_columns(np.array([-2], np.int32), Ask())


def test_without_personalization_no_record_is_read(asked: Index, log: Interactions) -> None:
    users = [*log.users.ids_of(range(30)), "nobody"]
    for ask in (
        Ask(k=8, personalization="context", session=(SessionEvent(30),), context_item_ids=(40,)),
        Ask(k=8, personalization="none", session=(SessionEvent(30),)),
        Ask(k=8, personalization="none", context_item_ids=(40,), fallbacks=("similar", "popular"), explain=2),
    ):
        lists = asked.ask(users, ask)
        assert all(found == lists[-1] for found in lists)
        assert {item.source for item in lists[0].items} <= {"session", "context", "popular"}
    alone = asked.ask(["user-01"], Ask(k=20, personalization="none", session=(SessionEvent(30),)))[0]
    assert [item.item_id for item in alone.items] == asked.items.ids_of(asked.popular.order)


def test_reasons_of_a_session_are_items_of_it_or_of_the_record(asked: Index, log: Interactions) -> None:
    if asked.scorer.kind == "popularity":
        pytest.skip("popularity has no reasons")
    session = (SessionEvent(30, 5.0), SessionEvent(50, 3.0))
    [found] = asked.ask(["nobody"], Ask(k=5, session=session, explain=20))
    reasons = [reason for item in found.items for reason in item.reasons]
    assert reasons
    assert {reason.item_id for reason in reasons} <= {30, 50}
    if asked.scorer.kind != "ratings":  # whose scores begin with the mean
        for item in found.items:
            if item.source != "popular" and len(item.reasons) == 2:
                assert sum(reason.weight for reason in item.reasons) == pytest.approx(item.score, rel=1e-4)


@pytest.mark.parametrize(
    ("ask", "field", "message"),
    [
        (Ask(where=filters.Exists("colour")), "where.field", "'colour' is no attribute .* it has brand"),
        (
            Ask(where=filters.All((filters.Exists("brand"), filters.Not(filters.In("price", ("x",)))))),
            "where.of[1].of.values",
            "expected numbers, as the field 'price' is a number, got 'x'",
        ),
        (Ask(where=filters.In("brand", (1.0,))), "where.values", "expected texts"),
        (Ask(where=filters.In("sold_out", (1,))), "where.values", "expected flags"),
        (Ask(where=filters.In("price", (True,))), "where.values", "expected numbers"),
        (Ask(where=filters.Any((filters.Range("tags", below=3),))), "where.of[0].field", "only numbers have a range"),
        (Ask(rules=(Rule("bury", where=filters.Exists("x")),)), "rules[0].where.field", "no attribute"),
        (
            Ask(diversity=Diversity(max_per_group=2, group_field="price")),
            "diversity.group_field",
            "expected a text, .* got the number 'price'",
        ),
    ],
)
def test_what_a_filter_cannot_mean_is_named(asked: Index, ask: Ask, field: str, message: str) -> None:
    asked.ask(["user-01"], Ask(where=filters.In("price", (1.0,))))  # equal to True, and kept
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            asked.ask(["user-01"], ask)
        assert caught.value.field == field
        assert str(caught.value).startswith(field)


def test_ids_of_another_type_are_named(log: Interactions) -> None:
    words = Interactions.from_coo(["ann", "bob"], ["tea", "pot"])
    index = Index.build(fit("popularity", words), words)
    for ask, field in (
        (Ask(allow=(1,)), "allow"),
        (Ask(block=(1.5,)), "block"),  # type: ignore[arg-type]
        (Ask(context_item_ids=(1,)), "context_item_ids"),
        (Ask(rules=(Rule("pin", item_ids=(2,)),)), "rules[0].item_ids"),
    ):
        with pytest.raises(InvalidArgumentError) as caught:
            index.ask_arrays(np.array([0], np.int32), ask)
        assert caught.value.field == field


def nested(depth: int) -> filters.Filter:
    """So many levels."""
    found: filters.Filter = filters.Exists("x")
    for _ in range(depth - 1):
        found = filters.Not(found)
    return found


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Ask(k=0), "k"),
        (lambda: Ask(offset=-1), "offset"),
        (lambda: Ask(k=2**31), "k"),
        (lambda: Ask(explain=-1), "explain"),
        (lambda: Ask(allow=[1]), "allow"),  # type: ignore[arg-type]
        (lambda: Ask(block="x"), "block"),  # type: ignore[arg-type]
        (lambda: Ask(where="brand = acme"), "where"),  # type: ignore[arg-type]
        (lambda: Ask(rules=[Rule("pin", item_ids=(1,))]), "rules"),  # type: ignore[arg-type]
        (lambda: Ask(session=("a",)), "session"),  # type: ignore[arg-type]
        (lambda: Ask(diversity=0.5), "diversity"),  # type: ignore[arg-type]
        (lambda: Ask(personalization="some"), "personalization"),  # type: ignore[arg-type]
        (lambda: Ask(fallbacks=("similar", "similar")), "fallbacks"),
        (lambda: Ask(fallbacks=("random",)), "fallbacks"),  # type: ignore[arg-type]
        (lambda: Rule("hide", item_ids=(1,)), "action"),  # type: ignore[arg-type]
        (lambda: Rule("pin"), "rule"),
        (lambda: Rule("pin", where=filters.Exists("x"), item_ids=(1,)), "rule"),
        (lambda: Rule("pin", item_ids=(1,), slot=-1), "slot"),
        (lambda: Rule("boost", item_ids=(1,), weight=float("nan")), "weight"),
        (lambda: Rule("boost", item_ids=(1,), weight=1e31), "weight"),
        (lambda: SessionEvent(1, float("inf")), "weight"),
        (lambda: SessionEvent(1.5), "item_id"),  # type: ignore[arg-type]
        (lambda: Diversity(relevance=1.1), "relevance"),
        (lambda: Diversity(max_per_group=1), "group_field"),
        (lambda: Diversity(group_field="brand"), "max_per_group"),
        (lambda: Diversity(max_per_group=0, group_field="brand"), "max_per_group"),
        (lambda: filters.In("", ("x",)), "field"),
        (lambda: filters.In("x", ["y"]), "values"),  # type: ignore[arg-type]
        (lambda: filters.In("x", (float("nan"),)), "values"),
        (lambda: filters.In("x", tuple(map(str, range(10_001)))), "values"),
        (lambda: filters.Range("x"), "range"),
        (lambda: filters.Range("x", below=True), "below"),
        (lambda: filters.Range("x", above=float("nan")), "above"),
        (lambda: filters.All((filters.Exists("x"), "y")), "of"),  # type: ignore[arg-type]
        (lambda: filters.Any((filters.Exists("x"),) * 64), "filter"),
        (lambda: filters.All((filters.In("x", tuple(map(str, range(6000)))),) * 2), "filter"),
        (lambda: nested(17), "filter"),
    ],
)
def test_what_cannot_be_asked_is_named(make: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make()
    assert caught.value.field == field
    assert str(caught.value).startswith(field)


def test_filters_of_many_levels_are_taken() -> None:
    assert nested(16) == nested(16)


def test_asks_compare_by_what_they_ask(asked: Index) -> None:
    first, second = (Ask(k=3, where=filters.Not(filters.In("brand", ("acme", "bolt")))) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert filters.In("price", (1.0,)) != filters.In("price", (True,))
    assert len({filters.All(()), filters.Any(()), Ask(), Ask(k=10), Ask(k=11)}) == 4


@pytest.mark.parametrize("seed", range(3))
def test_what_a_user_has_had_since_is_as_blocked_and_is_no_id_of_the_ask(
    asked: Index, log: Interactions, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    items, users = log.items.ids_of(np.arange(len(log.items))), ["user-01", "user-05", "nobody"]
    changed = 0
    for _ in range(30):
        ask = random_ask(rng, items, asked.model)
        had = tuple(rng.permutation([*items, 9999])[: rng.integers(1, 6)].tolist())
        found = asked.ask(users, replace(ask, had=had))
        plain = asked.ask(users, ask)
        blocked = asked.ask(users, replace(ask, block=(*ask.block, *had)))
        assert [ranked.items for ranked in found] == [
            ranked.items for ranked in (blocked if ask.exclude_seen else plain)
        ]
        assert [ranked.missing_ids for ranked in found] == [ranked.missing_ids for ranked in plain]
        changed += [ranked.items for ranked in found] != [ranked.items for ranked in plain]
    assert changed > 5
