"""Which items each query may have, in one form whatever the arguments were."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import checked_indices

if TYPE_CHECKING:
    from recocore.types import Int32Array


class FilterKeywords(TypedDict):
    """The keywords of a retriever's `topk` that say which items may come back."""

    exclude: Csr | None
    allow: Csr | Int32Array | None
    block: Int32Array | None


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The filter of n queries over m items.

    Attributes:
        shape: (n, m).
        exclude: `[n, m]`, stored entries may not come back; None excludes nothing.
        block: int32 ids, rising, that no query may have; None blocks nothing.
        allow: the only items that may come back: `[n, m]` rows, or int32 ids, rising, for every query; None allows all.
    """

    shape: tuple[int, int]
    exclude: Csr | None
    block: Int32Array | None
    allow: Csr | Int32Array | None

    @classmethod
    def of(cls, exclude: Any, allow: Any, block: Any, shape: tuple[int, int]) -> Candidates:
        """Read the arguments of a ranking, each a sparse `[n, m]`, integer ids or a boolean mask `[m]`, or None.

        Raises:
            InvalidArgumentError: one that is none of these, or does not fit the shape.
        """
        rows: Csr | None = None
        shared: Int32Array | None = None
        for value, name in ((exclude, "exclude"), (block, "block")):
            read = _read(value, shape, name)
            if isinstance(read, Csr):
                rows = read if rows is None else _either(rows, read)
            elif read is not None:
                shared = read if shared is None else np.union1d(shared, read)
        return cls(shape, rows, shared, _read(allow, shape, "allow"))

    def rows(self, index: Int32Array) -> Candidates:
        """The filter of the queries that `index` names, in its order."""
        exclude = None if self.exclude is None else self.exclude.rows(index)
        allow = self.allow.rows(index) if isinstance(self.allow, Csr) else self.allow
        return Candidates((len(index), self.shape[1]), exclude, self.block, allow)

    def without(self, items: Int32Array) -> Candidates:
        """The same, less some items."""
        return replace(self, block=items if self.block is None else np.union1d(self.block, items))

    def within(self, items: Int32Array) -> Candidates:
        """The same, of no other items than these."""
        if self.allow is None:
            return replace(self, allow=items)
        if not isinstance(self.allow, Csr):
            return replace(self, allow=np.intersect1d(self.allow, items))
        named = np.zeros(self.shape[1], np.bool_)
        named[items] = True
        kept = named[self.allow.indices]
        before = np.zeros(len(kept) + 1, np.int64)
        np.cumsum(kept, out=before[1:])
        rows = Csr(before[self.allow.indptr], self.allow.indices[kept], self.allow.values[kept], self.shape)
        return replace(self, allow=rows)

    @property
    def most(self) -> int:
        """No query has more candidates than this."""
        if self.allow is None:
            return self.shape[1]
        if isinstance(self.allow, Csr):
            return int(np.diff(self.allow.indptr).max(initial=0))
        return len(self.allow)

    @property
    def keywords(self) -> FilterKeywords:
        """The filter as a retriever's `topk` takes it."""
        return {"exclude": self.exclude, "allow": self.allow, "block": self.block}


def _read(value: Any, shape: tuple[int, int], name: str) -> Csr | Int32Array | None:
    if value is None:
        return None
    if not isinstance(value, Csr) and hasattr(value, "tocsr"):
        value = Csr.from_scipy(value, name)
    if isinstance(value, Csr):
        if value.shape != shape:
            raise InvalidArgumentError(
                f"{name}: expected a sparse matrix of shape {shape}, got {value.shape}", field=name
            )
        return value
    if isinstance(value, np.ndarray) and value.dtype == np.bool_:
        if value.shape != shape[1:]:
            raise InvalidArgumentError(
                f"{name}: expected a mask of shape {shape[1:]}, got {value.shape}; "
                "wrap one for each query in scipy.sparse.csr_array",
                field=name,
            )
        return np.flatnonzero(value).astype(np.int32)
    return np.unique(checked_indices(value, shape[1], name))


def _either(a: Csr, b: Csr) -> Csr:
    """The pattern of entries stored in one of two matrices or in both."""
    import scipy.sparse as sp  # noqa: PLC0415  # a server does without it

    patterns = [sp.csr_matrix((np.ones(m.nnz, np.float32), m.indices, m.indptr), shape=m.shape) for m in (a, b)]
    return Csr.from_scipy(patterns[0] + patterns[1])
