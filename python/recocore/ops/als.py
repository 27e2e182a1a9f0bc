"""The steps of alternating least squares on implicit feedback.

The objective, after Rendle et al., "Revisiting the Performance of iALS" (2022), eq. 1-3, over stored entries S with weights w:

    sum_S w_ui (1 - x_u.y_i)^2  +  alpha0 sum_all (x_u.y_i)^2  +  sum_u lambda_u |x_u|^2  +  sum_i lambda_i |y_i|^2
    lambda_row = regularization * (entries of the row + alpha0 * length of the other side) ** nu
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore import _native

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.types import Float32Array, Progress


def als_half_epoch(
    interactions: Csr,
    fixed: Float32Array,
    solved: Float32Array,
    *,
    regularization: float,
    alpha0: float,
    nu: float,
    solver: str = "auto",
    num_threads: int = 0,
    progress: Progress | None = None,
) -> None:
    """Set each row of `solved` to the best (exact solvers) or a better point with `fixed` held.

    Args:
        interactions: `[rows, cols]` weights >= 0.
        fixed: float32 `[cols, f]`.
        solved: float32 `[rows, f]`, changed in place; a row without entries becomes zero.
        regularization: see the objective.
        alpha0: weight of every pair, seen or not.
        nu: how far the regularisation grows with a row's entries; 0 is plain, 1 is frequency-scaled.
        solver: cholesky (exact), cg (3 steps), subspace (iALS++ blocks of 64), or auto: cholesky up to 128 factors, else
            subspace.
        num_threads: 0 is one for each core. The result does not depend on it.
        progress: told the part done; an exception that it raises stops the step.

    Raises:
        InvalidArgumentError: shapes, weights or parameters out of range, or a singular system; says what to change.
    """
    _native.als_half_epoch(
        interactions.native, fixed, solved, regularization, alpha0, nu, solver, num_threads, progress
    )


def als_objective(
    interactions: Csr,
    row_factors: Float32Array,
    col_factors: Float32Array,
    *,
    regularization: float,
    alpha0: float,
    nu: float,
    num_threads: int = 0,
) -> float:
    """The value of the objective, summed in float64. O(nnz f + (rows + cols) f^2)."""
    return _native.als_objective(interactions.native, row_factors, col_factors, regularization, alpha0, nu, num_threads)
