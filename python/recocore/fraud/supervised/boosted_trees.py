"""BoostedTrees: fitted by scikit-learn, kept and served as flat arrays without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from recocore import _native
from recocore.errors import CorruptError, InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.types import AnyArray, Float64Array

_TYPES: Final = {
    "roots": np.int32,
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "missing_left": np.int8,
    "value": np.float64,
}


class BoostedTrees:
    """Gradient boosting with the logistic loss (Friedman 2001), by scikit-learn's HistGradientBoostingClassifier.

    Fitting needs scikit-learn (the extra `recocore[fraud]`); what is fitted is flat arrays, which the extension walks:
    a row takes microseconds, and serving needs no scikit-learn. NaN is a missing feature.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(2000, 2))
        >>> trees = BoostedTrees.fit(X, (X[:, 0] > 1).astype(float), max_iter=20)
        >>> (trees.probability(np.array([[2.0, 0.0], [0.0, 0.0]])) > 0.5).tolist()
        [True, False]
    """

    def __init__(self, arrays: Mapping[str, AnyArray], features: int, baseline: float) -> None:
        self.arrays = {name: np.ascontiguousarray(arrays[name], kind) for name, kind in _TYPES.items()}
        self.features = features
        self.baseline = baseline
        given: dict[str, Any] = {**self.arrays, "missing_left": self.arrays["missing_left"].view(np.uint8)}
        self._native = _native.BoostedTrees(**given, features=features, baseline=baseline)

    @classmethod
    def fit(
        cls,
        rows: Float64Array,
        y: Float64Array,
        *,
        weights: Float64Array | None = None,
        max_iter: int = 150,
        learning_rate: float = 0.1,
        max_leaf_nodes: int = 31,
        min_samples_leaf: int = 20,
        l2_regularization: float = 1.0,
        seed: int = 0,
    ) -> Self:
        """Learn from rows `[n, f]` and labels `[n]` of 0 and 1; `weights` `[n]` count rows more or less than once.

        Raises:
            UnsupportedError: scikit-learn is not installed.
            InvalidArgumentError: labels of another kind, or of one kind only.
        """
        try:
            from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  # an extra, and slow to import
        except ImportError:
            raise UnsupportedError(
                "BoostedTrees.fit: expected scikit-learn, which is not installed; pip install 'recocore[fraud]'"
            ) from None
        if set(np.unique(y)) != {0.0, 1.0}:
            raise InvalidArgumentError(
                f"y: expected labels 0 and 1, some of each, got {np.unique(y)[:5].tolist()}", field="y"
            )
        classifier = HistGradientBoostingClassifier(
            max_iter=max_iter,
            learning_rate=learning_rate,
            max_leaf_nodes=max_leaf_nodes,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2_regularization,
            early_stopping=False,
            random_state=seed,
        ).fit(rows, y, sample_weight=weights)
        return cls._from_scikit_learn(classifier, rows.shape[1])

    @classmethod
    def _from_scikit_learn(cls, classifier: Any, features: int) -> Self:
        trees = [predictor.nodes for (predictor,) in classifier._predictors]
        begins = np.concatenate([[0], np.cumsum([len(nodes) for nodes in trees])])
        nodes = np.concatenate(trees)
        shift = np.repeat(begins[:-1], np.diff(begins))
        leaf = nodes["is_leaf"].astype(np.bool_)
        arrays = {
            "roots": begins[:-1],
            "feature": np.where(leaf, -1, nodes["feature_idx"]),
            "threshold": np.where(leaf, 0.0, nodes["num_threshold"]),
            "left": np.where(leaf, 0, nodes["left"] + shift),
            "right": np.where(leaf, 0, nodes["right"] + shift),
            "missing_left": nodes["missing_go_to_left"],
            "value": nodes["value"],
        }
        return cls(arrays, features, float(classifier._baseline_prediction.ravel()[0]))

    def score(self, rows: Float64Array, *, num_threads: int = 0) -> Float64Array:
        """Log-odds `[n]` of rows `[n, f]`. O(trees x depth) a row.

        Raises:
            InvalidArgumentError: other features than in `fit`, or another dtype than float64.
        """
        return self._native.score(rows, num_threads)

    def probability(self, rows: Float64Array) -> Float64Array:
        """1 / (1 + exp(-score)), `[n]`; as good a probability as the labels that it learnt from."""
        kept: Float64Array = 1 / (1 + np.exp(-self.score(rows)))
        return kept

    def explain(self, rows: Float64Array, *, num_threads: int = 0) -> Float64Array:
        """Log-odds that each feature adds on a row's paths, `[n, f]`: the changes of value where it was asked.

        Saabas, "Interpreting random forests" (2014): exact in that parts add up to the score less a constant, and cheap;
        unlike TreeSHAP's, they credit the features near the leaves a little more than those near the root.
        """
        return self._native.explain(rows, num_threads)

    @classmethod
    def restored(cls, arrays: Mapping[str, AnyArray], features: int, baseline: float) -> Self:
        """From `arrays`, as they were saved.

        Raises:
            CorruptError: they are no trees.
        """
        try:
            return cls(arrays, features, baseline)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptError(f"trees: {error}") from error
