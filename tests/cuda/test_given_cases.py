from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_als_given.py",
        ("als_half_epoch", "als_objective"),
        without={},
        shorter={'"rows", [12, 1500]': '"rows", [12, 260]', '{"block_size": 32}, 60': '{"block_size": 64}, 1'},
    )
)
