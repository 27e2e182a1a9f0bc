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
            "[5, 900, 1999]": "[5, 60, 99]",
            "100_000": "9_000",
            "weights(1500, 300, 0.05)": "weights(30, 25, 0.2)",
            "factors(1500, 40, 10), factors(300, 40, 11)": "factors(30, 40, 10), factors(25, 40, 11)",
            "in range(4)": "in range(2)",
            "20_000": "300",
            "factors(300, 100, 1), np.zeros((300, 100), np.float32)": "factors(300, 40, 1), np.zeros((300, 40), np.float32)",
        },
    )
)
