from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_als_given.py",
        ("als_half_epoch", "als_objective"),
        without={"test_fixed_factors_may_be_turned_in_their_place": "the device works on a copy of them in any case"},
        shorter={
            '"rows", [12, 1500]': '"rows", [12, 260]',
            '{"block_size": 32}, 60': '{"block_size": 64}, 1',
            "3000": "100",
            "random_csr(200, 240, density, 4)": "random_csr(60, 240, density, 4)",
            "normal(200, 50, 3)": "normal(60, 50, 3)",
        },
    )
)
