"""Isolation forest: how soon random splits leave a row alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from recocore import _native
from recocore.fraud.detectors.base import Detector
from recocore.ops import arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from recocore.fraud.detectors.base import Model
    from recocore.types import AnyArray


class IsolationForest(Detector):
    """Isolation forest (Liu, Ting and Zhou, ICDM 2008): 2^(-E[h] / c), in (0, 1].

    h is the length of a row's path in a tree, with c(size) added for a leaf of several rows;
    c(n) = 2 H(n - 1) - 2 (n - 1) / n, with H(i) = ln(i) + 0.5772156649 as in the paper, is
    the mean length of an unsuccessful search, and the divisor is c of the sample's size. A tree is grown on rows
    drawn without replacement, to the height ceil(log2(sample)); a split takes a feature that varies and a threshold,
    both at random. Thresholds are float64.

    Reasons say by how much a feature shortens the expected path, over c: at each node the expected length changes,
    and the change is that of the feature asked for (Saabas 2014). They sum to log2(score) - log2(score of a path of
    average length).

    A missing value goes to the side drawn when the node was grown; where all present values of a node are equal,
    missing ones are a branch of their own.

    Fitting takes O(trees sample (f + log sample)), scoring O(trees log sample) a row.

    Args:
        n_trees: how many.
        sample_size: rows that a tree is grown on, at most.
        seed: of all draws.
        num_threads: 0 is one a core.

    Example:
        >>> import numpy as np
        >>> rows = np.random.default_rng(0).normal(size=(1_000, 3))
        >>> detector = IsolationForest(seed=1).fit(rows)
        >>> usual, odd = detector.score(np.array([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]]))
        >>> bool(usual < 0.5 < odd), int(detector.explain(np.array([[0.0, 9.0, 0.0]])).argmax())
        (True, 1)
    """

    kind: ClassVar[str] = "isolation-forest"
    _model: _native.IsolationForestModel | None

    def __init__(self, n_trees: int = 100, sample_size: int = 256, seed: int = 0, *, num_threads: int = 0) -> None:
        super().__init__(num_threads)
        self.n_trees = arguments.integer(n_trees, "n_trees", 1)
        self.sample_size = arguments.integer(sample_size, "sample_size", 1)
        self.seed = arguments.integer(seed, "seed", 0)

    def parameters(self) -> dict[str, Any]:
        """What the constructor takes, but for the number of threads."""
        return {"n_trees": self.n_trees, "sample_size": self.sample_size, "seed": self.seed}

    def fit(self, X: AnyArray) -> Self:
        """Grow the trees. An infinite value is refused in a row that is drawn."""
        self._model = _native.IsolationForestModel.fit(X, self.n_trees, self.sample_size, self.seed, self.num_threads)
        return self

    def _state(self) -> tuple[Mapping[str, Any], Mapping[str, AnyArray]]:
        assert self._model is not None
        return {"features": self._model.features, "sampled": self._model.sampled}, self._model.arrays()

    def _restored(self, numbers: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Model:
        return _native.IsolationForestModel.restore(numbers["features"], numbers["sampled"], dict(arrays))
