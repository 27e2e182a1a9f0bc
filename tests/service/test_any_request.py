"""Any well-formed request to a real model is answered as a plain reading of it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.service import brute_force
from tests.service.server_process import ServerProcess

from recocore import Index, Interactions, client
from recocore.index import Ask, Diversity, Rule, filters
from recocore.models import ALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USERS = [f"user-{number:02}" for number in range(12)]
ITEMS = [f"i{number:02}" for number in range(24)]
EVERY = 60


def attributes_of(item: str) -> dict[str, Any]:
    number = int(item[1:])
    some: dict[str, Any] = {"brand": f"b{number % 5}", "tags": [f"t{number % 2}", f"t{number % 3}"]}
    if number % 4:
        some["price"] = float(number % 7)
    if number % 3:
        some["sale"] = number % 2 == 0
    return some


ATTRIBUTES = {item: attributes_of(item) for item in ITEMS}


@pytest.fixture(scope="module")
def index() -> Index:
    rng = np.random.default_rng(11)
    log = Interactions.from_coo(
        [*(USERS[number] for number in rng.integers(0, len(USERS), 90)), *([USERS[0]] * len(ITEMS))],
        [*(ITEMS[number] for number in np.minimum(rng.geometric(0.12, 90), len(ITEMS)) - 1), *ITEMS],
    )
    columns = {name: [ATTRIBUTES[item].get(name) for item in ITEMS] for name in ("brand", "tags", "price", "sale")}
    return Index.build(ALS(factors=6, seed=1).fit(log), log, attributes={"item_id": ITEMS, **columns})


@pytest.fixture(scope="module")
def server(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Iterator[client.Client]:
    path: Path = tmp_path_factory.mktemp("any") / "index"
    index.save(path)
    with ServerProcess.serve(path) as process, client.Client(process.address, timeout=20) as connected:
        connected.wait_until_ready()
        yield connected


CONDITIONS = st.one_of(
    st.builds(filters.In, st.just("brand"), st.lists(st.sampled_from(["b0", "b1", "b3", "zz"]), min_size=1).map(tuple)),
    st.builds(filters.In, st.just("tags"), st.lists(st.sampled_from(["t0", "t1", "t2"]), min_size=1).map(tuple)),
    st.builds(filters.In, st.just("price"), st.lists(st.integers(0, 7).map(float), min_size=1).map(tuple)),
    st.builds(filters.In, st.just("sale"), st.lists(st.booleans(), min_size=1).map(tuple)),
    st.builds(filters.Range, st.just("price"), at_least=st.integers(0, 6).map(float), below=st.none() | st.just(5.0)),
    st.builds(filters.Range, st.just("price"), above=st.none() | st.just(1.0), at_most=st.integers(0, 6).map(float)),
    st.builds(filters.Exists, st.sampled_from(["brand", "price", "sale"])),
)
FILTERS: st.SearchStrategy[filters.Filter] = st.recursive(
    CONDITIONS,
    lambda parts: st.one_of(
        st.builds(filters.All, st.lists(parts, min_size=1, max_size=3).map(tuple)),
        st.builds(filters.Any, st.lists(parts, min_size=1, max_size=3).map(tuple)),
        st.builds(filters.Not, parts),
    ),
    max_leaves=6,
)
SOME_IDS = st.lists(st.sampled_from([*ITEMS, "unknown"]), max_size=8, unique=True).map(tuple)
WHICH = st.one_of(
    st.fixed_dictionaries({"where": FILTERS}), st.fixed_dictionaries({"item_ids": SOME_IDS.filter(lambda ids: ids)})
)
# Halves: sums of boosts are exact.
BOOSTS = st.builds(
    lambda which, halves: Rule("boost", weight=halves / 2, **which), WHICH, st.integers(-6, 6).filter(bool)
)
BURIES = st.builds(lambda which: Rule("bury", **which), WHICH)
PINS = st.builds(
    lambda item_ids, slot: Rule("pin", item_ids=item_ids, slot=slot),
    SOME_IDS.filter(lambda ids: ids),
    st.integers(0, 30),
)
CAPS = st.builds(Diversity, max_per_group=st.integers(1, 3), group_field=st.just("brand"))


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    pinned = draw(st.booleans())
    return Ask(
        k=draw(st.integers(1, 30)),
        exclude_seen=draw(st.booleans()),
        allow=draw(st.none() | SOME_IDS.filter(lambda ids: ids)),
        block=draw(SOME_IDS),
        where=draw(st.none() | FILTERS),
        rules=tuple(draw(st.lists(BOOSTS | BURIES | (PINS if pinned else BURIES), max_size=3))),
        # Pins beyond a cap are a story of their own: see the tests of the index.
        diversity=None if pinned else draw(st.none() | CAPS),
        personalization=draw(st.sampled_from(["full", "context", "none"])),
        # What is pinned has a rank here: an item without one is the index's to score.
        fallbacks=draw(st.sampled_from([("popular",), ("similar", "popular"), *([] if pinned else [()])])),
    )


def client_filter(given_: filters.Filter) -> client.Filter:
    kind: Any = getattr(client, type(given_).__name__)
    if isinstance(given_, filters.All | filters.Any):
        return kind([client_filter(part) for part in given_.of])  # type: ignore[no-any-return]
    if isinstance(given_, filters.Not):
        return kind(client_filter(given_.of))  # type: ignore[no-any-return]
    return kind(**{name: getattr(given_, name) for name in kind.__dataclass_fields__})  # type: ignore[no-any-return]


def options_of(ask: Ask) -> dict[str, Any]:
    return {
        "exclude_item_ids": ask.block,
        "candidate_item_ids": ask.allow or (),
        "seen_policy": "exclude" if ask.exclude_seen else "include",
        "filter": ask.where and client_filter(ask.where),
        "rules": [
            client.Rule(
                rule.action,
                None if rule.where is None else client_filter(rule.where),
                [str(item) for item in rule.item_ids],
                rule.weight,
                rule.slot,
            )
            for rule in ask.rules
        ],
        "diversity": ask.diversity
        and client.Diversity(None, ask.diversity.max_per_group or 0, ask.diversity.group_field or ""),
        "personalization": ask.personalization,
        "fallback": list(ask.fallbacks),
    }


def expected(index: Index, user: str, ask: Ask) -> Any:
    row = index.users.index_of(user) if ask.personalization == "full" else -1
    scores: dict[Any, float] = {}
    seen: set[Any] = set()
    if row >= 0:
        users = np.array([row], np.int32)
        ranked = index.recommend_arrays(users, len(ITEMS), exclude_seen=False)
        scores = dict(zip(index.items.ids_of(ranked.ids[0]), ranked.scores[0].tolist(), strict=True))
        seen = set(index.items.ids_of(index.scorer.interactions.row(row)[0]))
    popular = dict(zip(ITEMS, index.popular.counts.tolist(), strict=True))
    return brute_force.page(
        ask,
        {str(item): score for item, score in scores.items()},
        "model",
        {"popular": popular, "similar": {}},
        ATTRIBUTES,
        {str(item) for item in seen} if ask.exclude_seen else set(),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=st.sampled_from([*USERS, "nobody"]), ask=asks(), size=st.integers(1, 9), packed=st.booleans())
def test_any_request_is_answered_as_it_reads(
    index: Index, server: client.Client, user: str, ask: Ask, size: int, packed: bool
) -> None:
    options = options_of(ask)
    answer = server.recommend(user, ask.k, packed=packed, **options)
    wanted = expected(index, user, ask)
    assert [(item.item_id, item.source) for item in answer.items] == [
        (item.item_id, item.source) for item in wanted.items
    ]
    assert [item.score for item in answer.items] == pytest.approx([item.score for item in wanted.items], abs=1e-4)
    assert answer.fallback_used == wanted.fallback_used
    named = (*(ask.allow or ()), *(item for rule in ask.rules for item in rule.item_ids))
    unknown = ["nobody"] if user == "nobody" and ask.personalization == "full" else []
    assert list(answer.missing_ids) == unknown + ["unknown"] * ("unknown" in named)
    # The pages of a list add up to it, and a batch says the same.
    pages = list(server.recommend_pages(user, size, **options))
    everything = server.recommend(user, EVERY, **options).items
    assert [item for page in pages for item in page.items] == list(everything)
    assert everything[: ask.k] == answer.items
    (row,) = server.batch_recommend([user], ask.k, packed=packed, **options)
    assert not isinstance(row.result, client.ServiceError)
    assert row.result.items == answer.items
