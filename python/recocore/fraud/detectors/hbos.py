"""HBOS: how empty the histogram bins are that a row falls into."""

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


class HBOS(Detector):
    """Histogram-based outlier score (Goldstein and Dengel, KI 2012): the sum over features of -log2(density + alpha).

    With the same parameters and bins of equal width it is `pyod.models.hbos`. A value at most `tol` bin widths
    outside the histogram counts as in the nearest bin, one further out as in the emptiest.

    Reasons are the terms of the sum. A missing value has the reason 0, and counts in no histogram. A feature without
    two different values has one histogram around its value.

    Fitting takes O(f n log n), scoring O(f log bins) a row.

    Args:
        n_bins: of each feature, from 2.
        alpha: added to densities, above 0; the emptiest bin has the reason -log2(alpha).
        tol: in bin widths.
        bins: "static", of equal width, or "dynamic", of equal counts (the paper's section 3): finer where values are
            dense.
        num_threads: 0 is one a core.

    Example:
        >>> import numpy as np
        >>> rows = np.random.default_rng(0).normal(size=(1_000, 1))
        >>> usual, odd = HBOS().fit(rows).score(np.array([[0.0], [9.0]]))
        >>> bool(usual < odd)
        True
    """

    kind: ClassVar[str] = "hbos"
    _model: _native.HbosModel | None

    def __init__(
        self,
        n_bins: int = 10,
        alpha: float = 0.1,
        tol: float = 0.5,
        bins: Literal["static", "dynamic"] = "static",
        *,
        num_threads: int = 0,
    ) -> None:
        super().__init__(num_threads)
        self.n_bins = arguments.integer(n_bins, "n_bins", 2)
        self.alpha = arguments.positive(alpha, "alpha")
        self.tol = arguments.not_negative(tol, "tol")
        self.bins = arguments.choice(bins, "bins", ("static", "dynamic"))

    def parameters(self) -> dict[str, Any]:
        """What the constructor takes, but for the number of threads."""
        return {"n_bins": self.n_bins, "alpha": self.alpha, "tol": self.tol, "bins": self.bins}

    def fit(self, X: AnyArray) -> Self:
        """Count each feature's values in bins."""
        dynamic = self.bins == "dynamic"
        self._model = _native.HbosModel.fit(X, self.n_bins, dynamic, self.alpha, self.tol, self.num_threads)
        return self

    def _state(self) -> tuple[Mapping[str, Any], Mapping[str, AnyArray]]:
        assert self._model is not None
        return {}, self._model.arrays()

    def _restored(self, numbers: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Model:
        return _native.HbosModel.restore(self.alpha, self.tol, dict(arrays))
