"""The same ranking for everyone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from recocore import _native
from recocore.recommendations import Contribution, Recommendations
from recocore.scoring.arrays import take_finite
from recocore.scoring.base import itself, met
from recocore.scoring.columns import ColumnLikeness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.csr import Csr
    from recocore.retrieval.diversity import Likeness
    from recocore.scoring.base import CandidateFilter
    from recocore.scoring.profiles import Events, Profiles
    from recocore.types import AnyArray, BoolArray, Float32Array, Int32Array, NativeFilter


class PopularityScorer:
    """An item's score is how many users have it, for every user.

    Args:
        interactions: `[n_users, n_items]`.
        popularity: float32 `[n_items]`.
    """

    kind: ClassVar[str] = "popularity"
    context_weight: ClassVar[float] = 0.0

    def __init__(self, interactions: Csr, popularity: Float32Array) -> None:
        self.interactions = interactions
        self.popularity = popularity

    def knows(self, users: Int32Array, events: Events | None = None) -> BoolArray:
        """Those with an entry; events say nothing here."""
        return met(self.interactions, users)

    def profiles(self, users: Int32Array, events: Events | None = None) -> Profiles:
        """The same for everyone, whatever they did."""
        return _Everyone(self.popularity, len(users))

    def alike(self, seeds: Int32Array, negatives: Int32Array) -> Profiles:
        """The same again: popularity knows no likeness."""
        return _Everyone(self.popularity, 1)

    @property
    def likeness(self) -> Likeness:
        """Cosines over the users that have the items."""
        return self._columns

    @cached_property
    def _columns(self) -> ColumnLikeness:
        return ColumnLikeness(self.interactions)

    def recommend(
        self, users: Int32Array, k: int, candidates: CandidateFilter, num_threads: int = 0
    ) -> Recommendations:
        """The k most popular items that pass each user's filter."""
        everyone = np.ones((len(users), 1), np.float32)
        found = _native.topk(
            everyone,
            self.popularity[:, None],
            k,
            **candidates.native(self.interactions, users),
            num_threads=num_threads,
        )
        return Recommendations(*found)

    def similar_items(self, items: Int32Array, k: int, num_threads: int = 0) -> Recommendations:
        """The k most popular other items: popularity knows no likeness."""
        everyone = np.ones((len(items), 1), np.float32)
        others = itself(items, len(self.popularity))
        found = _native.topk(everyone, self.popularity[:, None], k, **others, num_threads=num_threads)
        return Recommendations(*found)

    def score(self, users: Int32Array, items: Int32Array) -> Float32Array:
        """The items' popularity, the same row for each user."""
        return np.tile(self.popularity[items], (len(users), 1))

    def explain(self, user: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """No own item pulls a popular one up: an empty list for each."""
        return [[] for _ in items]

    def arrays(self) -> dict[str, AnyArray]:
        """Popularity."""
        return {"popularity": self.popularity}

    @classmethod
    def from_arrays(cls, interactions: Csr, arrays: Mapping[str, AnyArray]) -> Self:
        """The scorer again from what `arrays` gave."""
        return cls(interactions, take_finite(arrays, "popularity", np.float32, (interactions.shape[1],)))


@dataclass(frozen=True, slots=True, eq=False)
class _Everyone:
    """Profiles that are all the same."""

    popularity: Float32Array
    count: int

    def __len__(self) -> int:
        return self.count

    def rank(
        self, rows: Int32Array, k: int, lists: NativeFilter, boosts: Float32Array | None = None, num_threads: int = 0
    ) -> Recommendations:
        """See `Profiles`."""
        everyone = np.ones((len(rows), 1), np.float32)
        found = _native.topk(everyone, self.popularity[:, None], k, **lists, biases=boosts, num_threads=num_threads)
        return Recommendations(*found)

    def explain(self, row: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """No own item pulls a popular one up."""
        return [[] for _ in items]
