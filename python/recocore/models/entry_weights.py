"""A weight for each interaction, beside its value."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import sparse

if TYPE_CHECKING:
    from recocore.types import Float32Array

# Entries that are compared or widened at a time: mapped ones need not fit into memory.
_ENTRIES_AT_A_TIME = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class EntryWeights:
    """The weight of each entry of some interactions, in the order of the matrix and in that of its transpose.

    Attributes:
        by_user: float32 `[nnz]`, at least 0.
        by_item: the same of `interactions.by_item`.
    """

    by_user: Float32Array
    by_item: Float32Array

    @classmethod
    def make(cls, weights: Any, interactions: Interactions) -> Self | None:
        """Check weights against the interactions that they are of; None for ones stays None.

        Args:
            weights: see `entry_weights`. Mapped interactions of the same entries stay in their files.
            interactions: that they weigh.

        Raises:
            InvalidArgumentError: not one for each entry, below 0, not finite, or zeros alone.
        """
        if weights is None:
            return None
        by_user = entry_weights(weights, interactions.matrix)
        if interactions.nnz and not any(by_user[some].any() for some in _pieces(len(by_user))):
            raise InvalidArgumentError("weights: expected one above 0, got zeros alone", field="weights")
        if isinstance(weights, Interactions):
            return cls(by_user, entry_weights(weights.by_item, interactions.by_item))
        return cls(by_user, replace(interactions.matrix, values=by_user).transpose().values)

    def fingerprint(self) -> str:
        """What tells these weights from others: a SHA-256. O(nnz)."""
        found = hashlib.sha256()
        for some in _pieces(len(self.by_user)):
            found.update(np.ascontiguousarray(self.by_user[some]).data)
        return found.hexdigest()


def entry_weights(weights: Any, matrix: Csr) -> Float32Array:
    """The weight of each entry of a matrix, float32 `[nnz]`.

    Args:
        weights: numbers `[nnz]` in the order of the entries; or Interactions, a Csr or a SciPy sparse matrix with the same
            entries, whose values they are.
        matrix: canonical CSR.

    Raises:
        InvalidArgumentError: not one for each entry, below 0 or not finite.
    """
    if isinstance(weights, Interactions):
        weights = weights.matrix
    if isinstance(weights, Csr) or hasattr(weights, "tocsr"):
        given = sparse(weights, "weights")
        given.check("weights")
        _check_same_entries(given, matrix)
        found = given.values
    else:
        found = _numbers(weights, matrix.nnz)
    for some in _pieces(len(found)):
        bad = ~((found[some] >= 0) & (found[some] < np.inf))
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise InvalidArgumentError(
                f"weights: expected finite numbers >= 0, got {found[some][at]:g} at entry {some.start + at}; a dislike "
                "is an interaction whose value is below 0",
                field="weights",
            )
    return found


def weights_of_part(weights: Float32Array, whole: Csr, part: Csr) -> Float32Array:
    """The weights of those entries of `whole` that `part` has too, in its order; both are canonical. O(nnz log nnz)."""
    keys, wanted = (
        np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr)) * matrix.shape[1] + matrix.indices
        for matrix in (whole, part)
    )
    found: Float32Array = np.asarray(weights)[np.searchsorted(keys, wanted)]
    return found


def _numbers(weights: Any, entries: int) -> Float32Array:
    numbers = np.asarray(weights)
    if numbers.shape != (entries,) or numbers.dtype.kind not in "biuf":
        raise InvalidArgumentError(
            f"weights: expected a number for each of {entries} interactions, got {numbers.dtype} {list(numbers.shape)}; "
            "give one for each entry of the matrix, or Interactions of the same entries, as interactions.aligned makes them",
            field="weights",
        )
    with np.errstate(over="ignore"):  # what overflows becomes infinite, which is refused
        return np.ascontiguousarray(numbers, np.float32)


def _check_same_entries(given: Csr, matrix: Csr) -> None:
    same = given.shape == matrix.shape and np.array_equal(given.indptr, matrix.indptr)
    if not same or not all((given.indices[some] == matrix.indices[some]).all() for some in _pieces(matrix.nnz)):
        raise InvalidArgumentError(
            f"weights: expected a weight for each interaction and no other, as {list(matrix.shape)} with {matrix.nnz} "
            f"entries, got {list(given.shape)} with {given.nnz}, or of other pairs; give a weight of 1 where nothing is known",
            field="weights",
        )


def _pieces(count: int) -> list[slice]:
    return [slice(begin, begin + _ENTRIES_AT_A_TIME) for begin in range(0, count, _ENTRIES_AT_A_TIME)]
