from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_association_rules.py",
        ("association_rules",),
        without={},
        shorter={},
    )
)
