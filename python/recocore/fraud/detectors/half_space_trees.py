"""Half-space trees: how few rows of the last window fell where a row falls."""

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


class HalfSpaceTrees(Detector):
    """Streaming half-space trees (Tan, Ting and Liu, IJCAI 2011): memory and time of a row do not depend on the stream.

    Trees halve random features of a random work range, without looking at rows. Each node counts the rows of the
    current window; when the window is full its masses become the reference, and counting begins anew. Where a row's
    way ends (at the first node with fewer than a tenth of a window's rows, or at the bottom) its mass is r 2^depth;
    the score is 1 - sum of masses / (trees window 2^height), in [0, 1]. Before the first window is full, the rows so
    far stand in.

    Reasons: at each node on the way the mass changes, and the change is that of the feature asked for, in the score's
    unit. They sum to the score less 1 - 2^-height, that of evenly spread rows. A missing value ends a row's way at
    the node that asks for it.

    Anomalies that come in a dense cluster are not found: they have mass. `update` may be called while others score;
    it waits for them.

    Args:
        n_trees: how many.
        depth: height of each; a tree takes 28 * 2^depth bytes. At 15, the paper's, as much is found as at 8
            (docs/fraud_detectors.md): ways end where few rows are left, long before.
        window: rows of a window.
        seed: of all draws.
        num_threads: 0 is one a core.

    Example:
        >>> import numpy as np
        >>> random = np.random.default_rng(0)
        >>> detector = HalfSpaceTrees(window=100).fit(random.normal(size=(200, 2)))
        >>> for _ in range(5):
        ...     _ = detector.update(random.normal(size=(50, 2)))
        >>> usual, odd = detector.score(np.array([[0.0, 0.0], [9.0, 9.0]]))
        >>> bool(usual < odd)
        True
    """

    kind: ClassVar[str] = "half-space-trees"
    _model: _native.HalfSpaceTreesModel | None

    def __init__(
        self, n_trees: int = 25, depth: int = 8, window: int = 250, seed: int = 0, *, num_threads: int = 0
    ) -> None:
        super().__init__(num_threads)
        self.n_trees = arguments.integer(n_trees, "n_trees", 1)
        self.depth = arguments.integer(depth, "depth", 1, 20)
        self.window = arguments.integer(window, "window", 1)
        self.seed = arguments.integer(seed, "seed", 0)

    def parameters(self) -> dict[str, Any]:
        """What the constructor takes, but for the number of threads."""
        return {"n_trees": self.n_trees, "depth": self.depth, "window": self.window, "seed": self.seed}

    def fit(self, X: AnyArray) -> Self:
        """Draw the trees over the ranges of features, and take the rows as the stream's beginning."""
        model = _native.HalfSpaceTreesModel.build(X, self.n_trees, self.depth, self.window, self.seed)
        model.update(X, self.num_threads)
        self._model = model
        return self

    def update(self, X: AnyArray) -> Self:
        """Take the next rows of the stream, in order. O(trees depth) a row.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: as `score`; no row is taken then.
        """
        if self._model is None:
            raise self._not_fitted()
        self._model.update(X, self.num_threads)
        return self

    def _state(self) -> tuple[Mapping[str, Any], Mapping[str, AnyArray]]:
        assert self._model is not None
        return self._model.state()

    def _restored(self, numbers: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Model:
        return _native.HalfSpaceTreesModel.restore(dict(numbers), dict(arrays))
