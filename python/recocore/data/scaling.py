"""Filling and scaling of numeric features: fitted once, saved as JSON, reapplied bit for bit.

Arrays are `[n]` or `[n, columns]` of any real dtype; what is fitted and what comes out is float64.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from recocore.errors import CorruptError, InvalidArgumentError

if TYPE_CHECKING:
    from recocore.types import BoolArray, Float64Array

_FORMAT, _VERSION = "recocore.scaling", 1


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """Values without gaps, and where the gaps were: bool of the same shape."""

    values: Float64Array
    mask: BoolArray


@dataclass(frozen=True)
class _Fitted(ABC):
    """One float64 for each column and parameter; `()` columns means that it was fitted on a 1-d array."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, array: Any) -> Self:
        """Learn from a training array."""

    def to_json(self) -> str:
        """All that was fitted, as one line of versioned JSON whose numbers are exact."""
        parameters = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({"format": _FORMAT, "version": _VERSION, "kind": self.kind, **parameters}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote for this class.

        Raises:
            CorruptError: other JSON, another kind, a newer version, or numbers that are missing or not finite.
        """
        try:
            saved = json.loads(text)
            found = (saved["format"], saved["version"], saved["kind"])
            if found != (_FORMAT, _VERSION, cls.kind):
                raise CorruptError(f"{cls.__name__}: expected {(_FORMAT, _VERSION, cls.kind)}, got {found}")
            return cls(**{field.name: _parameter(saved[field.name]) for field in fields(cls)})
        except (json.JSONDecodeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise CorruptError(f"{cls.__name__}: expected what to_json wrote, got {error!r}") from None

    def _take(self, array: Any, argument: str = "array") -> Float64Array:
        return _checked(array, argument, np.shape(getattr(self, fields(self)[0].name)))


@dataclass(frozen=True)
class _Fill(_Fitted):
    """Puts one value of each column where NaN is."""

    value: float | tuple[float, ...]

    def apply(self, array: Any) -> Filled:
        """Fill the gaps (NaN) of an array with as many columns as the one fitted."""
        values = self._take(array)
        mask = np.isnan(values)
        return Filled(np.where(mask, self.value, values), mask)


class MeanFill(_Fill):
    """Fills gaps (NaN) with the column's mean.

    Example:
        >>> fill = MeanFill.fit([1.0, float("nan"), 3.0])
        >>> filled = MeanFill.from_json(fill.to_json()).apply([float("nan"), 7.0])
        >>> filled.values.tolist(), filled.mask.tolist()
        ([2.0, 7.0], [True, False])
    """

    kind = "mean_fill"

    @classmethod
    def fit(cls, array: Any) -> Self:
        """Take each column's mean over what is known; a column of gaps alone is refused."""
        return cls(_frozen(_mean(_known_columns(array))))


class MedianFill(_Fill):
    """Fills gaps (NaN) with the column's median."""

    kind = "median_fill"

    @classmethod
    def fit(cls, array: Any) -> Self:
        """Take each column's median over what is known; a column of gaps alone is refused."""
        values = _known_columns(array)
        low, high = (np.nanquantile(values, 0.5, axis=0, method=method) for method in ("lower", "higher"))
        # Halving before adding keeps the middle of two large numbers finite.
        return cls(_frozen(np.where(low == high, low, low / 2 + high / 2)))


@dataclass(frozen=True)
class _Linear(_Fitted):
    """(x - centre) / scale for each column; a column that was constant has scale 1, so that it becomes 0."""

    centre: float | tuple[float, ...]
    scale: float | tuple[float, ...]

    def __post_init__(self) -> None:
        if np.any(np.asarray(self.scale) <= 0) or np.shape(self.scale) != np.shape(self.centre):
            raise ValueError(f"scale: expected one number above 0 a column, got {self.scale}")

    def apply(self, array: Any) -> Float64Array:
        """Scale an array with as many columns as the one fitted; gaps (NaN) are refused: fill them first."""
        with np.errstate(over="ignore"):
            scaled = (_whole(self._take(array)) - self.centre) / self.scale
        return _finite(scaled)

    def inverse(self, array: Any) -> Float64Array:
        """Undo `apply`, up to rounding."""
        with np.errstate(over="ignore"):
            restored = _whole(self._take(array)) * self.scale + self.centre
        return _finite(restored)


class ZScore(_Linear):
    """Scales each column to mean 0 and standard deviation 1 (population, division by n).

    Example:
        >>> ZScore.fit([1.0, 3.0]).apply([1.0, 2.0, 5.0]).tolist()
        [-1.0, 0.0, 3.0]
    """

    kind = "z_score"

    @classmethod
    def fit(cls, array: Any) -> Self:
        """Take each column's mean and standard deviation."""
        values = _whole(_checked(array, "array"))
        _require_rows(values)
        constant = np.all(values == values[0], axis=0)
        centre = np.where(constant, values[0], _mean(values))
        with np.errstate(over="ignore"):
            deviations = _finite(values - centre)
        # Dividing by the largest deviation first keeps the squares from overflowing and from vanishing.
        largest = np.max(np.abs(deviations), axis=0)
        unit = np.where(constant | (largest == 0), 1.0, largest)
        spread = unit * np.sqrt(np.mean((deviations / unit) ** 2, axis=0))
        return cls(_frozen(centre), _frozen(np.where(constant | (spread == 0), 1.0, spread)))


class MinMax(_Linear):
    """Scales each column so that what was fitted spans [0, 1]; later values may lie outside.

    Example:
        >>> scaler = MinMax.fit([[10, 5], [20, 5]])
        >>> scaler.apply([[15, 5]]).tolist(), scaler.inverse([[0.5, 0.0]]).tolist()
        ([[0.5, 0.0]], [[15.0, 5.0]])
    """

    kind = "min_max"

    @classmethod
    def fit(cls, array: Any) -> Self:
        """Take each column's least and greatest value."""
        values = _whole(_checked(array, "array"))
        _require_rows(values)
        low = values.min(axis=0)
        with np.errstate(over="ignore"):
            span = _finite(values.max(axis=0) - low)
        return cls(_frozen(low), _frozen(np.where(span == 0, 1.0, span)))


def _checked(array: Any, argument: str, columns: tuple[int, ...] | None = None) -> Float64Array:
    values = np.asarray(array)
    if values.dtype.kind not in "biuf" or values.ndim not in {1, 2}:
        raise InvalidArgumentError(
            f"{argument}: expected real numbers [n] or [n, columns], got {values.ndim}-d {values.dtype}", field=argument
        )
    if columns is not None and values.shape[1:] != columns:
        raise InvalidArgumentError(
            f"{argument}: expected {_described(columns)} as fitted, got {_described(values.shape[1:])}", field=argument
        )
    values = values.astype(np.float64)
    if np.isinf(values).any():
        raise InvalidArgumentError(
            f"{argument}: expected numbers or NaN for gaps, got {int(np.isinf(values).sum())} infinities",
            field=argument,
        )
    return values


def _described(columns: tuple[int, ...]) -> str:
    return f"[n, {columns[0]}]" if columns else "[n]"


def _whole(values: Float64Array) -> Float64Array:
    gaps = int(np.isnan(values).sum())
    if gaps:
        raise InvalidArgumentError(
            f"array: expected numbers, got {gaps} NaN; fill them first with MeanFill or MedianFill", field="array"
        )
    return values


def _require_rows(values: Float64Array) -> None:
    if len(values) == 0:
        raise InvalidArgumentError("array: expected at least one row to fit, got none", field="array")


def _known_columns(array: Any) -> Float64Array:
    values = _checked(array, "array")
    _require_rows(values)
    empty = np.flatnonzero(np.atleast_1d(np.isnan(values).all(axis=0)))
    if len(empty):
        raise InvalidArgumentError(
            f"array: expected a number in each column to fit, got columns of NaN alone: {empty.tolist()}", field="array"
        )
    return values


def _mean(values: Float64Array) -> Float64Array:
    # A mean is never beyond its values, but their sum may be; scaling by a power of two changes no digit.
    exponent = np.frexp(np.nanmax(np.abs(values), axis=0))[1]
    return np.asarray(np.ldexp(np.nanmean(np.ldexp(values, -exponent), axis=0), exponent))


def _finite(values: Float64Array) -> Float64Array:
    if not np.isfinite(values).all():
        raise InvalidArgumentError("array: the result is beyond float64; scale the numbers down first", field="array")
    return values


def _frozen(values: Any) -> float | tuple[float, ...]:
    listed = np.asarray(values, np.float64).tolist()
    return tuple(listed) if isinstance(listed, list) else listed


def _parameter(saved: Any) -> float | tuple[float, ...]:
    listed = saved if isinstance(saved, list) else [saved]
    numbers = [float(number) for number in listed if type(number) in {int, float}]
    if len(numbers) < len(listed) or not np.isfinite(numbers).all():
        raise ValueError(f"expected finite numbers, got {saved}")
    return tuple(numbers) if isinstance(saved, list) else numbers[0]
