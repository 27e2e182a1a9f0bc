from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "models/test_knn.py",
        ("ItemKNN", "UserKNN"),
        without={},
        shorter={},
    )
)
