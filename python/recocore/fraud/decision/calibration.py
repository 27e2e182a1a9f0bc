"""From a risk that ranks to a probability that means what it says: isotonic regression and Platt's sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.types import Float64Array

Method: TypeAlias = Literal["isotonic", "platt", "none"]

# Newton's steps until the gradient of the mean loss is below this; it takes some ten.
_FLAT = 1e-12
_MOST_STEPS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Calibrator:
    """A rising map from risk to probability.

    Attributes:
        method: isotonic (points joined by lines), platt (1 / (1 + exp(a x + b))), or none (the risk as it is).
        x, y: the points of isotonic, or (a,) and (b,) of platt.
    """

    method: Method
    x: Float64Array
    y: Float64Array

    def __call__(self, risk: Float64Array) -> Float64Array:
        """Probabilities `[n]` of risks `[n]`."""
        if self.method == "isotonic":
            probability: Float64Array = np.interp(risk, self.x, self.y)
            return probability
        if self.method == "platt":
            probability = 1 / (1 + np.exp(self.x[0] * risk + self.y[0]))
            return probability
        return risk

    @classmethod
    def none(cls) -> Calibrator:
        """The risk as it is."""
        return cls("none", np.zeros(0), np.zeros(0))

    @classmethod
    def isotonic(cls, risk: Float64Array, labels: Float64Array) -> Calibrator:
        """The rising steps closest to the labels in squares: pool adjacent violators (Ayer et al. 1955). O(n log n).

        Between two steps it goes along a line, outside it stays at the ends, as scikit-learn's IsotonicRegression does.

        Raises:
            InvalidArgumentError: no rows, shapes that differ, or labels other than 0 and 1.

        Example:
            >>> fitted = Calibrator.isotonic(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1, 0, 1]))
            >>> fitted(np.array([0.0, 0.2, 0.35, 1.0])).round(9).tolist()
            [0.0, 0.5, 0.75, 1.0]
        """
        _check(risk, labels)
        places, inverse, weights = np.unique(risk, return_inverse=True, return_counts=True)
        means = np.bincount(inverse, labels) / weights
        blocks: list[tuple[float, float, int]] = []  # mean, weight, and how many places it covers
        for mean, weight in zip(means.tolist(), weights.tolist(), strict=True):
            block = (mean, float(weight), 1)
            while blocks and blocks[-1][0] >= block[0]:
                other = blocks.pop()
                total = other[1] + block[1]
                block = ((other[0] * other[1] + block[0] * block[1]) / total, total, other[2] + block[2])
            blocks.append(block)
        ends = np.cumsum([count for _, _, count in blocks])
        begins = ends - np.array([count for _, _, count in blocks])
        corners = np.unique(np.concatenate([begins, ends - 1]))
        levels = np.repeat([mean for mean, _, _ in blocks], ends - begins)
        return cls("isotonic", places[corners], levels[corners])

    @classmethod
    def platt(cls, risk: Float64Array, labels: Float64Array) -> Calibrator:
        """The sigmoid of the greatest likelihood, with Platt's targets (n+ + 1)/(n+ + 2) and 1/(n- + 2).

        Platt (1999); Newton's method as Lin, Lin and Weng (2007) have it. O(n) a step.

        Raises:
            InvalidArgumentError: as `isotonic`.
        """
        _check(risk, labels)
        positive = float(labels.sum())
        negative = len(labels) - positive
        targets = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
        a, b = 0.0, float(np.log((negative + 1) / (positive + 1)))
        loss = _loss(a * risk + b, targets)
        for _ in range(_MOST_STEPS):
            p = 1 / (1 + np.exp(a * risk + b))
            gap, slope = targets - p, p * (1 - p)
            gradient = np.array([(risk * gap).mean(), gap.mean()])
            if np.abs(gradient).max() < _FLAT:
                break
            curve = np.array([[(risk * risk * slope).mean(), (risk * slope).mean()], [0, slope.mean()]])
            curve[1, 0] = curve[0, 1]
            step = np.linalg.solve(curve + 1e-12 * np.eye(2), gradient)
            size = 1.0
            while (tried := _loss((a - size * step[0]) * risk + b - size * step[1], targets)) > loss and size > 1e-10:
                size /= 2
            a, b, loss = a - size * step[0], b - size * step[1], tried
        return cls("platt", np.array([a]), np.array([b]))


def _loss(z: Float64Array, targets: Float64Array) -> float:
    """Mean cross-entropy of 1 / (1 + exp(z))."""
    return float((np.logaddexp(0, z) - (1 - targets) * z).mean())


def _check(risk: Float64Array, labels: Float64Array) -> None:
    if risk.ndim != 1 or risk.shape != labels.shape or not len(risk) or not np.isfinite(risk).all():
        raise InvalidArgumentError(
            f"risk: expected one finite number a label, got shapes {risk.shape} and {labels.shape}", field="risk"
        )
    if not np.isin(labels, (0, 1)).all():
        raise InvalidArgumentError("labels: expected 0 and 1 alone, got another number", field="labels")
