"""Expected purchases of a customer who is alive, in forms that neither overflow nor cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import hyp2f1

if TYPE_CHECKING:
    from recocore.types import Float64Array

# The closed form loses digits like 1 / |a - 1|. Within this of 1 it is interpolated from six places around: the errors of
# both are about 1e-13.
_NEAR = 0.003
_PLACES = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]) * _NEAR
# The closed form subtracts from 1. Where less than this is left, and where its series overflows, the integrand is close to
# a polynomial, and quadrature has the digits that the subtraction has lost.
_LEFT = 1e-3
_NODES = 48


def alive_purchases(ahead: Float64Array, shape: Float64Array, a: float, b: Float64Array) -> Float64Array:
    """Mean purchases until `ahead`, for a rate of Gamma(shape, 1) and a chance to leave of Beta(a, b) at each.

    It is the integral over p of Beta(p; a, b) (1 - (1 + p u)^-s) / p, in closed form

        (a + b - 1) / (a - 1) (1 - (1 + u)^(1-a) 2F1(a + b - 1 - s, a - 1; a + b - 1; u / (1 + u))),

    which follows from equation 10 of Fader, Hardie, Lee (2005) by Euler's and Pfaff's transformations: the frequency is
    in the third parameter alone, so the series stays short and small at any frequency.

    Args:
        ahead: u, the time ahead over alpha + T, any shape; the others' shapes go with it.
        shape: s = r + frequency.
        a: above 0.
        b: above 0, frequency included.
    """
    ahead, shape, b = np.broadcast_arrays(ahead, shape, b)
    made = np.empty(ahead.shape)
    with np.errstate(all="ignore"):  # a series that overflows is replaced below
        left = _left(ahead, shape, a, b)
        if abs(a - 1) >= _NEAR:
            made[...] = (a + b - 1) / (a - 1) * left
        else:
            made[...] = sum(
                np.prod([(a - 1 - other) / (place - other) for other in _PLACES if other != place])
                * ((place + b) / place * _left(ahead, shape, 1 + place, b))
                for place in _PLACES
            )
            left = made * _NEAR / b
    coarse = ~(np.abs(left) > _LEFT) | ~np.isfinite(made)
    if coarse.any():
        made[coarse] = _quadrature(ahead[coarse], shape[coarse], a, b[coarse])
    return made


def _left(ahead: Float64Array, shape: Float64Array, a: float, b: Float64Array) -> Float64Array:
    whole = a + b - 1
    series = hyp2f1(whole - shape, a - 1, whole, ahead / (1 + ahead))
    return np.asarray(1 - np.exp((1 - a) * np.log1p(ahead)) * series)


def _quadrature(ahead: Float64Array, shape: Float64Array, a: float, b: Float64Array) -> Float64Array:
    """The integral itself, by Gauss-Jacobi nodes for each distinct b."""
    distinct, place = np.unique(b, return_inverse=True)
    nodes, weights = _jacobi(a, distinct)
    total = np.zeros(len(ahead))
    for step in range(_NODES):
        p = nodes[place, step]
        total += weights[place, step] * -np.expm1(-shape * np.log1p(p * ahead)) / p
    return total


def _jacobi(a: float, b: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Nodes and weights `[len(b), _NODES]` of Beta(a, b) on [0, 1]; Golub, Welsch (1969)."""
    above, below = b[:, None] - 1, a - 1
    k = np.arange(1, _NODES)
    both = above + below
    matrix = np.zeros((len(b), _NODES, _NODES))
    middle = 2 * k + both
    matrix[:, 0, 0] = (below - above[:, 0]) / (both[:, 0] + 2)
    matrix[:, k, k] = (below**2 - above**2) / (middle * (middle + 2))
    # The ratio of two terms that both vanish for a + b = 1 at k = 1, where it is 1.
    ratio = np.where(k == 1, 1.0, (k + both) / np.where(k == 1, 1.0, middle - 1))
    aside = np.sqrt(4 * k * (k + above) * (k + below) * ratio / (middle**2 * (middle + 1)))
    matrix[:, k, k - 1] = aside
    values, vectors = np.linalg.eigh(matrix)
    return np.clip((1 + values) / 2, np.finfo(np.float64).tiny, 1.0), vectors[:, 0, :] ** 2
