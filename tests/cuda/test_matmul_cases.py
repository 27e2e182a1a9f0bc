from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_matmul.py",
        ("matmul_topk",),
        without={},
        shorter={},
    )
)
