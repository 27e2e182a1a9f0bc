"""The case's matrix as competitors take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def users_by_items(inputs: Mapping[str, Path]) -> Any:
    """Float32 SciPy CSR `[users, items]`."""
    return sp.load_npz(inputs["matrix"])


def items_by_users(inputs: Mapping[str, Path]) -> Any:
    """Float32 SciPy CSR `[items, users]`."""
    return users_by_items(inputs).T.tocsr()
