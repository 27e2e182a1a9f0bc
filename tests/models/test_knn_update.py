"""Updated neighbours have the bytes of a fit on the same data, and cost less where little changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError, NotFittedError
from recocore.models import ItemKNN, UserKNN
from recocore.models.knn_update import Fitted, updated_neighbors
from recocore.ops import SIMILARITY_KINDS, similarity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.types import BoolArray, Float32Array, Int32Array, Progress

KINDS = list(SIMILARITY_KINDS)
LOCAL = [kind for kind in KINDS if kind != "bm25"]  # those that an unchanged shape lets compare less than everything


@dataclass
class Compare:
    """Similarity over one matrix that counts the rows asked for with a k."""

    matrix: Csr
    kind: str
    options: dict[str, Any]
    fits: int = field(default=0)

    def __call__(self, rows: Int32Array | None, k: int | None, progress: Progress | None) -> Csr:
        self.fits += rows is None
        return Csr.from_scipy(similarity(self.matrix, self.kind, k=k, rows=rows, progress=progress, **self.options))


def csr_of(stored: BoolArray, values: Float32Array) -> Csr:
    rows, columns = np.nonzero(stored)
    return Csr.from_coo(rows, columns, values[rows, columns], stored.shape)


def assert_same(ours: Csr, expected: Csr) -> None:
    assert ours.shape == expected.shape
    for name in ("indptr", "indices", "values"):
        assert getattr(ours, name).dtype == getattr(expected, name).dtype
        assert getattr(ours, name).tobytes() == getattr(expected, name).tobytes()


def histories(seed: int) -> Iterator[tuple[Csr, Csr, Int32Array, Int32Array]]:
    """A matrix, what became of it, and where its rows and columns went: every way in which interactions change."""
    rng = np.random.default_rng(seed)
    n_rows, n_columns = 24, 18
    stored = rng.random((n_rows, n_columns)) < rng.uniform(0.05, 0.5, (n_rows, 1))
    whole_numbers = rng.random() < 0.5
    values = (rng.integers(0, 4, stored.shape) if whole_numbers else rng.gamma(2.0, 1.0, stored.shape)).astype(
        np.float32
    )
    rows, columns = np.arange(n_rows, dtype=np.int32), np.arange(n_columns, dtype=np.int32)
    before = csr_of(stored, values)

    yield before, before, rows, columns
    more, other = stored.copy(), values.copy()
    for _ in range(3):
        more[rng.integers(n_rows), rng.integers(n_columns)] = True
    yield before, csr_of(more, other), rows, columns
    heavier = values.copy()
    at = np.argwhere(stored)[rng.integers(stored.sum(), size=2)]
    heavier[at[:, 0], at[:, 1]] += 1.5
    yield before, csr_of(stored, heavier), rows, columns
    fewer = stored.copy()
    at = np.argwhere(stored)[rng.integers(stored.sum(), size=3)]
    fewer[at[:, 0], at[:, 1]] = False
    yield before, csr_of(fewer, values), rows, columns
    emptied = stored.copy()
    emptied[rng.integers(n_rows)] = False
    emptied[:, rng.integers(n_columns)] = False
    yield before, csr_of(emptied, values), rows, columns
    # new rows and columns, at the end and between the old ones, and some that are gone
    for new_rows, new_columns, gone_rows, gone_columns in (
        (2, 0, 0, 0),
        (0, 2, 0, 0),
        (3, 2, 0, 0),
        (0, 0, 2, 0),
        (0, 0, 0, 2),
        (1, 1, 1, 1),
    ):
        row_map, n_now = moved(rng, n_rows, new_rows, gone_rows)
        column_map, m_now = moved(rng, n_columns, new_columns, gone_columns)
        now = rng.random((n_now, m_now)) < 0.3
        weights = rng.integers(1, 4, now.shape).astype(np.float32)
        old_rows, old_columns = row_map >= 0, column_map >= 0
        inside = np.ix_(row_map[old_rows], column_map[old_columns])
        now[inside], weights[inside] = (part[np.ix_(old_rows, old_columns)] for part in (stored, values))
        yield before, csr_of(now, weights), row_map, column_map


def moved(rng: Any, count: int, new: int, gone: int) -> tuple[Int32Array, int]:
    """The new numbers of `count` old ones of which `gone` vanish, among `new` others."""
    kept = np.ones(count, np.bool_)
    kept[rng.choice(count, gone, replace=False)] = False
    total = int(kept.sum()) + new
    numbers = np.full(count, -1, np.int32)
    numbers[kept] = np.sort(rng.choice(total, int(kept.sum()), replace=False))
    return numbers, total


@pytest.mark.parametrize("k", [1, 4, 9, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_update_equals_fit(kind: str, k: int) -> None:
    shortcuts = 0
    for seed in range(6):
        for number, (before, after, rows, columns) in enumerate(histories(seed)):
            options: dict[str, Any] = [
                {},
                {"shrinkage": 3.0},
                {"min_support": 2, "threshold": 0.1},
            ][(seed + number) % 3]
            fitted = Fitted(before, Compare(before, kind, options)(None, k, None), rows, columns)
            compare = Compare(after, kind, options)
            updated = updated_neighbors(fitted, after, kind, k, compare, refit_above=2.0)
            shortcuts += compare.fits == 0
            assert updated.recomputed <= after.shape[0]
            assert_same(updated.neighbors, compare(None, k, None))
    assert (shortcuts > 20) == (kind != "bm25"), "nearly every update fitted everything"


def sparse_world(seed: int = 0) -> Csr:
    """A thousand rows that each meet a few others."""
    rng = np.random.default_rng(seed)
    return Csr.from_scipy(sp.random(1000, 2000, 0.002, "csr", rng=rng, data_rvs=lambda size: rng.integers(1, 6, size)))


@pytest.mark.parametrize("kind", LOCAL)
def test_a_local_change_compares_few_rows(kind: str) -> None:
    before = sparse_world()
    grown = before.to_scipy().tolil()
    grown[17, 3] = 4.0
    grown[560, 1999] = 1.0
    after = Csr.from_scipy(grown.tocsr())
    same = (np.arange(1000, dtype=np.int32), np.arange(2000, dtype=np.int32))
    compare = Compare(after, kind, {})
    for k in (2, 100):
        fitted = Fitted(before, Compare(before, kind, {})(None, k, None), *same)
        updated = updated_neighbors(fitted, after, kind, k, compare, refit_above=0.25)
        assert compare.fits == 0
        assert 2 <= updated.recomputed < 150
        assert_same(updated.neighbors, Compare(after, kind, {})(None, k, None))


def test_symmetric_kinds_merge_instead_of_comparing_again() -> None:
    before = sparse_world(1)
    grown = before.to_scipy().tolil()
    grown[17, 3] = 4.0
    after = Csr.from_scipy(grown.tocsr())
    same = (np.arange(1000, dtype=np.int32), np.arange(2000, dtype=np.int32))
    neighbors = Compare(before, "cosine", {})(None, 100, None)
    assert np.diff(neighbors.indptr).max() < 100, "no list is full"
    updated = updated_neighbors(Fitted(before, neighbors, *same), after, "cosine", 100, Compare(after, "cosine", {}))
    assert updated.recomputed == 1


def test_nothing_changed_compares_nothing() -> None:
    before = sparse_world(2)
    same = (np.arange(1000, dtype=np.int32), np.arange(2000, dtype=np.int32))
    for kind in LOCAL:
        neighbors = Compare(before, kind, {})(None, 10, None)
        updated = updated_neighbors(Fitted(before, neighbors, *same), before, kind, 10, Compare(before, kind, {}))
        assert updated.recomputed == 0
        assert_same(updated.neighbors, neighbors)


def test_a_large_change_fits_everything_at_once() -> None:
    before, after = sparse_world(3), sparse_world(4)
    same = (np.arange(1000, dtype=np.int32), np.arange(2000, dtype=np.int32))
    compare = Compare(after, "cosine", {})
    neighbors = Compare(before, "cosine", {})(None, 10, None)
    updated = updated_neighbors(Fitted(before, neighbors, *same), after, "cosine", 10, compare)
    assert (updated.recomputed, compare.fits) == (1000, 1)
    assert_same(updated.neighbors, Compare(after, "cosine", {})(None, 10, None))


def test_numbers_that_do_not_rise_fit_everything() -> None:
    before = sparse_world(5)
    swapped = np.arange(1000, dtype=np.int32)
    swapped[[3, 4]] = [4, 3]
    columns = np.arange(2000, dtype=np.int32)
    compare = Compare(before, "cosine", {})
    neighbors = compare(None, 10, None)
    for rows in (swapped, np.zeros(1000, np.int32)):
        updated = updated_neighbors(Fitted(before, neighbors, rows, columns), before, "cosine", 10, compare)
        assert updated.recomputed == 1000
        assert_same(updated.neighbors, neighbors)


def events(seed: int, count: int, users: int, items: int) -> tuple[list[str], list[str], Any]:
    """Ids that sort anywhere among each other."""
    rng = np.random.default_rng(seed)
    return (
        [f"u{hash_of(u)}" for u in rng.integers(0, users, count)],
        [f"i{hash_of(i)}" for i in rng.integers(0, items, count)],
        rng.integers(1, 4, count),
    )


def hash_of(number: int) -> int:
    return int(number) * 7919 % 104729


def scorer_bytes(model: Any) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.scorer.arrays().items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [ItemKNN, UserKNN])
def test_models_update_to_what_fit_learns(model: Any, kind: str) -> None:
    users, items, values = events(0, 600, 80, 60)
    more_users, more_items, more_values = events(1, 25, 90, 66)
    old = Interactions.from_coo(users, items, values)
    new = Interactions.from_coo(users + more_users, items + more_items, np.concatenate([values, more_values]))
    assert new.n_users > old.n_users
    assert new.n_items > old.n_items
    expected = model(kind, k=7, shrinkage=1.0).fit(new)
    user_indices = new.users.indices_of(old.users.ids_of(range(old.n_users)))
    item_indices = new.items.indices_of(old.items.ids_of(range(old.n_items)))
    for maps in ({"user_indices": user_indices, "item_indices": item_indices}, {}):
        updated = model(kind, k=7, shrinkage=1.0).fit(old)
        assert updated.update(new, **maps) is updated
        assert scorer_bytes(updated) == scorer_bytes(expected)
        assert updated.scorer.interactions is new.matrix
    back = model(kind, k=7, shrinkage=1.0).fit(new).update(old)
    assert scorer_bytes(back) == scorer_bytes(model(kind, k=7, shrinkage=1.0).fit(old))


@pytest.mark.parametrize("model", [ItemKNN, UserKNN])
def test_progress_rises_and_its_exception_leaves_the_model_as_it_was(model: Any) -> None:
    old, new = (Interactions.from_csr(sp.random(400, 300, 0.05, "csr", rng=seed)) for seed in (1, 2))
    fitted = model(k=5).fit(old)
    before = scorer_bytes(fitted)

    def stop(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted.update(new, progress=stop)
    assert scorer_bytes(fitted) == before
    parts: list[float] = []
    fitted.update(new, progress=parts.append)
    assert parts == sorted(parts)
    assert parts[-1] == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interactions": None}, "interactions: expected recocore.Interactions, got NoneType"),
        ({"user_indices": [0]}, r"user_indices: expected an integer for each of the 30 fitted, got int64 \[1\]"),
        ({"item_indices": np.zeros(20)}, r"item_indices: expected an integer for each of the 20 fitted, got float64"),
        ({"item_indices": np.arange(1, 21)}, r"item_indices: expected indices in \[-1, 20\), got 1 to 20"),
        ({"item_indices": np.arange(20) - 2}, r"item_indices: expected indices in \[-1, 20\), got -2 to 17"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    data = Interactions.from_csr(sp.random(30, 20, 0.2, "csr", rng=3))
    with pytest.raises(InvalidArgumentError, match=message):
        ItemKNN().fit(data).update(**{"interactions": data, **arguments})


def test_update_needs_a_fit() -> None:
    with pytest.raises(NotFittedError, match="UserKNN is not fitted"):
        UserKNN().update(Interactions.from_csr(sp.random(30, 20, 0.2, "csr", rng=3)))
