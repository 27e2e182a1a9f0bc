"""The scorer protocol: fitted arrays that rank items, on internal indices only.

A model fills a scorer by learning; the index stores one and maps it again. So a server ranks with the same code as the
model that was trained, without knowing any training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np

from recocore.csr import Csr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.recommendations import Contribution, Recommendations
    from recocore.retrieval.diversity import Likeness
    from recocore.scoring.profiles import Events, Profiles
    from recocore.types import AnyArray, BoolArray, Float32Array, Int32Array, NativeCsr, NativeFilter


@dataclass(frozen=True, slots=True, eq=False)
class CandidateFilter:
    """Which items may come back.

    Attributes:
        exclude_seen: leave out the items of the user's own row of the interactions.
        allow: only these: int32 item indices for every row, or a Csr `[n, n_items]` with a row for each query; None for all.
        block: never these, in the same two forms; None for no more than the above.
    """

    exclude_seen: bool = True
    allow: Int32Array | Csr | None = None
    block: Int32Array | Csr | None = None

    def native(self, interactions: Csr, users: Int32Array) -> NativeFilter:
        """The filter for these users as the extension takes it."""
        exclude: list[tuple[NativeCsr, Int32Array | None]] = []
        if self.exclude_seen:
            exclude.append((interactions.native, users))
        if isinstance(self.block, Csr):
            exclude.append((self.block.native, None))
        block = None if isinstance(self.block, Csr) else self.block
        allow = (self.allow.native, None) if isinstance(self.allow, Csr) else self.allow
        return {"exclude": exclude, "block": block, "allow": allow}


def itself(items: Int32Array, n_items: int) -> NativeFilter:
    """A filter that leaves each item out of its own row."""
    indptr = np.arange(len(items) + 1, dtype=np.int64)
    own = Csr(indptr, items, np.ones(len(items), np.float32), (len(items), n_items))
    return {"exclude": [(own.native, None)], "block": None, "allow": None}


def met(interactions: Csr, users: Int32Array) -> BoolArray:
    """Which users have an entry, bool `[len(users)]`; -1 has none."""
    found: BoolArray = (interactions.indptr[users + 1] > interactions.indptr[users]) & (users >= 0)
    return found


def row_of(interactions: Csr, user: int) -> tuple[Int32Array, Float32Array]:
    """The entries of a user, none of -1."""
    return interactions.row(user) if user >= 0 else (np.empty(0, np.int32), np.empty(0, np.float32))


class Scorer(Protocol):
    """Ranks items for users that were fitted.

    Attributes:
        kind: the name under which an index stores it.
        interactions: `[n_users, n_items]` what it was fitted on: seen items, and the profile that explanations draw on.
        context_weight: what an item at hand weighs as an event; 0 where it is no event.
    """

    kind: ClassVar[str]
    context_weight: ClassVar[float]
    interactions: Csr

    def knows(self, users: Int32Array, events: Events | None = None) -> BoolArray:
        """Of which users it can tell what they like, bool `[len(users)]`; it ranks the others all alike.

        Args:
            users: -1 for somebody without a record.
            events: what they did just now.
        """
        ...

    def profiles(self, users: Int32Array, events: Events | None = None) -> Profiles:
        """The profiles of users that it knows, the events counted as if they were interactions of each."""
        ...

    def alike(self, seeds: Int32Array, negatives: Int32Array) -> Profiles:
        """One profile, whose scores are the mean likeness to the seeds less the mean likeness to the negatives.

        Args:
            seeds: one item at least.
            negatives: items.
        """
        ...

    @property
    def likeness(self) -> Likeness:
        """How like each other items are, for lists that are to be diverse."""
        ...

    def recommend(
        self, users: Int32Array, k: int, candidates: CandidateFilter, num_threads: int = 0
    ) -> Recommendations:
        """The k best items of each user."""
        ...

    def similar_items(self, items: Int32Array, k: int, num_threads: int = 0) -> Recommendations:
        """The k items most like each item, itself left out."""
        ...

    def score(self, users: Int32Array, items: Int32Array) -> Float32Array:
        """The score of every user with every item, float32 `[len(users), len(items)]`; no filter applies."""
        ...

    def explain(self, user: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """For each item, the user's own items that add most to its score: at most `limit`, heaviest first, weights > 0."""
        ...

    def arrays(self) -> dict[str, AnyArray]:
        """The fitted arrays beside the interactions, by name, as the index stores them."""
        ...

    @classmethod
    def from_arrays(cls, interactions: Csr, arrays: Mapping[str, AnyArray]) -> Self:
        """The scorer again from what `arrays` gave; arrays may be read-only memory maps.

        Raises:
            CorruptError: an array is missing or has the wrong shape or dtype; the message names it.
        """
        ...
