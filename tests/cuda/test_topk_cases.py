from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_topk.py",
        ("topk",),
        without={},
        shorter={"size=(40_000, 64)": "size=(300, 16)"},
    )
)
