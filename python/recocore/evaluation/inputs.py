"""What evaluation takes: a model that recommends, matrices that share its id maps, and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from recocore import _native
from recocore.csr import Csr
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.recommendations import Recommendations
    from recocore.types import Int32Array, Int64Array


class Recommender(Protocol):
    """A fitted model: ranks items for user indices."""

    def recommend(self, user_indices: Int32Array, k: int, *, exclude_seen: bool) -> Recommendations:
        """The k best items of each user, `[n, k]`."""
        ...


class HasMatrix(Protocol):
    """Interactions: a user-item matrix that somebody gave ids to."""

    @property
    def matrix(self) -> Csr:
        """`[n_users, n_items]`."""
        ...


def matrix_of(source: Csr | HasMatrix | Any, argument: str) -> Csr:
    """The checked matrix of interactions, of a Csr or of a SciPy sparse matrix.

    Raises:
        InvalidArgumentError: it is none of these, or malformed; columns must rise along each row.
    """
    if sp.issparse(source):
        return Csr.from_scipy(source, argument)
    matrix = source if isinstance(source, Csr) else getattr(source, "matrix", None)
    if not isinstance(matrix, Csr):
        raise InvalidArgumentError(
            f"{argument}: expected Interactions, a Csr or a SciPy sparse matrix, got {type(source).__name__}",
            field=argument,
        )
    _native.csr_validate(matrix.native, argument)
    falls = np.flatnonzero(matrix.indices[1:] <= matrix.indices[:-1]) + 1
    within = falls[~np.isin(falls, matrix.indptr)]
    if len(within) > 0:
        row = int(np.searchsorted(matrix.indptr, within[0], side="right")) - 1
        raise InvalidArgumentError(
            f"{argument}: expected columns that rise along each row, got others in row {row}; "
            "build it with Csr.from_coo or Csr.from_scipy",
            field=argument,
        )
    return matrix


def training_matrix(model: object, train: Any, shape: tuple[int, int]) -> Csr | None:
    """`train`, or what the model was fitted on if it says so, or None.

    Raises:
        InvalidArgumentError: its shape is not `shape`.
    """
    if train is not None:
        matrix: Csr | None = matrix_of(train, "train")
    else:
        interactions = getattr(getattr(model, "scorer", None), "interactions", None)
        matrix = interactions if isinstance(interactions, Csr) else None
    if matrix is not None and matrix.shape != shape:
        raise InvalidArgumentError(
            f"test: expected the shape of the training matrix, {matrix.shape}, got {shape}; "
            "split one Interactions so that both share its id maps",
            field="test",
        )
    return matrix


def users_to_judge(relevant: Csr, users: Any) -> Int64Array:
    """The users with a relevant item, rising: all of them or those among `users`.

    Raises:
        InvalidArgumentError: `users` are not distinct rows, or none has a relevant item.
    """
    above_zero = np.concatenate([[0], np.cumsum(relevant.values > 0)])
    has_relevant = above_zero[relevant.indptr[1:]] > above_zero[relevant.indptr[:-1]]
    if users is None:
        everyone = np.flatnonzero(has_relevant).astype(np.int64)
        if len(everyone) == 0:
            raise InvalidArgumentError(
                "test: expected at least one entry above zero, got none; hold out some interactions first", field="test"
            )
        return everyone
    asked = np.asarray(users)
    if asked.ndim != 1 or asked.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"users: expected a 1-d array of user indices, got {asked.ndim}-d {asked.dtype}", field="users"
        )
    if len(asked) > 0 and (asked.min() < 0 or asked.max() >= relevant.shape[0]):
        raise InvalidArgumentError(
            f"users: expected indices in [0, {relevant.shape[0]}), got {asked.min()} to {asked.max()}", field="users"
        )
    distinct: Int64Array = np.unique(asked).astype(np.int64)
    if len(distinct) < len(asked):
        raise InvalidArgumentError("users: expected each user once, got duplicates", field="users")
    chosen: Int64Array = distinct[has_relevant[distinct]]
    if len(chosen) == 0:
        raise InvalidArgumentError(
            f"users: expected at least one with a relevant item in test, got none among {len(asked)}", field="users"
        )
    return chosen


def item_vectors_of(source: Any, n_items: int) -> Any:
    """Vectors as the extension takes them: a contiguous float32 array or a CSR tuple, a row for each item.

    Raises:
        InvalidArgumentError: not such a matrix, or not one row for each item.
    """
    vectors = matrix_of(source, "item_vectors") if sp.issparse(source) or not isinstance(source, np.ndarray) else source
    if len(vectors.shape) != 2 or vectors.shape[0] != n_items:
        raise InvalidArgumentError(
            f"item_vectors: expected a row for each of {n_items} items, got shape {vectors.shape}", field="item_vectors"
        )
    if isinstance(vectors, Csr):
        return vectors.native
    if vectors.dtype != np.float32 or not vectors.flags.c_contiguous:
        raise InvalidArgumentError(
            f"item_vectors: expected C-contiguous float32, got {vectors.dtype}; "
            "convert it with numpy.ascontiguousarray(x, numpy.float32)",
            field="item_vectors",
        )
    return vectors
