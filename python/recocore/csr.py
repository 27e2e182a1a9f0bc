"""The sparse matrix that rooms hand to each other: CSR with 64-bit row pointers and 32-bit columns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore import _native
from recocore.errors import InvalidArgumentError, RecocoreError

if TYPE_CHECKING:
    import scipy.sparse as sp

    from recocore.types import Float32Array, Int32Array, Int64Array, NativeCsr

# Elements between two chances for Ctrl-C.
_HASHED_AT_A_TIME = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Csr:
    """A compressed sparse row matrix whose arrays may be memory-mapped and are never changed.

    SciPy stores row pointers and columns in one width; this keeps int64 pointers beside int32 columns, so that more than
    2**31 entries fit and columns are never copied.

    Attributes:
        indptr: int64 `[rows + 1]`; the entries of row r are `indptr[r]:indptr[r + 1]`.
        indices: int32 `[nnz]`, the column of each entry.
        values: float32 `[nnz]`.
        shape: (rows, columns).

    Example:
        >>> m = Csr.from_coo([0, 1, 1], [2, 0, 0], [1.0, 2.0, 3.0], (2, 3))
        >>> m.indices.tolist(), m.values.tolist()
        ([2, 0], [1.0, 5.0])
    """

    indptr: Int64Array
    indices: Int32Array
    values: Float32Array
    shape: tuple[int, int]

    @classmethod
    def from_coo(cls, rows: Any, cols: Any, values: Any, shape: tuple[int, int], duplicates: str = "sum") -> Csr:
        """Build canonical CSR from coordinates in any order; `duplicates` is sum, last or max."""
        return cls.from_native(
            _native.csr_from_coo(
                np.ascontiguousarray(rows, np.int32),
                np.ascontiguousarray(cols, np.int32),
                np.ascontiguousarray(values, np.float32),
                shape,
                duplicates,
            )
        )

    @classmethod
    def from_scipy(cls, matrix: Any, argument: str = "matrix", check: bool = True) -> Csr:
        """Take a SciPy sparse matrix; canonical float32 CSR is not copied, save for its row pointers.

        Args:
            matrix: the matrix.
            argument: its name in errors.
            check: whether to look at every entry; False where a native operation does so next.

        Raises:
            InvalidArgumentError: not a sparse matrix, not numeric, or a value that float32 cannot hold as finite.
        """
        import scipy.sparse as sp  # noqa: PLC0415  # a server does without it

        is_sparse: bool = sp.issparse(matrix)
        if not is_sparse:
            has_one = isinstance(getattr(matrix, "matrix", None), cls)
            step = "hand over its .matrix" if has_one else "wrap a dense array in scipy.sparse.csr_array"
            raise InvalidArgumentError(
                f"{argument}: expected a SciPy sparse matrix, got {type(matrix).__name__}; {step}",
                field=argument,
            )
        if matrix.ndim != 2 or matrix.dtype.kind not in "biuf":
            raise InvalidArgumentError(
                f"{argument}: expected a 2-d matrix of real numbers, got {matrix.ndim}-d {matrix.dtype}", field=argument
            )
        if max(matrix.shape) > np.iinfo(np.int32).max:
            raise InvalidArgumentError(
                f"{argument}: expected fewer than 2**31 rows and columns, got {matrix.shape}", field=argument
            )
        csr = matrix.tocsr()
        if not csr.has_canonical_format:
            csr = csr.copy() if csr is matrix else csr
            csr.sum_duplicates()
        with np.errstate(over="ignore"):  # what overflows becomes infinite, which the validation names
            values = np.ascontiguousarray(csr.data, np.float32)
        taken = cls(
            np.ascontiguousarray(csr.indptr, np.int64),
            np.ascontiguousarray(csr.indices, np.int32),
            values,
            (int(csr.shape[0]), int(csr.shape[1])),
        )
        if check:
            taken.check(argument)
        return taken

    @classmethod
    def from_native(cls, arrays: NativeCsr) -> Csr:
        """Take what the extension returns."""
        return cls(*arrays)

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Csr:
        """A matrix without entries."""
        return cls(np.zeros(shape[0] + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), shape)

    def check(self, argument: str, error: type[RecocoreError] = InvalidArgumentError) -> None:
        """Raise `error` naming `argument` unless the matrix is well formed and finite. O(rows + nnz)."""
        try:
            _native.csr_validate(self.native, argument)
        except InvalidArgumentError as problem:
            raise error(str(problem)) from None

    @property
    def native(self) -> NativeCsr:
        """The arrays as the extension takes them."""
        return self.indptr, self.indices, self.values, self.shape

    @property
    def nnz(self) -> int:
        """The number of stored entries."""
        return int(self.indptr[-1])

    def fingerprint(self) -> dict[str, Any]:
        """What tells one matrix from another, as JSON holds it: shape, entries and a SHA-256 of the arrays. O(nnz)."""
        found = hashlib.sha256()
        for array in (self.indptr, self.indices, self.values):
            for start in range(0, len(array), _HASHED_AT_A_TIME):
                found.update(np.ascontiguousarray(array[start : start + _HASHED_AT_A_TIME]).data)
        return {"shape": list(self.shape), "entries": self.nnz, "sha256": found.hexdigest()}

    def row(self, index: int) -> tuple[Int32Array, Float32Array]:
        """The columns and values of one row, without a copy."""
        span = slice(int(self.indptr[index]), int(self.indptr[index + 1]))
        return self.indices[span], self.values[span]

    def rows(self, index: Any) -> Csr:
        """A matrix of the rows that `index` names, in its order. O(entries taken)."""
        index = np.asarray(index, np.int64)
        counts = self.indptr[index + 1] - self.indptr[index]
        indptr = np.zeros(len(index) + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        source = np.repeat(self.indptr[index] - indptr[:-1], counts) + np.arange(indptr[-1])
        return Csr(indptr, self.indices[source], self.values[source], (len(index), self.shape[1]))

    def transpose(self) -> Csr:
        """The transpose, with columns rising in each row. O(nnz)."""
        return Csr.from_native(_native.csr_transpose(self.native))

    def to_scipy(self) -> sp.csr_matrix[np.float32]:
        """A SciPy CSR matrix that shares columns and values."""
        import scipy.sparse as sp  # noqa: PLC0415  # a server does without it

        return sp.csr_matrix((self.values, self.indices, self.indptr), shape=self.shape, copy=False)
