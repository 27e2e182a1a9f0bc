"""The scale on which profiles are compared: logarithms, centred at the median, in robust standard deviations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from recocore.profiles.features import Features
    from recocore.types import Float64Array

# The interquartile range of a normal distribution in standard deviations.
_NORMAL_IQR = 1.349
# Beyond this many robust standard deviations all are alike: one customer with a million must not be a segment.
_FAR = 5.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How features become coordinates; frozen with a segmentation, so that tomorrow's profiles are measured alike.

    Attributes:
        features: names of features of numbers.
        fill: the value in place of a missing one: the median.
        center: median of log1p.
        spread: robust standard deviation of log1p.
    """

    features: tuple[str, ...]
    fill: tuple[float, ...]
    center: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, features: Features, names: tuple[str, ...]) -> Self:
        """Measure a population."""
        fill, center, spread = [], [], []
        for name in names:
            values = features.numbers(name)
            known = values[np.isfinite(values)]
            middle = float(np.median(known)) if len(known) else 0.0
            logs = log(np.where(np.isfinite(values), values, middle))
            low, mid, high = np.quantile(logs, (0.25, 0.5, 0.75)) if len(logs) else (0.0, 0.0, 0.0)
            # Where half of a population has one value, as of refunds, the quartiles say nothing.
            width = (high - low) / _NORMAL_IQR or float(logs.std() if len(logs) else 0.0) or 1.0
            fill.append(middle)
            center.append(float(mid))
            spread.append(float(width))
        return cls(names, tuple(fill), tuple(center), tuple(spread))

    def points(self, features: Features) -> Float64Array:
        """Coordinates of all users, float64 `[n, n_features]`, within ±5."""
        made = np.empty((features.rows, len(self.features)))
        for place, name in enumerate(self.features):
            values = features.numbers(name)
            logs = log(np.where(np.isfinite(values), values, self.fill[place]))
            made[:, place] = np.clip((logs - self.center[place]) / self.spread[place], -_FAR, _FAR)
        return made

    def logs(self, points: Float64Array) -> Float64Array:
        """Coordinates back as logarithms, which another scale can measure."""
        return np.asarray(points * np.array(self.spread) + np.array(self.center), np.float64)

    def of_logs(self, logs: Float64Array) -> Float64Array:
        """Logarithms as coordinates."""
        return np.asarray((logs - np.array(self.center)) / np.array(self.spread), np.float64)


def log(values: Float64Array) -> Float64Array:
    """log1p of the size, with the sign: refunds may exceed purchases.

    >>> log(np.array([0.0, 1.7182818284590453, -1.7182818284590453])).round(6).tolist()
    [0.0, 1.0, -1.0]
    """
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))
