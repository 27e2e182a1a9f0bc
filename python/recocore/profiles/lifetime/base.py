"""What every model of this folder is: a penalizer, fitted parameters with their errors, and one JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from recocore.data.checks import is_finite_number
from recocore.errors import CorruptError, InvalidArgumentError, NotFittedError
from recocore.profiles.lifetime.fitting import maximise
from recocore.storage.document import count, take
from recocore.storage.sealed_file import load_sealed, save_sealed

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from recocore.profiles.lifetime.inputs import Distinct
    from recocore.types import Float64Array

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Fitted:
    params: Mapping[str, float]
    standard_errors: Mapping[str, float]
    log_likelihood: float
    customers: int


class LifetimeModel:
    """A model of customers with a few positive parameters.

    Args:
        penalizer: adds this times the sum of squared parameters to the mean negative log-likelihood, which keeps them small
            where there are few customers. Times are scaled so that the longest T is 1 before, as in `lifetimes`.
    """

    kind: ClassVar[str]
    names: ClassVar[tuple[str, ...]]

    def __init__(self, penalizer: float = 0.0) -> None:
        if not is_finite_number(penalizer) or penalizer < 0:
            raise InvalidArgumentError(
                f"penalizer: expected a number of at least 0, got {penalizer!r}", field="penalizer"
            )
        self.penalizer = float(penalizer)
        self._fitted: _Fitted | None = None

    def __repr__(self) -> str:
        if self._fitted is None:
            return f"{type(self).__name__}(penalizer={self.penalizer:g})"
        shown = ", ".join(f"{name}={value:.4g}" for name, value in self._fitted.params.items())
        return f"<{type(self).__name__} of {self._fitted.customers:,} customers: {shown}>"

    @property
    def params_(self) -> Mapping[str, float]:
        """The fitted parameters by name.

        Raises:
            NotFittedError: before `fit`.
        """
        return self._known().params

    @property
    def standard_errors_(self) -> Mapping[str, float]:
        """The parameters' standard errors, from the curvature of the log-likelihood; NaN where there is none."""
        return self._known().standard_errors

    @property
    def log_likelihood_(self) -> float:
        """The log-likelihood of the data at the fitted parameters, the penalizer aside."""
        return self._known().log_likelihood

    @property
    def n_customers_(self) -> int:
        """How many customers the parameters were fitted to."""
        return self._known().customers

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model as a JSON document, whole or not at all.

        Raises:
            NotFittedError: before `fit`.
            OSError: the file system refuses.
        """
        save_sealed(path, self.kind, _FORMAT, self.to_body())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: nothing is there.
            CorruptError: the file is damaged, or of another model.
        """
        body = load_sealed(path, cls.kind, _FORMAT)
        try:
            return cls.from_body(body)
        except CorruptError as error:
            raise CorruptError(f"{path}: {error}; save the model again") from None

    def to_body(self) -> dict[str, Any]:
        """The fitted model as JSON holds it.

        Raises:
            NotFittedError: before `fit`.
        """
        known = self._known()
        return {
            "penalizer": self.penalizer,
            "params": dict(known.params),
            "standard_errors": {
                name: value if np.isfinite(value) else None for name, value in known.standard_errors.items()
            },
            "log_likelihood": known.log_likelihood,
            "customers": known.customers,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """What `to_body` gave.

        Raises:
            CorruptError: it is not that; the message names the part.
        """
        params, errors = take(body, "params", dict), take(body, "standard_errors", dict)
        model = cls(take(body, "penalizer", float))
        model._fitted = _Fitted(
            MappingProxyType({name: take(params, name, float) for name in cls.names}),
            MappingProxyType(
                {name: float("nan") if errors.get(name) is None else take(errors, name, float) for name in cls.names}
            ),
            take(body, "log_likelihood", float),
            count(body, "customers"),
        )
        return model

    def _known(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(f"{type(self).__name__} is not fitted; call fit first")
        return self._fitted

    def _learn(self, rows: Distinct, scale: Mapping[str, float]) -> None:
        """Fit to rows whose units were divided by `scale`, the one of each parameter that has a unit."""
        penalizer = self.penalizer

        def objective(logs: Float64Array) -> tuple[float, Float64Array]:
            params = np.exp(logs)
            value, slope = self._log_likelihood(params, rows)
            return (
                penalizer * float(params @ params) - value / rows.total,
                2 * penalizer * params**2 - slope * params / rows.total,
            )

        best = maximise(objective, len(self.names))
        params = best.params * [scale.get(name, 1.0) for name in self.names]
        errors = params * best.relative_errors / np.sqrt(rows.total)
        self._fitted = _Fitted(
            MappingProxyType(dict(zip(self.names, map(float, params), strict=True))),
            MappingProxyType(dict(zip(self.names, map(float, errors), strict=True))),
            self._log_likelihood(best.params, rows)[0] - self._shift(rows, scale),
            rows.total,
        )

    def _log_likelihood(self, params: Float64Array, rows: Distinct) -> tuple[float, Float64Array]:
        """The log-likelihood of all rows and its gradient by the parameters, `[n]`."""
        raise NotImplementedError

    def _shift(self, rows: Distinct, scale: Mapping[str, float]) -> float:
        """By how much the log-likelihood of scaled rows exceeds that of the rows in their own units."""
        raise NotImplementedError
