"""MCD: the distance from a location and a scatter that outliers do not move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import chdtr, chdtri

from recocore import _native
from recocore.errors import InvalidArgumentError
from recocore.fraud.detectors.base import Detector
from recocore.ops import arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from recocore.fraud.detectors.base import Model
    from recocore.types import AnyArray, BoolArray, Float64Array

# Rows within this quantile of the chi-squared distribution count in the reweighted estimate (Rousseeuw and Van Driessen 1999).
_REWEIGHTED = 0.975


class MCD(Detector):
    """Minimum covariance determinant by FastMCD (Rousseeuw and Van Driessen, Technometrics 1999).

    Of all subsets of h rows, the one whose covariance has the least determinant is sought. Its scatter is made
    consistent at the normal distribution (Croux and Haesbroeck 1999), the rows within the 97.5 % quantile are taken
    together, and their scatter is made consistent again. The score is the squared Mahalanobis distance (x - m)' S^-1
    (x - m).

    Features are first divided by their median absolute deviation. A feature without two different values in `fit` is
    left out: it adds nothing to a score. 1e-9 is added to each variance in that unit, so a scatter always has an
    inverse: a row that leaves a plane on which the others lie is far out.

    Reasons are z_j (S^-1 z)_j with z = x - m: they sum to the score, and one below 0 speaks for the row.

    `fit` refuses missing values; `score` takes them for the location's.

    Fitting takes O(n f^2) a step, scoring O(f^2) a row.

    Args:
        support_fraction: h / n in (0, 1]; None is the most robust, (n + f + 1) / 2 rows.
        seed: of the random starts.
        num_threads: 0 is one a core.

    Example:
        >>> import numpy as np
        >>> rows = np.random.default_rng(0).normal(size=(500, 2)) * [1, 10]
        >>> rows[:100] += [50, 0]
        >>> detector = MCD().fit(rows)
        >>> bool(detector.score(rows[:100]).min() > 100 * np.median(detector.score(rows[100:])))
        True
    """

    kind: ClassVar[str] = "mcd"
    _model: _native.McdModel | None

    def __init__(self, support_fraction: float | None = None, seed: int = 0, *, num_threads: int = 0) -> None:
        super().__init__(num_threads)
        if support_fraction is not None:
            support_fraction = arguments.positive(support_fraction, "support_fraction")
            if support_fraction > 1:
                raise InvalidArgumentError(
                    f"support_fraction: expected a number in (0, 1], got {support_fraction}", field="support_fraction"
                )
        self.support_fraction = support_fraction
        self.seed = arguments.integer(seed, "seed", 0)
        self._support: BoolArray | None = None

    def parameters(self) -> dict[str, Any]:
        """What the constructor takes, but for the number of threads."""
        return {"support_fraction": self.support_fraction, "seed": self.seed}

    def fit(self, X: AnyArray) -> Self:
        """Find the scatter. Refuses missing values."""
        varying = _native.McdModel.varying(X)
        n = len(X)
        if self.support_fraction is None:
            h = _native.McdModel.support_size(n, varying)
        else:
            h = max(1, int(np.ceil(self.support_fraction * n)))
        corrections = (
            _consistency(varying, h / n),
            float(chdtri(max(varying, 1), 1 - _REWEIGHTED)),
            _consistency(varying, _REWEIGHTED),
        )
        self._model, support = _native.McdModel.fit(X, h, corrections, self.seed, self.num_threads)
        self._support = support.astype(bool)
        return self

    @property
    def support(self) -> BoolArray | None:
        """Of the last `fit`: bool `[n]`, which rows count in the reweighted estimate. Not saved."""
        return self._support

    @property
    def location(self) -> Float64Array:
        """The robust location `[f]`; a constant feature's value.

        Raises:
            NotFittedError: before `fit`.
        """
        if self._model is None:
            raise self._not_fitted()
        arrays = self._model.arrays()
        return np.asarray(arrays["center"] + arrays["scale"] * arrays["location"], np.float64)

    def _state(self) -> tuple[Mapping[str, Any], Mapping[str, AnyArray]]:
        assert self._model is not None
        return {}, self._model.arrays()

    def _restored(self, numbers: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Model:
        return _native.McdModel.restore(dict(arrays))


def _consistency(features: int, share: float) -> float:
    """By how much the scatter of the `share` of normal rows nearest to their mean is too small (Croux and Haesbroeck 1999)."""
    if features == 0 or share >= 1:
        return 1.0
    return share / float(chdtr(features + 2, chdtri(features, 1 - share)))
