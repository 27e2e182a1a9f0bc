"""What an index holds, and the names of its files.

manifest.json                                 see `manifest`
users.arrow, items.arrow                      the id maps
interactions.{indptr,indices,values}.npy      the seen items
popularity.{counts,order}.npy                 the fallback's ranking
scorer.<name>.npy                             the fitted arrays of the scorer
attributes.<...>                              what is known of items, where something is: see `attributes`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from recocore.data import IdMap
    from recocore.index.attributes import Attributes
    from recocore.index.popular import PopularItems
    from recocore.scoring import Scorer

ID_FILES = ("users.arrow", "items.arrow")

# One-dimensional arrays that every index has, with their dtypes.
MATRIX_FILES = {
    "interactions.indptr.npy": "<i8",
    "interactions.indices.npy": "<i4",
    "interactions.values.npy": "<f4",
}
POPULAR_FILES = {"popularity.counts.npy": "<i4", "popularity.order.npy": "<i4"}

SCORER_PREFIX = "scorer."


@dataclass(frozen=True, slots=True, eq=False)
class IndexData:
    """Everything that an index holds.

    Attributes:
        model: the name of the model's class.
        params: its parameters, as JSON holds them.
        metrics: measured quality that travels with the index.
        created: when it was built, UTC, whole seconds.
        users: external user ids to the rows of the interactions.
        items: external item ids to their columns.
        scorer: ranks; its interactions are the seen items.
        popular: the fallback's ranking.
        attributes: what is known of items.
    """

    model: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    created: datetime
    users: IdMap
    items: IdMap
    scorer: Scorer
    popular: PopularItems
    attributes: Attributes
