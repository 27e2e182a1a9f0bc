from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_similarity.py",
        ("similarity",),
        without={},
        shorter={"scattered(14, 3000, 400, 0.2)": "scattered(14, 300, 100, 0.2)"},
    )
)
