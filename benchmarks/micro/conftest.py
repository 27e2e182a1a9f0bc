"""What the micro benchmarks run on."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import matrices


@pytest.fixture(scope="session")
def small() -> Any:
    """3,000 users by 2,000 items with about 120,000 ones."""
    return matrices.popularity_matrix(3_000, 2_000, 150_000, seed=5)
