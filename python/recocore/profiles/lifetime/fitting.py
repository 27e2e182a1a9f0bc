"""Maximum likelihood over positive parameters: a quasi-Newton search on their logarithms, finished by Newton's steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float64Array

    # Mean negative log-likelihood and its gradient, both at the logarithms of the parameters.
    Objective = Callable[[Float64Array], tuple[float, Float64Array]]

# exp(±14) is about a millionth and a million, in units of the data: a parameter that goes there has left for infinity.
_BOUND = 14.0
_STARTS = (0.0, 1.0, -1.0)
# Step of a central difference of an analytic gradient: the cube root of float64's precision, where its error is least.
_STEP = 6e-6
_NEWTON_STEPS = 8
_ENOUGH = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the likelihood is greatest.

    Attributes:
        params: the parameters, `[n]`.
        relative_errors: standard errors of their logarithms for one row of weight 1, `[n]`; NaN where the likelihood
            has no curvature, as when a parameter has left for infinity.
    """

    params: Float64Array
    relative_errors: Float64Array


def maximise(objective: Objective, size: int) -> Optimum:
    """The parameters at which a mean negative log-likelihood is least.

    Raises:
        InvalidArgumentError: no start leads to a finite optimum.
    """
    found = None
    for start in _STARTS:
        with np.errstate(over="ignore", invalid="ignore"):
            result = minimize(
                objective,
                np.full(size, start),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-_BOUND, _BOUND)] * size,
                options={"maxiter": 2_000, "maxfun": 4_000, "ftol": 1e-14, "gtol": 1e-9},
            )
        if np.isfinite(result.fun) and (found is None or result.fun < found.fun):
            found = result
        if found is not None and np.abs(found.jac).max() < 1e-5:
            break
    if found is None:
        raise InvalidArgumentError(
            "frequency: expected histories with a finite likelihood, got none at any start; look for extreme values in "
            "the columns, or give a penalizer"
        )
    place, curvature = _finish(objective, np.asarray(found.x, np.float64))
    return Optimum(np.exp(place), _relative_errors(curvature))


def _finish(objective: Objective, place: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Newton's steps as long as they help: the search stops by values, which are flat near the optimum."""
    value, slope = objective(place)
    curvature = _curvature(objective, place)
    for _ in range(_NEWTON_STEPS):
        if np.abs(slope).max() < _ENOUGH or np.linalg.eigvalsh(curvature)[0] <= 0:
            break
        further = place - np.linalg.solve(curvature, slope)
        if np.abs(further).max() >= _BOUND:
            break
        new_value, new_slope = objective(further)
        if not new_value <= value + 1e-12 * abs(value) or np.abs(new_slope).max() >= np.abs(slope).max():
            break
        place, value, slope = further, new_value, new_slope
        curvature = _curvature(objective, place)
    return place, curvature


def _curvature(objective: Objective, place: Float64Array) -> Float64Array:
    rows = []
    for axis in range(len(place)):
        step = np.zeros(len(place))
        step[axis] = _STEP
        rows.append((objective(place + step)[1] - objective(place - step)[1]) / (2 * _STEP))
    matrix = np.asarray(rows)
    return (matrix + matrix.T) / 2


def _relative_errors(curvature: Float64Array) -> Float64Array:
    # Below this the likelihood is as flat as its own rounding: an error from it would be a made-up number.
    if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature)[0] <= 1e-9:
        return np.full(len(curvature), np.nan)
    return np.sqrt(np.diag(np.linalg.inv(curvature)))
