"""The same ranking for everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from recocore import _native
from recocore.recommendations import Contribution, Recommendations
from recocore.scoring.arrays import take_finite
from recocore.scoring.base import itself, met

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.csr import Csr
    from recocore.scoring.base import CandidateFilter
    from recocore.types import AnyArray, BoolArray, Float32Array, Int32Array


class PopularityScorer:
    """An item's score is how many users have it, for every user.

    Args:
        interactions: `[n_users, n_items]`.
        popularity: float32 `[n_items]`.
    """

    kind: ClassVar[str] = "popularity"

    def __init__(self, interactions: Csr, popularity: Float32Array) -> None:
        self.interactions = interactions
        self.popularity = popularity

    def knows(self, users: Int32Array) -> BoolArray:
        """Those with an entry."""
        return met(self.interactions, users)

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
