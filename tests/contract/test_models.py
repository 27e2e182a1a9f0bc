"""One suite over every model: what a recommender must do whatever it learned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.data import Interactions
from recocore.errors import CancelledError, InvalidArgumentError, NotFittedError
from recocore.index import Index
from recocore.models import Popularity, Recommender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recocore.models import BaseModel

    Make = Callable[..., BaseModel]


def test_is_a_recommender(make: Make) -> None:
    assert isinstance(make(), Recommender)


def test_params_make_the_same_model_again(make: Make) -> None:
    model = make()
    again = type(model)(**model.params())
    assert again.params() == model.params()
    assert repr(again) == repr(model)


def test_known_answer_on_blocks(make_personal: Make, blocks: Interactions) -> None:
    """The one item of the group that a user lacks comes first; nothing of the other group outranks it."""
    found = make_personal().fit(blocks).recommend(np.arange(24), k=1)
    expected = [10 * (user // 12) + user % 10 for user in range(24)]
    assert found.ids[:, 0].tolist() == expected


def test_similar_items_are_of_the_same_block(make_personal: Make, blocks: Interactions) -> None:
    found = make_personal().fit(blocks).similar_items(np.arange(20), k=9)
    assert found.ids.shape == (20, 9)
    for item, row in enumerate(found.ids):
        assert item not in row
        assert {other // 10 for other in row.tolist()} == {item // 10}


def test_order_and_padding(make: Make, shop: Interactions) -> None:
    found = make().fit(shop).recommend(np.arange(150), k=100)
    assert found.ids.dtype == np.int32
    assert found.scores.dtype == np.float32
    assert found.ids.shape == found.scores.shape == (150, 100)
    assert not np.isnan(found.scores).any()
    assert ((found.ids == -1) == np.isneginf(found.scores)).all()
    assert (found.ids[:, -1] == -1).all(), "k is beyond the catalogue of 80"
    for ids, scores in zip(found.ids, found.scores, strict=True):
        real = ids >= 0
        assert not real[np.argmin(real) :].any() or real.all(), "padding comes last"
        assert len(set(ids[real].tolist())) == real.sum(), "no item twice"
        pairs = list(zip(-scores[real], ids[real], strict=True))
        assert pairs == sorted(pairs), "score descending, then id ascending"


def test_batch_equals_single(make: Make, shop: Interactions) -> None:
    model = make().fit(shop)
    users = np.array([3, 0, 149, 3, 77])
    batch = model.recommend(users, k=7)
    for row, user in enumerate(users):
        single = model.recommend([user], k=7)
        assert (single.ids[0] == batch.ids[row]).all()
        assert (single.scores[0] == batch.scores[row]).all()


def test_recommended_scores_are_the_scores(make: Make, shop: Interactions) -> None:
    model = make().fit(shop)
    users = np.arange(150)
    found = model.recommend(users, k=5, exclude_seen=False)
    dense = model.score(users, np.arange(80))
    real = found.ids >= 0
    assert (dense[np.nonzero(real)[0], found.ids[real]] == found.scores[real]).all()


def test_same_seed_and_any_threads_give_the_same_bytes(make: Make, shop: Interactions) -> None:
    first = make(num_threads=1).fit(shop).recommend(np.arange(150), k=10)
    for threads in (1, 2, 7):
        again = make(num_threads=threads).fit(shop).recommend(np.arange(150), k=10)
        assert again.ids.tobytes() == first.ids.tobytes()
        assert again.scores.tobytes() == first.scores.tobytes()


def test_a_saved_and_loaded_index_answers_as_the_model_does(make: Make, shop: Interactions, tmp_path: Path) -> None:
    model = make().fit(shop)
    Index.build(model, shop).save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    users = np.arange(150, dtype=np.int32)
    expected, found = model.recommend(users, k=10), loaded.recommend_arrays(users, k=10)
    assert found.ids.tobytes() == expected.ids.tobytes()
    assert found.scores.tobytes() == expected.scores.tobytes()
    lists = loaded.recommend(users.tolist(), k=10, fallback="none", explain=2)
    assert lists[0].items == (), "user 0 has nothing, so that an index leaves them to the fallback"
    for user, ranked in enumerate(lists[1:], start=1):
        items = expected.ids[user][expected.ids[user] >= 0]
        assert [item.item_id for item in ranked.items] == items.tolist()
        reasons = [[(r.item_id, r.weight) for r in item.reasons] for item in ranked.items]
        assert reasons == [[(c.item, c.weight) for c in every] for every in model.explain(user, items, limit=2)]
    near = model.similar_items([3, 70], k=5)
    for row, similar in enumerate(loaded.similar_items([3, 70], k=5)):
        assert [item.item_id for item in similar.items] == near.ids[row][near.ids[row] >= 0].tolist()


def test_seen_items_never_come_back_unless_asked(make: Make, shop: Interactions) -> None:
    model = make().fit(shop)
    users = np.arange(150)
    without = model.recommend(users, k=100).ids
    with_seen = model.recommend(users, k=100, exclude_seen=False).ids
    some_seen = 0
    for user in range(150):
        seen = set(shop.matrix.row(user)[0].tolist())
        assert not seen & set(without[user].tolist())
        some_seen += len(seen & set(with_seen[user].tolist()))
    assert some_seen > 0


@pytest.mark.parametrize("k", [1, 3, 100])
def test_block_and_allow_lists(make: Make, shop: Interactions, k: int) -> None:
    model = make().fit(shop)
    users = np.arange(150)
    block = np.array([0, 5, 7, 5])
    allow = np.array([1, 2, 3, 5, 40, 79])
    ids = model.recommend(users, k=k, block=block).ids
    assert not np.isin(ids, block).any()
    ids = model.recommend(users, k=k, allow=allow).ids
    assert np.isin(ids, [-1, *allow]).all()
    ids = model.recommend(users, k=k, allow=allow, block=block).ids
    assert np.isin(ids, [-1, 1, 2, 3, 40, 79]).all()
    assert (model.recommend(users, k=k, allow=np.array([], int)).ids == -1).all()
    unfiltered = model.recommend(users, k=k)
    for nothing_blocked in (np.array([], int), None):
        assert (model.recommend(users, k=k, block=nothing_blocked).ids == unfiltered.ids).all()


def test_lists_of_their_own_for_each_user(make: Make, shop: Interactions) -> None:
    model = make().fit(shop)
    rng = np.random.default_rng(5)
    lists = sp.csr_matrix(rng.random((150, 80)) < 0.3)
    allowed = model.recommend(np.arange(150), k=80, allow=lists, exclude_seen=False).ids
    blocked = model.recommend(np.arange(150), k=80, block=lists, exclude_seen=False).ids
    everything = model.recommend(np.arange(150), k=80, exclude_seen=False).ids
    for user in range(150):
        mine = set(lists[user].indices.tolist())
        all_of_user = set(everything[user].tolist()) - {-1}
        assert set(allowed[user].tolist()) - {-1} == all_of_user & mine
        assert set(blocked[user].tolist()) - {-1} == all_of_user - mine


def test_a_user_without_interactions_gets_nothing_personal_and_no_error(make: Make, shop: Interactions) -> None:
    found = make().fit(shop).recommend([0], k=5)
    assert not np.isnan(found.scores).any()
    if not isinstance(make(), Popularity):
        assert np.isin(found.scores[0], [-np.inf, 0]).all()


def test_explanations_name_own_items_and_add_up(make_personal: Make, shop: Interactions) -> None:
    model = make_personal().fit(shop)
    users = [1, 50, 149]
    for user in users:
        items = model.recommend([user], k=3).ids[0]
        items = items[items >= 0]
        own = set(shop.matrix.row(user)[0].tolist())
        for reasons in model.explain(user, items, limit=2):
            assert 1 <= len(reasons) <= 2
            assert {reason.item for reason in reasons} <= own
            weights = [reason.weight for reason in reasons]
            assert weights == sorted(weights, reverse=True)
            assert all(weight > 0 for weight in weights)


def test_no_users_and_no_items_are_fine(make: Make, shop: Interactions) -> None:
    model = make().fit(shop)
    assert model.recommend([], k=3).ids.shape == (0, 3)
    assert model.similar_items(np.array([], int), k=3).ids.shape == (0, 3)


def test_progress_is_told_and_can_stop_the_fit(make_personal: Make, shop: Interactions) -> None:
    def stop(fraction: float) -> None:
        raise CancelledError("enough")

    told: list[float] = []
    model = make_personal().fit(shop, progress=told.append)
    assert all(0 <= fraction <= 1 for fraction in told)
    assert told == sorted(told)
    assert told[-1] == 1
    before = model.recommend([1], k=5).ids.tolist()
    with pytest.raises(CancelledError, match="enough"):
        model.fit(shop, progress=stop)
    assert model.recommend([1], k=5).ids.tolist() == before, "a stopped fit leaves the model as it was"


def test_unfitted_models_say_so(make: Make) -> None:
    for call in (
        lambda: make().recommend([0]),
        lambda: make().similar_items([0]),
        lambda: make().score([0], [0]),
        lambda: make().explain(0, [0]),
    ):
        with pytest.raises(NotFittedError, match="call fit"):
            call()


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda m: m.recommend([150]), "user_indices"),
        (lambda m: m.recommend([-1]), "user_indices"),
        (lambda m: m.recommend([0.5]), "user_indices"),
        (lambda m: m.recommend(["a"]), "user_indices"),
        (lambda m: m.recommend(3), "user_indices"),
        (lambda m: m.recommend([[1]]), "user_indices"),
        (lambda m: m.recommend([0], k=0), "k"),
        (lambda m: m.recommend([0], k=-2), "k"),
        (lambda m: m.recommend([0], k=2.5), "k"),
        (lambda m: m.recommend([0], k=True), "k"),
        (lambda m: m.recommend([0], allow=[80]), "allow"),
        (lambda m: m.recommend([0], block=[-1]), "block"),
        (lambda m: m.recommend([0], block=[1.5]), "block"),
        (lambda m: m.recommend([0], allow=sp.csr_matrix(np.zeros((2, 80)))), "allow"),
        (lambda m: m.similar_items([80]), "item_indices"),
        (lambda m: m.similar_items([1], k=0), "k"),
        (lambda m: m.score([0], [-3]), "item_indices"),
        (lambda m: m.explain(150, [0]), "user_index"),
        (lambda m: m.explain(0, [0], limit=-1), "limit"),
        (lambda m: m.explain(0, [0], limit="x"), "limit"),
        (lambda m: m.recommend([[0], [1, 2]]), "user_indices"),
    ],
)
def test_bad_input_names_the_argument(
    make: Make, shop: Interactions, call: Callable[[BaseModel], object], argument: str
) -> None:
    model = make().fit(shop)
    with pytest.raises(InvalidArgumentError, match=rf"^{argument}: expected .* got ") as caught:
        call(model)
    assert caught.value.field == argument


def test_nothing_to_learn_from_is_an_error(make: Make) -> None:
    with pytest.raises(InvalidArgumentError, match=r"interactions: expected recocore.Interactions, got csr_matrix"):
        make().fit(sp.csr_matrix(np.ones((3, 4))))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="interactions: expected at least one"):
        make().fit(Interactions.from_csr(sp.csr_matrix(np.zeros((3, 4), np.float32))))
