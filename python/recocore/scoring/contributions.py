"""Which of a user's own items a score came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recocore.recommendations import Contribution

if TYPE_CHECKING:
    from recocore.types import AnyArray, Int32Array


def heaviest(own_items: Int32Array, weights: AnyArray, limit: int) -> list[Contribution]:
    """The `limit` largest positive weights, ties by item index."""
    order = np.lexsort((own_items, -weights))[:limit]
    return [Contribution(int(own_items[i]), float(weights[i])) for i in order if weights[i] > 0]
