"""What this room asks of a retriever: any object that answers exactly by the contract of top-k will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from recocore.types import Float32Array, Int32Array


class SupportsTopk(Protocol):
    """Answers exactly which items score highest, the same score for a pair whatever the filter and k."""

    @property
    def items(self) -> Float32Array:
        """Float32 `[m, f]`, the vectors of the items."""

    def __len__(self) -> int:
        """The number of items, m."""

    def topk(
        self, queries: Float32Array, k: int, *, exclude: Any = None, allow: Any = None, block: Any = None
    ) -> tuple[Int32Array, Float32Array]:
        """The k best items of each query: ids and scores `[n, k]`, score descending, then id ascending, -1 and -inf pads.

        `exclude` and `allow` are `Csr` `[n, m]`, `block` and `allow` ids for every query; None is no filter.
        """


class SupportsHandOff(SupportsTopk, Protocol):
    """One that also says how its scores come about, so that another library can search by the same."""

    @property
    def metric(self) -> str:
        """inner_product, cosine or euclidean; the score of the last is minus the squared distance."""

    @property
    def biases(self) -> Float32Array | None:
        """Float32 `[m]`, added to the scores of the items; None where nothing is."""
