"""The steps of alternating least squares on implicit feedback.

An entry has a value v and a weight u of its own, 1 where none are given. Its implicit weight is w = u |v| and its preference
p = 1, or negative_preference, 0 to -1, where v < 0 (a dislike). Over stored entries S:

    loss "ials":      sum_S w (p - x_u.y_i)^2  +  alpha0 sum_all (x_u.y_i)^2
    loss "original":  sum_S (alpha0 + w) (p - x_u.y_i)^2  +  alpha0 sum_not_S (x_u.y_i)^2
    loss "explicit":  sum_S u (v - offset_i - x_u.y_i)^2, for ratings v; alpha0 is 0
    objective:        loss  +  sum_u lambda_u |x_u - prior_u|^2  +  sum_i lambda_i |y_i - prior_i|^2, where a prior is zero
                      unless features are given
    lambda_row = regularization * (entries of the row + alpha0 * length of the other side) ** nu

after Rendle et al., "Revisiting the Performance of iALS" (2022), eq. 1-3, and Hu, Koren, Volinsky, "Collaborative Filtering for
Implicit Feedback Datasets" (2008), eq. 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recocore import _native
from recocore._native import AlsInteractions
from recocore.csr import Csr
from recocore.ops.device import checked_device, stream_handle

if TYPE_CHECKING:
    from recocore.types import CudaArray, Float32Array, Int32Array, Progress


__all__ = [
    "AlsInteractions",
    "AlsObjective",
    "AlsPrior",
    "AlsReport",
    "als_half_epoch",
    "als_objective",
    "checked_interactions",
    "half_epoch_bytes",
]


@dataclass(frozen=True, slots=True)
class AlsObjective:
    """What ALS minimises.

    Attributes:
        regularization: see the module's formula.
        alpha0: weight of every pair, seen or not.
        nu: how far the regularisation grows with a row's entries; 0 is plain, 1 is frequency-scaled.
        loss: ials, original or explicit.
        negative_preference: what the prediction of a dislike is drawn to, 0 to -1.
    """

    regularization: float
    alpha0: float
    nu: float
    loss: str = "ials"
    negative_preference: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class AlsPrior:
    """Where the regularisation draws rows to, in place of zero: row r of `features @ weights`.

    Attributes:
        features: `[rows, p]`.
        weights: float32 `[p, f]`.
    """

    features: Csr
    weights: Float32Array


@dataclass(frozen=True, slots=True)
class AlsReport:
    """How a half-epoch solved its rows.

    Attributes:
        empty: rows without entries, set to zero.
        primal: rows solved exactly by a system of the size of a factor.
        dual: rows solved exactly by a system of the size of their entries.
        cg: rows improved by conjugate gradient.
        subspace: rows improved block by block.
        flops: floating-point operations that this took.
    """

    empty: int
    primal: int
    dual: int
    cg: int
    subspace: int
    flops: float

    def __str__(self) -> str:
        """The rows of each solver that was used and their share.

        >>> str(AlsReport(empty=0, primal=300, dual=0, cg=700, subspace=0, flops=1e9))
        '300 rows primal (30 %), 700 rows cg (70 %)'
        """
        counts = {name: getattr(self, name) for name in ("empty", "primal", "dual", "cg", "subspace")}
        total = sum(counts.values())
        return ", ".join(f"{n:,} rows {name} ({n / total:.0%})".replace("%", " %") for name, n in counts.items() if n)


def checked_interactions(interactions: Csr, weights: Float32Array | None = None) -> AlsInteractions:
    """Check interactions once for many half-epochs; the arrays must not be changed afterwards. O(nnz).

    Args:
        interactions: `[rows, cols]`.
        weights: float32 `[nnz]`, at least 0, the entries' own; ones where None.

    Raises:
        InvalidArgumentError: an entry out of range or not finite, naming its row; a weight below 0.
    """
    return AlsInteractions(interactions.native, weights)


def als_half_epoch(
    interactions: Csr | AlsInteractions,
    fixed: Float32Array | CudaArray,
    solved: Float32Array | CudaArray,
    objective: AlsObjective,
    *,
    solver: str = "auto",
    cg_steps: int = 3,
    block_size: int = 64,
    num_threads: int = 0,
    progress: Progress | None = None,
    offsets: Float32Array | None = None,
    counted: Int32Array | None = None,
    prior: AlsPrior | None = None,
    device: str = "cpu",
    stream: Any = None,
    fixed_use: str = "kept",
) -> AlsReport:
    """Set each row of `solved` to the best (exact solvers) or a better point with `fixed` held.

    Args:
        interactions: `[rows, cols]` values, or what `checked_interactions` made of them.
        fixed: float32 `[cols, f]`; here and in `solved` the rows may lie apart, as in columns of a wider array.
        solved: float32 `[rows, f]`, changed in place; a row without entries becomes zero, whatever its prior. After an
            error its content is not to be used.
        objective: what to minimise.
        solver: cholesky (exact: for each row whichever is cheaper of a system of the size of a factor and one of the size
            of its entries, "Revisiting" section 3 and its dual), cg (conjugate gradient from the present factors, Takacs
            et al. 2011, in the eigenbasis of the Gram matrix and preconditioned by it), subspace (iALS++), or auto: cg,
            but exact for rows so short that this costs no more than a step, and for all where that is cheaper.
        cg_steps: steps of conjugate gradient.
        block_size: factors that subspace solves at a time, rounded up to a multiple of 16.
        num_threads: 0 is one for each core. The result does not depend on it.
        progress: told the part done; an exception that it raises stops the step.
        offsets: float32 `[cols]`, taken from the ratings of each column; the loss explicit alone.
        counted: int32, rising: the rows of `fixed` that alpha0's sum runs over; None for all.
        prior: where the rows are drawn to; None for zero.
        device: cpu, or cuda, where auto is cholesky. Both factors may lie there already, as arrays of CuPy, torch or anything
            with `__cuda_array_interface__` or DLPack.
        stream: of CUDA, see `recocore.ops.topk`.
        fixed_use: what may become of `fixed`, whose rows are often needed in another basis. kept, then that is a copy; or in
            their place, where f is a multiple of 16, rows have no gaps and the first starts at a multiple of 64 bytes:
            restored turns them back, which changes them by rounding; spent leaves them void. Of the CPU alone.

    Returns:
        How many rows were solved which way.

    Raises:
        InvalidArgumentError: shapes or parameters out of range, or a singular system; says what to change.
        OutOfMemoryError: before more is allocated than there is.

    Example:
        >>> import numpy as np
        >>> likes = Csr.from_coo([0, 0, 1], [0, 1, 1], [1.0, 1.0, 1.0], (2, 2))
        >>> users, items = np.zeros((2, 1), np.float32), np.ones((2, 1), np.float32)
        >>> als_half_epoch(likes, items, users, AlsObjective(0.0, 0.0, 0.0)).primal
        2
        >>> users.round(3).tolist()
        [[1.0], [1.0]]
    """
    params = _native.AlsParams(
        objective.regularization,
        objective.alpha0,
        objective.nu,
        objective.loss,
        solver,
        cg_steps,
        block_size,
        objective.negative_preference,
    )
    native_prior = None if prior is None else (prior.features.native, prior.weights)
    return AlsReport(
        *_native.als_half_epoch(
            _held(interactions),
            fixed,
            solved,
            params,
            num_threads,
            progress,
            offsets,
            counted,
            native_prior,
            device=checked_device(device),
            stream=stream_handle(stream),
            fixed_use=fixed_use,
        )
    )


def half_epoch_bytes(rows: int, cols: int, factors: int, num_threads: int = 0, in_place: bool = False) -> int:
    """The bytes that `als_half_epoch` takes at most beside its arguments, save for rows of more than some thousand entries.

    `in_place` says that the fixed factors lie aligned and are not kept.
    """
    return _native.als_half_epoch_bytes(rows, cols, factors, num_threads, in_place)


def als_objective(
    interactions: Csr | AlsInteractions,
    row_factors: Float32Array | CudaArray,
    col_factors: Float32Array | CudaArray,
    objective: AlsObjective,
    *,
    num_threads: int = 0,
    progress: Progress | None = None,
    offsets: Float32Array | None = None,
    device: str = "cpu",
    stream: Any = None,
) -> float:
    """The value of the objective without priors: predictions in float32, summed in float64.

    `offsets`, `device` and `stream` are those of `als_half_epoch`. O(nnz f + (rows + cols) f^2).
    """
    params = _native.AlsParams(
        objective.regularization,
        objective.alpha0,
        objective.nu,
        objective.loss,
        negative_preference=objective.negative_preference,
    )
    return _native.als_objective(
        _held(interactions),
        row_factors,
        col_factors,
        params,
        num_threads,
        progress,
        offsets,
        device=checked_device(device),
        stream=stream_handle(stream),
    )


def _held(interactions: Csr | AlsInteractions) -> AlsInteractions:
    return checked_interactions(interactions) if isinstance(interactions, Csr) else interactions
