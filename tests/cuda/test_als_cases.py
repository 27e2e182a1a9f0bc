from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "models/test_als.py",
        ("ALS",),
        without={},
        shorter={},
    )
)
