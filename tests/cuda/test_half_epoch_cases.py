from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_als_half_epoch.py",
        ("als_half_epoch", "als_objective"),
        without={
            "test_automatic_mixes_the_dual_and_conjugate_gradient": "auto is cholesky on the device",
            "test_automatic_is_as_good_as_exact_after_as_many_epochs": "auto is cholesky on the device",
        },
        shorter={
            "[1, 2, 5, 15, 16, 17, 33, 64, 100, 150]": "[1, 33, 64]",
            "(3000, 0.04)": "(300, 0.04)",
            '"rows", [12, 3000]': '"rows", [12]',
            '{"block_size": 16}, 60': '{"block_size": 32}, 16',
            "(2000,": "(100,",
        },
    )
)
