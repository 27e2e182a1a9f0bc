"""Half-space trees against the paper's algorithm written out over the same trees, and against river's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recocore.errors import InvalidArgumentError, NotFittedError
from recocore.fraud import HalfSpaceTrees

if TYPE_CHECKING:
    from recocore.types import AnyArray, Float64Array


class Plain:
    """Algorithms 2 and 3 of the paper, node by node."""

    def __init__(self, model: HalfSpaceTrees) -> None:
        assert model._model is not None
        sizes, arrays = model._model.state()
        self.height, self.window = sizes["height"], sizes["window"]
        splits = 2**self.height - 1
        self.feature = arrays["feature"].reshape(-1, splits)
        self.threshold = arrays["threshold"].reshape(-1, splits)
        self.latest: list[dict[int, int]] = [{} for _ in self.feature]
        self.reference = self.latest
        self.seen = 0
        self.full = False

    def way(self, tree: int, row: AnyArray) -> list[int]:
        nodes = [0]
        for _ in range(self.height):
            node = nodes[-1]
            value = row[self.feature[tree, node]]
            if np.isnan(value):
                break
            nodes.append(2 * node + (1 if value < self.threshold[tree, node] else 2))
        return nodes

    def update(self, rows: Float64Array) -> None:
        for row in rows:
            for tree, masses in enumerate(self.latest):
                for node in self.way(tree, row):
                    masses[node] = masses.get(node, 0) + 1
            self.seen += 1
            if self.seen == self.window:
                self.reference, self.latest = self.latest, [{} for _ in self.feature]
                self.seen, self.full = 0, True

    def score(self, row: AnyArray) -> float:
        masses = self.reference if self.full else self.latest
        behind = self.window if self.full else self.seen
        total = 0.0
        for tree, mass in enumerate(masses):
            for depth, node in enumerate(self.way(tree, row)):
                last = mass.get(node, 0) * 2.0**depth
                if mass.get(node, 0) < 0.1 * behind:
                    break
            total += last
        return 1 - total / (len(masses) * behind * 2.0**self.height)


def stream(n: int, seed: int) -> Float64Array:
    rows = np.random.default_rng(seed).normal(size=(n, 3))
    rows[::9, 1] = np.nan
    return rows


def test_scores_over_windows_are_the_papers() -> None:
    first = stream(130, 0)
    model = HalfSpaceTrees(n_trees=5, depth=5, window=100, seed=4).fit(first)
    plain = Plain(model)
    plain.update(first)
    asked = stream(40, 9)
    for seed, count in enumerate((1, 60, 9, 230, 1)):
        rows = stream(count, seed)
        model.update(rows)
        plain.update(rows)
        np.testing.assert_allclose(model.score(asked), [plain.score(row) for row in asked], rtol=1e-12)


def test_before_the_first_window_is_full_the_rows_so_far_stand_in() -> None:
    first = stream(30, 0)
    model = HalfSpaceTrees(n_trees=4, depth=4, window=100).fit(first)
    plain = Plain(model)
    plain.update(first)
    np.testing.assert_allclose(model.score(first), [plain.score(row) for row in first], rtol=1e-12)


def test_trees_halve_their_work_range() -> None:
    """The paper's section 3.3: a range around a point of the data's, cut at the middle each time."""
    rows = np.array([[0.0], [1.0]])
    model = HalfSpaceTrees(n_trees=30, depth=3, seed=1).fit(rows)
    assert model._model is not None
    _, arrays = model._model.state()
    for cuts in arrays["threshold"].reshape(-1, 7):
        s, reach = cuts[0], 2 * max(cuts[0], 1 - cuts[0])
        assert 0 <= s <= 1
        np.testing.assert_allclose(cuts[1:3], [s - reach / 2, s + reach / 2], rtol=1e-9, atol=1e-12)
        quarters = s + reach * np.array([-0.75, -0.25, 0.25, 0.75])
        np.testing.assert_allclose(cuts[3:], quarters, rtol=1e-9, atol=1e-12)


def test_batches_of_any_size_are_the_same_stream() -> None:
    first, rows = stream(50, 0), stream(500, 1)
    models = [HalfSpaceTrees(n_trees=6, depth=6, window=70, seed=2).fit(first) for _ in range(2)]
    models[0].update(rows)
    for row in rows:
        models[1].update(row[None])
    assert models[0].score(rows).tobytes() == models[1].score(rows).tobytes()


def test_a_refused_row_leaves_the_masses_alone() -> None:
    model = HalfSpaceTrees(window=20).fit(stream(30, 0))
    before = model.score(stream(30, 1)).tobytes()
    bad = stream(30, 2)
    bad[-1, 0] = np.inf
    with pytest.raises(InvalidArgumentError, match="row 29, feature 0"):
        model.update(bad)
    assert model.score(stream(30, 1)).tobytes() == before
    with pytest.raises(NotFittedError):
        HalfSpaceTrees().update(bad)


def river_scores(rows: Any, seed: int) -> AnyArray:
    anomaly = pytest.importorskip("river.anomaly", reason="river, of the extra bench, is not installed")
    low, high = rows.min(axis=0), rows.max(axis=0)
    scaled = [dict(enumerate(row)) for row in ((rows - low) / (high - low)).tolist()]
    trees = anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=200, seed=seed)
    for row in scaled:
        trees.learn_one(row)
    return np.array([trees.score_one(row) for row in scaled])


def test_it_finds_what_rivers_finds() -> None:
    ours, theirs = [], []
    for seed in range(4):
        random = np.random.default_rng(seed)
        rows = random.normal(size=(1_000, 4))
        labels = (np.arange(1_000) < 40).astype(int)
        rows[:40] = random.uniform(-6, 6, size=(40, 4))
        order = random.permutation(1_000)
        rows, labels = rows[order], labels[order]
        model = HalfSpaceTrees(n_trees=10, depth=8, window=200, seed=seed).fit(rows)
        ours.append(roc_auc_score(labels, model.score(rows)))
        theirs.append(roc_auc_score(labels, river_scores(rows, seed)))
    assert np.mean(ours) > np.mean(theirs) - 0.03
    assert np.mean(ours) > 0.9
