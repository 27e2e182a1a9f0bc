"""Trees served from flat arrays give what scikit-learn gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.fraud import BoostedTrees


def test_scores_are_scikit_learns_and_reasons_add_up() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(3000, 5))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    y = (np.nan_to_num(rows[:, 0]) * np.nan_to_num(rows[:, 1]) + 0.3 * rng.normal(size=3000) > 0.5).astype(float)
    ours = BoostedTrees.fit(rows, y, max_iter=40)
    peer = HistGradientBoostingClassifier(max_iter=40, l2_regularization=1.0, early_stopping=False, random_state=0).fit(
        rows, y
    )
    np.testing.assert_allclose(ours.score(rows), peer.decision_function(rows), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.probability(rows), peer.predict_proba(rows)[:, 1], rtol=1e-12)
    np.testing.assert_array_equal(ours.score(rows[:1]), ours.score(rows)[:1])
    roots = ours.arrays["value"][ours.arrays["roots"]].sum()
    np.testing.assert_allclose(ours.explain(rows).sum(axis=1) + roots + ours.baseline, ours.score(rows), atol=1e-9)
    again = BoostedTrees.restored(ours.arrays, ours.features, ours.baseline)
    np.testing.assert_array_equal(again.score(rows), ours.score(rows))


def test_what_is_no_tree_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="labels 0 and 1"):
        BoostedTrees.fit(np.zeros((10, 1)), np.zeros(10))
    with pytest.raises(CorruptError, match="trees"):
        BoostedTrees.restored({}, 1, 0.0)
