"""What a search for parameters of ALS looks through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.models.als_scale import DataScale
from recocore.ops.arguments import integer, not_negative

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.types import Float32Array, Float64Array

# What tuned models had on five data sets of 0.06 to 1.8 % density lies within.
_UNSEEN = (2.0, 100.0)
_PULL = (0.2, 5.0)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Ranges of parameters, by default wherever the data's density makes them sensible.

    Attributes:
        factors: the lengths to choose from.
        regularization: least and most, drawn evenly on a logarithmic scale; None for a pull (see
            `recocore.models.als_scale`) of 0.2 to 5, whatever nu and alpha0 are.
        alpha0: least and most, likewise; None for unseen pairs that weigh 2 to 100 times what seen ones do together.
        nu: least and most, drawn evenly.

    Raises:
        InvalidArgumentError: an empty or unsound range.

    Example:
        >>> SearchSpace(factors=(32, 64), alpha0=(0.01, 1.0)).nu
        (0.0, 1.0)
    """

    factors: tuple[int, ...] = (64, 128)
    regularization: tuple[float, float] | None = None
    alpha0: tuple[float, float] | None = None
    nu: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        lengths: object = self.factors
        if not isinstance(lengths, tuple) or not lengths:
            raise InvalidArgumentError(
                f"factors: expected a tuple of lengths to choose from, got {self.factors!r}", field="factors"
            )
        for length in self.factors:
            integer(length, "factors", 1, 2048)
        for name in ("regularization", "alpha0"):
            value = getattr(self, name)
            if value is not None:
                _check_range(value, name, above_zero=True)
        _check_range(self.nu, "nu", above_zero=False)

    def has(self, factors: int, regularization: float, alpha0: float, nu: float) -> bool:
        """Whether the parameters lie within every range that was given."""
        given = ((nu, self.nu), (regularization, self.regularization), (alpha0, self.alpha0))
        within = [(value, limits) for value, limits in given if limits is not None]
        return factors in self.factors and all(low <= value <= high for value, (low, high) in within)

    def draw(
        self, interactions: Csr, trials: int, seed: int, weights: Float32Array | None = None
    ) -> list[tuple[int, float, float, float]]:
        """So many (factors, regularization, alpha0, nu), spread evenly: a Latin hypercube."""
        scale = DataScale(interactions, weights)
        rng = np.random.default_rng(seed)
        # One point in each of `trials` equal parts of every parameter's range.
        points = np.stack([(rng.permutation(trials) + rng.random(trials)) / trials for _ in range(4)], axis=1)
        return [self._at(scale, point) for point in points]

    def _at(self, scale: DataScale, point: Float64Array) -> tuple[int, float, float, float]:
        """The parameters at a point of the unit cube."""
        which, pull, unseen, bend = point.tolist()
        factors = self.factors[int(which * len(self.factors))]
        nu = self.nu[0] + bend * (self.nu[1] - self.nu[0])
        alpha0 = scale.alpha0(_between(_UNSEEN, unseen)) if self.alpha0 is None else _between(self.alpha0, unseen)
        if self.regularization is None:
            return factors, scale.regularization(_between(_PULL, pull), alpha0, nu), alpha0, nu
        return factors, _between(self.regularization, pull), alpha0, nu


def _between(limits: tuple[float, float], part: float) -> float:
    """Evenly on a logarithmic scale."""
    low, high = limits
    return float(low * (high / low) ** part)


def _check_range(value: Any, name: str, *, above_zero: bool) -> None:
    least = "above 0" if above_zero else "of at least 0"
    if not isinstance(value, tuple) or len(value) != 2:
        raise InvalidArgumentError(f"{name}: expected (least, most), got {value!r}", field=name)
    low, high = (not_negative(end, name) for end in value)
    if low > high or (above_zero and low == 0):
        raise InvalidArgumentError(f"{name}: expected (least, most) {least}, least first, got {value!r}", field=name)
