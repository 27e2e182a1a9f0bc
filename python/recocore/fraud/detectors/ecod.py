"""ECOD: how far a row lies in the tails of each feature's empirical distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from recocore import _native
from recocore.fraud.detectors.base import Detector
from recocore.ops import arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from recocore.fraud.detectors.base import Model
    from recocore.types import AnyArray


class ECOD(Detector):
    """Empirical-cumulative-distribution outlier detection (Li et al., IEEE TKDE 2022). It has nothing to tune.

    With F the part of the fitted values that are not above a value, and G the part not below it, feature j of a row
    has the tails -log F and -log G. The paper's score (algorithm 1) is the largest of three sums over features: of
    all left tails, of all right tails, and of the tail on the side that the feature is skewed to. A value outside all
    that were fitted counts as 1 of n + 1. `variant="pyod"` sums the larger tail of each feature instead, or both
    where the skewness is 0, and counts the rows that are scored among the fitted ones, as `pyod.models.ecod` does: a
    row's score then depends on the rows scored with it.

    Reasons are the tails that the score sums: they sum to it. A missing value has the reason 0, and counts in no
    distribution.

    Fitting takes O(f n log n), scoring O(f log n) a row, and 8 bytes are kept a value.

    Args:
        variant: "paper" or "pyod".
        num_threads: 0 is one a core.

    Example:
        >>> import numpy as np
        >>> amounts = np.arange(1.0, 101.0).reshape(-1, 1)
        >>> detector = ECOD().fit(amounts)
        >>> [round(float(s), 3) for s in detector.score(np.array([[50.0], [100.0], [1e6]]))]
        [0.693, 4.605, 4.615]
    """

    kind: ClassVar[str] = "ecod"
    _model: _native.EcodModel | None

    def __init__(self, variant: Literal["paper", "pyod"] = "paper", *, num_threads: int = 0) -> None:
        super().__init__(num_threads)
        self.variant = arguments.choice(variant, "variant", ("paper", "pyod"))

    def parameters(self) -> dict[str, Any]:
        """What the constructor takes, but for the number of threads."""
        return {"variant": self.variant}

    def fit(self, X: AnyArray) -> Self:
        """Sort each feature's values."""
        self._model = _native.EcodModel.fit(X, self.variant, self.num_threads)
        return self

    def _state(self) -> tuple[Mapping[str, Any], Mapping[str, AnyArray]]:
        assert self._model is not None
        return {}, self._model.arrays()

    def _restored(self, numbers: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Model:
        return _native.EcodModel.restore(self.variant, dict(arrays))
