"""The isolation forest against scikit-learn's, and its arithmetic against a plain walk over its own nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as SklearnForest
from sklearn.metrics import roc_auc_score
from tests.fraud.detectors.every import normal

from recocore import _native
from recocore.fraud import IsolationForest

if TYPE_CHECKING:
    from recocore.types import AnyArray, Float64Array


def with_outliers(seed: int) -> tuple[Float64Array, AnyArray]:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(3_000, 6))
    labels = np.zeros(3_000, int)
    labels[:150] = 1
    rows[:150] *= 2.2
    return rows, labels


def test_it_ranks_as_scikit_learns() -> None:
    ours, theirs, agreement = [], [], []
    for seed in range(4):
        rows, labels = with_outliers(seed)
        scores = IsolationForest(seed=seed).fit(rows).score(rows)
        expected = -SklearnForest(random_state=seed).fit(rows).score_samples(rows)
        ours.append(roc_auc_score(labels, scores))
        theirs.append(roc_auc_score(labels, expected))
        agreement.append(np.abs(scores - expected).mean())
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.01)
    assert np.mean(agreement) < 0.02  # two forests of scikit-learn's differ by as much


def walk(arrays: dict[str, Any], row: AnyArray, root: int) -> list[int]:
    way = [root]
    while arrays["feature"][way[-1]] >= 0:
        node = way[-1]
        value = row[arrays["feature"][node]]
        right = arrays["missing_right"][node] if np.isnan(value) else value > arrays["threshold"][node]
        way.append(int(arrays["left"][node]) + int(right))
    return way


def search_length(n: int) -> float:
    """c(n) by its harmonic number, which the paper's logarithm approximates."""
    return 2 * sum(1 / i for i in range(1, n)) - 2 * (n - 1) / n if n > 1 else 0.0


def test_scores_and_reasons_follow_the_paths() -> None:
    rows = normal(500, 4)
    rows[::5, 1] = np.nan
    forest = IsolationForest(n_trees=7, sample_size=64, seed=2).fit(rows)
    assert forest._model is not None
    arrays = forest._model.arrays()
    scores, reasons = forest.score(rows), forest.explain(rows)
    for index in range(0, 500, 23):
        expected = np.zeros(4)
        ends = []
        for root in arrays["roots"]:
            way = walk(arrays, rows[index], int(root))
            ends.append(arrays["path"][way[-1]])
            for node, after in pairwise(way):
                expected[arrays["feature"][node]] += arrays["path"][node] - arrays["path"][after]
        assert scores[index] == pytest.approx(2 ** (-np.mean(ends) / search_length(64)), rel=0.01)
        np.testing.assert_allclose(reasons[index], expected / 7 / search_length(64), rtol=0.01, atol=1e-12)


def test_a_tree_is_grown_as_the_paper_says() -> None:
    rows = normal(400, 3)
    forest = IsolationForest(n_trees=9, sample_size=100, seed=5).fit(rows)
    assert forest._model is not None
    arrays = forest._model.arrays()
    ends = [*arrays["roots"][1:], len(arrays["left"])]
    for root, end in zip(arrays["roots"], ends, strict=True):
        depth = {int(root): 0}
        for node in range(root, end):
            if arrays["feature"][node] >= 0:
                for child in (arrays["left"][node], arrays["left"][node] + 1):
                    depth[int(child)] = depth[node] + 1
            else:  # depth + c(rows of the leaf), which only the bottom has several of
                extra = arrays["path"][node] - depth[node]
                assert extra == 0 or (extra > 0 and depth[node] == 7)
        assert max(depth.values()) <= 7  # ceil(log2(100))
        assert len(depth) == end - root


def test_missing_values_of_a_constant_feature_are_a_branch_of_their_own() -> None:
    rows = np.zeros((300, 2))
    rows[:, 1] = np.random.default_rng(0).normal(size=300)
    rows[:6, 0] = np.nan
    scores = IsolationForest(seed=1).fit(rows).score(rows)
    assert scores[:6].min() > np.quantile(scores[6:], 0.9)


def test_thresholds_tell_float64_apart() -> None:
    rows = (2.0**40 + np.arange(64.0)).reshape(-1, 1)  # alike in float32
    scores = IsolationForest(n_trees=50, seed=0).fit(rows).score(rows)
    assert scores[0] > scores[32] < scores[63]


def test_a_seed_is_one_forest_and_another_seed_another() -> None:
    rows = normal(300, 3)
    same = [IsolationForest(n_trees=5, seed=seed).fit(rows).score(rows).tobytes() for seed in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


SCORES = """
import hashlib, numpy as np
from recocore.fraud import IsolationForest
rows = np.random.default_rng(0).normal(size=(1_000, 7)).round(2)
scores = [IsolationForest(n_trees=13, sample_size=size).fit(rows).score(rows) for size in (2, 16, 64, 256, 1_000)]
print(hashlib.sha256(b"".join(s.tobytes() for s in scores)).hexdigest())
"""


def test_every_instruction_set_gives_the_same_bytes() -> None:
    isas = {"scalar", "avx2", "avx512"} & set(_native.supported_isas())
    printed = {
        subprocess.run(
            [sys.executable, "-c", SCORES],
            env={**os.environ, "RECOCORE_FORCE_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for isa in isas
    }
    assert "scalar" in isas
    assert len(printed) == 1


def test_rows_alone_walk_to_where_many_go_numbered() -> None:
    rows = np.random.default_rng(1).normal(size=(300, 5)).round(1)  # values at thresholds
    forest = IsolationForest(seed=4).fit(rows)
    alone = np.concatenate([forest.score(rows[row : row + 1]) for row in range(300)])
    assert alone.tobytes() == forest.score(rows).tobytes()
