"""What an index answers, compared with plain dictionaries and sorting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError, NotFoundError, OutOfMemoryError
from recocore.index import Index, RankedList

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.index import FittedModel

    Fit = Callable[..., FittedModel]


def seen_by(log: Interactions) -> dict[str, set[int]]:
    seen: dict[str, set[int]] = {user: set() for user in log.users.ids_of(range(len(log.users)))}
    coo = log.matrix.to_scipy().tocoo()
    for row, column in zip(coo.row.tolist(), coo.col.tolist(), strict=True):
        seen[log.users.id_of(row)].add(log.items.id_of(column))
    return seen


def popular(log: Interactions) -> list[int]:
    counts = dict.fromkeys(log.items.ids_of(range(len(log.items))), 0)
    for items in seen_by(log).values():
        for item in items:
            counts[item] += 1
    return sorted(counts, key=lambda item: (-counts[item], item))


def ids(ranked: RankedList, source: str | None = None) -> list[object]:
    return [item.item_id for item in ranked.items if source in (None, item.source)]


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("k", [1, 5, 50])
@pytest.mark.parametrize("lists", [(None, None), ([10, 20, 30, 40, 150], [20]), (None, [10, 20, 30])])
def test_factors_rank_as_sorting_by_score_does(
    factors: Index, log: Interactions, k: int, exclude_seen: bool, lists: tuple[list[int] | None, list[int] | None]
) -> None:
    allow, block = lists
    items = log.items.ids_of(range(20))
    for user, seen in seen_by(log).items():
        scores = dict(zip(items, factors.score(user, items).scores.tolist(), strict=True))
        barred = set(block or ()) | (seen if exclude_seen else set())
        wanted = sorted((set(items if allow is None else allow)) - barred, key=lambda item: (-scores[item], item))[:k]
        [ranked] = factors.recommend([user], k, exclude_seen=exclude_seen, allow=allow, block=block)
        assert ids(ranked) == wanted
        assert [item.score for item in ranked.items] == pytest.approx([scores[item] for item in wanted], rel=1e-5)
        assert {item.source for item in ranked.items} <= {"model"}
        assert ranked.fallback_used == "none"


def test_many_users_get_what_each_gets_alone(built: Index, log: Interactions) -> None:
    users = [*log.users.ids_of(range(30)), "nobody", "user-03"]
    together = built.recommend(users, 6, explain=2, block=[10])
    assert together == [built.recommend([user], 6, explain=2, block=[10])[0] for user in users]


def test_arrays_are_the_same_ranking(factors: Index, log: Interactions) -> None:
    ranked = factors.recommend_arrays(np.arange(30, dtype=np.int32), 6)
    lists = factors.recommend(log.users.ids_of(range(30)), 6)
    assert [log.items.ids_of(row[row >= 0]) for row in ranked.ids] == [ids(ranked) for ranked in lists]
    with pytest.raises(InvalidArgumentError, match=r"user_indices: expected indices in \[0, 30\), got -1 to 2"):
        factors.recommend_arrays(np.array([2, -1], np.int32))


def test_unknown_users_get_popular_items(built: Index, log: Interactions) -> None:
    [ranked] = built.recommend(["nobody"], 4, explain=3)
    assert ids(ranked, "popular") == ids(ranked) == popular(log)[:4]
    assert ranked.fallback_used == "popular"
    assert [item.score for item in ranked.items] == sorted((item.score for item in ranked.items), reverse=True)
    assert all(item.reasons == () for item in ranked.items)


def test_unknown_users_get_nothing_where_that_is_asked_for(built: Index) -> None:
    assert built.recommend(["nobody"], 4, fallback="none") == [RankedList(())]


def test_the_lists_hold_for_the_fallback(factors: Index, log: Interactions) -> None:
    best = popular(log)
    [ranked] = factors.recommend(["nobody"], 3, allow=[*best[2:6], 999], block=[best[3], 998, 999])
    assert ids(ranked) == [best[2], best[4], best[5]]
    assert ranked.missing_ids == (999, 998)
    [empty] = factors.recommend(["nobody"], 3, allow=[])
    assert empty == RankedList(())


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_short_lists_are_filled_after_the_model(fitted: Fit, exclude_seen: bool) -> None:
    # ann's items link to "c" alone; "d" and "e" are popular elsewhere.
    users = ["ann", "ann", "bob", "bob", "bob", "cid", "cid", "dan", "dan", "eve"]
    items = ["a", "b", "a", "b", "c", "d", "e", "d", "e", "d"]
    log = Interactions.from_coo(users, items)
    index = Index.build(fitted("item_neighbors", log), log)
    [ranked] = index.recommend(["ann"], 5, exclude_seen=exclude_seen)
    model = ids(ranked, "model")
    rest = [item for item in ["d", "a", "b", "e", "c"] if item not in model and not (exclude_seen and item in "ab")]
    assert ids(ranked) == [*model, *rest]
    assert ids(ranked, "popular") == rest
    assert ranked.fallback_used == "popular"
    [short] = index.recommend(["ann"], 5, exclude_seen=exclude_seen, fallback="none")
    assert ids(short) == model
    assert short.fallback_used == "none"


def test_a_user_without_interactions_is_as_good_as_unknown(fitted: Fit) -> None:
    log = Interactions.from_coo(["ann", "bob", "bob"], ["a", "a", "b"])
    emptied = log.subset_users([1])
    index = Index.build(fitted("factors", emptied), emptied)
    assert index.recommend(["ann"], 2) == index.recommend(["nobody"], 2)


def test_integer_ids_are_known_by_their_text(factors: Index) -> None:
    assert factors.recommend(["user-01"], 3, block=["10", "x"]) == [
        RankedList(ranked.items, ranked.fallback_used, ("x",))
        for ranked in factors.recommend(["user-01"], 3, block=[10])
    ]


@pytest.mark.parametrize("k", [1, 30])
def test_similar_items_leave_the_item_out(built: Index, k: int) -> None:
    known, unknown, again = built.similar_items([10, 7, 10], k)
    assert known == again
    assert len(known.items) <= min(k, 19)
    assert 10 not in ids(known)
    assert unknown == RankedList((), missing_ids=(7,))


def test_scores_come_in_the_order_asked(factors: Index) -> None:
    found = factors.score("user-02", [30, 5, 10, 30, 5])
    assert found.item_ids == (30, 10, 30)
    assert found.missing_ids == (5,)
    assert found.scores[0] == found.scores[2] != found.scores[1]
    assert found.scores.dtype == np.float32


def test_reasons_are_the_users_own_items(built: Index, log: Interactions) -> None:
    seen = seen_by(log)["user-04"]
    [ranked] = built.recommend(["user-04"], 5, explain=2, fallback="none")
    for item in ranked.items:
        assert len(item.reasons) <= 2
        assert {reason.item_id for reason in item.reasons} <= seen
        alone = built.explain("user-04", item.item_id, 2)
        assert [reason.item_id for reason in item.reasons] == [reason.item_id for reason in alone]
        assert [reason.weight for reason in item.reasons] == pytest.approx([reason.weight for reason in alone])
    if built.scorer.kind != "popularity":
        assert any(item.reasons for item in ranked.items)


def test_whom_it_does_not_know_it_names(factors: Index) -> None:
    with pytest.raises(NotFoundError, match="user_id: 'nobody' is not in this index"):
        factors.score("nobody", [10])
    with pytest.raises(NotFoundError, match="user_id: 'nobody'"):
        factors.explain("nobody", 10)
    with pytest.raises(NotFoundError, match="item_id: 11 is not in this index"):
        factors.explain("user-01", 11)


def test_no_users_no_lists(built: Index) -> None:
    assert built.recommend([], 3) == []
    assert built.similar_items([], 3) == []
    assert built.score("user-01", []).item_ids == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"user_ids": "ann"}, "user_ids: expected a sequence of ids, got one: 'ann'; put it in a list"),
        ({"k": 0}, "k: expected a whole number of at least 1, got 0"),
        ({"k": 2.5}, "k: expected a whole number of at least 1, got 2.5"),
        ({"k": True}, "k: expected a whole number of at least 1, got True"),
        ({"explain": -1}, "explain: expected a whole number of at least 0, got -1"),
        ({"fallback": "magic"}, 'fallback: expected "popular" or "none", got \'magic\''),
        ({"block": 10}, "block: expected a sequence of ids, got one: 10"),
    ],
)
def test_bad_arguments_are_named(factors: Index, arguments: dict[str, object], message: str) -> None:
    call: dict[str, object] = {"user_ids": ["user-01"], **arguments}
    with pytest.raises(InvalidArgumentError) as caught:
        factors.recommend(**call)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.field == next(iter(arguments))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda index: index.recommend(["user-01"], num_threads="x"), "num_threads: expected a whole number"),
        (
            lambda index: index.recommend(["user-01"], 2**31),
            r"k: expected a whole number below 2\*\*31, got 2147483648",
        ),
        (lambda index: index.recommend(["user-01"], explain=2**31), "explain: expected a whole number"),
        (lambda index: index.recommend(None), "user_ids: expected a sequence of ids, got NoneType"),
        (lambda index: index.recommend(["user-01"], allow=1.5), "allow: expected a sequence of ids, got float"),
        (lambda index: index.similar_items([10], 10**30), "k: expected a whole number"),
        (lambda index: index.similar_items([10], num_threads=None), "num_threads: expected a whole number"),
        (lambda index: index.recommend_arrays(np.zeros(1, np.int32), 2**31), "k: expected a whole number"),
        (lambda index: index.recommend_arrays([0, 1]), r"user_indices: expected an int32 array \[n\], got list"),
        (lambda index: index.recommend_arrays(np.zeros(2)), r"user_indices: .* got float64 \[2\]"),
        (lambda index: index.recommend_arrays(np.zeros((1, 2), np.int32)), r"user_indices: .* got int32 \[1, 2\]"),
        (lambda index: index.recommend_arrays(np.zeros(1, np.int32), allow=[1]), "allow: expected an int32 array"),
        (lambda index: index.explain("user-01", 10, 2**31), "limit: expected a whole number"),
        (lambda index: index.save("a\0b"), r"path: expected a name without NUL characters, got 'a\\x00b'"),
        (lambda index: index.save(None), "path: expected a string or a pathlib.Path, got None"),
        (lambda index: index.load(5), "path: expected a string or a pathlib.Path, got 5"),
    ],
)
def test_wrong_arguments_are_named(factors: Index, call: Callable[[Any], object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        call(factors)
    assert caught.value.field == message.split(":", 1)[0]


def test_a_huge_k_takes_no_more_than_all_items(built: Index) -> None:
    huge = 2**31 - 1
    assert built.recommend(["user-01", "nobody"], huge) == built.recommend(["user-01", "nobody"], 20)
    assert built.similar_items([10, 20], huge) == built.similar_items([10, 20], 20)
    with pytest.raises(OutOfMemoryError, match="2147483647 items for each of 30 users"):
        built.recommend_arrays(np.arange(30, dtype=np.int32), huge)


def test_arrays_are_padded_to_k(built: Index) -> None:
    users = np.array([4, 2], np.int32)
    short, long = built.recommend_arrays(users, 20), built.recommend_arrays(users, 50)
    assert long.ids.shape == long.scores.shape == (2, 50)
    assert (str(long.ids.dtype), str(long.scores.dtype)) == ("int32", "float32")
    np.testing.assert_array_equal(long.ids[:, :20], short.ids)
    np.testing.assert_array_equal(long.scores[:, :20], short.scores)
    assert (long.ids[:, 20:] == -1).all()
    assert (long.scores[:, 20:] == -np.inf).all()
