"""Rows that a model was not fitted to, solved for given the other side's factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops.als import checked_interactions
from recocore.ops.arguments import sparse

if TYPE_CHECKING:
    from recocore.models.als_equations import Equations, Side
    from recocore.ops.als import AlsPrior
    from recocore.types import Float32Array, Int32Array, Progress

# From zero, in two blocks of 24 factors, subspace was within 7e-3 of the minimum after 8 rounds and 9e-5 after 16; cg, of three
# steps, within 8e-5 after 4.
_FOLD_IN_ROUNDS = 16


def folded_in(
    side: Side,
    interactions: Csr,
    fixed: Float32Array,
    equations: Equations,
    factors: int,
    *,
    weights: Float32Array | None = None,
    counted: Int32Array | None = None,
    prior: AlsPrior | None = None,
    progress: Progress | None = None,
) -> Float32Array:
    """The rows of a side, float32 `[n, width]` as `Equations.blank` has them; those without entries are at their prior.

    Args:
        side: which one is solved.
        interactions: `[n, len(fixed)]`.
        fixed: the other side's rows.
        equations: of the fit, with the solver to use.
        factors: their number.
        weights: float32 `[nnz]` of the interactions; None for ones.
        counted: the rows of `fixed` that had entries in the fit; None for all.
        prior: what the features of the new rows say; None where they have none.
        progress: told the part done of each round.
    """
    held, other = checked_interactions(interactions, weights), np.ascontiguousarray(fixed)
    solved = equations.blank(side, interactions.shape[0], factors)
    for _ in range(1 if equations.settings.solver == "cholesky" else _FOLD_IN_ROUNDS):
        equations.solve(side, held, other, solved, progress, counted=counted, prior=prior)
    if prior is not None:
        cold = np.flatnonzero(np.diff(interactions.indptr) == 0).astype(np.int32)
        equations.put_prior(side, prior, solved, cold)
    return solved


def new_rows(
    side: Side, interactions: Any, features: Any, columns: int, known: AlsPrior | None
) -> tuple[Csr, Csr | None]:
    """The interactions and the features that a caller gives of new rows, checked against what the model was fitted to.

    Raises:
        InvalidArgumentError: columns that are not the model's, rows that do not fit together, or nothing at all.
    """
    given = None if features is None else sparse(features, "features")
    if given is not None and (known is None or given.shape[1] != known.features.shape[1]):
        expected = "none, as the model was not fitted to any" if known is None else f"{known.features.shape[1]} columns"
        raise InvalidArgumentError(
            f"features: expected {expected}, got {list(given.shape)}; fit with {side[:-1]}_features", field="features"
        )
    if interactions is None and given is None:
        raise InvalidArgumentError("interactions: expected these, features or both, got neither", field="interactions")
    if interactions is None:
        assert given is not None
        return Csr.from_coo([], [], [], (given.shape[0], columns)), given
    matrix = sparse(interactions, "interactions")
    if matrix.shape[1] != columns:
        others = "items" if side == "users" else "users"
        raise InvalidArgumentError(
            f"interactions: expected {columns} columns, the {others} that the model was fitted to, got {matrix.shape[1]}",
            field="interactions",
        )
    if given is not None and given.shape[0] != matrix.shape[0]:
        raise InvalidArgumentError(
            f"features: expected a row for each of {matrix.shape[0]} rows, got {given.shape[0]}", field="features"
        )
    return matrix, given
