"""Vectors as directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recocore.types import Float32Array, Float64Array


def unit_rows(vectors: Float32Array) -> Float64Array:
    """Rows of length 1, float64 `[n, f]`; a zero stays zero, and has cosine 0 with all.

    Example:
        >>> unit_rows(np.array([[3, 4], [0, 0]], np.float32)).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))[:, None]
    np.divide(wide, lengths, out=wide, where=lengths > 0)
    return wide
