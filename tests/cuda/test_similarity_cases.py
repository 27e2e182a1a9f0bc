from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_similarity.py",
        ("similarity",),
        without={},
        shorter={},
    )
)
