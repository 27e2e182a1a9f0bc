"""Factors after some interactions changed, without solving for the rows that did not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recocore.models.als_fold_in import folded_in
from recocore.models.matrix_changes import changed_rows
from recocore.ops.als import AlsPrior

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.models.als_equations import Equations, Side
    from recocore.types import Float32Array, Int32Array, Progress


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The interactions of one side's rows.

    Attributes:
        matrix: canonical CSR.
        weights: float32 `[nnz]`; None for ones.
        prior: the rows' features, with the weights that the fit gave these; None where it was given none.
    """

    matrix: Csr
    weights: Float32Array | None
    prior: AlsPrior | None

    def transposed(self, prior: AlsPrior | None) -> Entries:
        """The same of the other side's rows, whose prior is given."""
        weights = None if self.weights is None else _weights(self).transpose().values
        return Entries(self.matrix.transpose(), weights, prior)


@dataclass(frozen=True, slots=True, eq=False)
class ChangingSide:
    """What was learned of one side before, where its rows are now, and what is known of them now.

    Attributes:
        side: which one.
        before: what the factors were fitted to.
        now: what there is in its place.
        numbers: int32, the new number of each row, -1 for one that is gone; the others rise.
        factors: float32 `[rows before, width]`, as `Equations.blank` has them.
    """

    side: Side
    before: Entries
    now: Entries
    numbers: Int32Array
    factors: Float32Array

    def changed(self, columns: Int32Array) -> Int32Array:
        """The rows whose entries, weights or features changed; `columns` are the new numbers of the other side's."""
        before, now = self.before, self.now
        marks = changed_rows(before.matrix, self.numbers, columns, now.matrix, by_column=False)
        if before.weights is not None or now.weights is not None:
            marks |= changed_rows(_weights(before), self.numbers, columns, _weights(now), by_column=False)
        if before.prior is not None and now.prior is not None:
            features = np.arange(now.prior.features.shape[1], dtype=np.int32)
            marks |= changed_rows(before.prior.features, self.numbers, features, now.prior.features, by_column=False)
        return np.flatnonzero(marks).astype(np.int32)

    def moved(self, equations: Equations, factors: int) -> Float32Array:
        """The rows under their new numbers, and the newcomers' as their features have them."""
        rows = equations.blank(self.side, self.now.matrix.shape[0], factors)
        here = self.numbers >= 0
        rows[self.numbers[here]] = self.factors[here]
        if self.now.prior is not None:
            known = np.zeros(len(rows), np.bool_)
            known[self.numbers[here]] = True
            equations.put_prior(self.side, self.now.prior, rows, np.flatnonzero(~known).astype(np.int32))
        return rows


def updated_factors(
    users: ChangingSide, items: ChangingSide, equations: Equations, factors: int, progress: Progress | None = None
) -> tuple[Float32Array, Float32Array]:
    """The rows of users and items, where each of which something changed is solved anew.

    Changed users come first, so that a new item has users to learn from, then changed items, then the same users again, who
    so fit the final items. O(entries) to find what changed, and a fold-in of the changed rows.
    """
    new_users, new_items = users.moved(equations, factors), items.moved(equations, factors)
    changed_users, changed_items = users.changed(items.numbers), items.changed(users.numbers)
    for side, rows, changed, fixed, other in (
        (users, new_users, changed_users, new_items, items),
        (items, new_items, changed_items, new_users, users),
        (users, new_users, changed_users, new_items, items),
    ):
        matrix, prior = side.now.matrix.rows(changed), side.now.prior
        counted = None
        if (
            prior is not None or other.now.prior is not None
        ):  # some of the fixed rows may have factors by features alone
            counted = np.flatnonzero(np.diff(other.now.matrix.indptr)).astype(np.int32)
        rows[changed] = folded_in(
            side.side,
            matrix,
            fixed,
            equations,
            factors,
            weights=None if side.now.weights is None else _weights(side.now).rows(changed).values,
            counted=counted,
            prior=None if prior is None else AlsPrior(prior.features.rows(changed), prior.weights),
            progress=progress,
        )
    return new_users, new_items


def _weights(entries: Entries) -> Csr:
    """The weights as a matrix."""
    weights = np.ones(entries.matrix.nnz, np.float32) if entries.weights is None else entries.weights
    return replace(entries.matrix, values=weights)
