from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_als_widths.py",
        ("als_half_epoch",),
        without={"test_many_rows_in_the_eigenbasis": "the other cases turn to it, with fewer rows"},
        shorter={
            "[1, 2, 3, 5, 7, 15, 17, 31, 33, 63, 65, 100, 127, 129, 200, 255, 257]": "[1, 31, 32, 33, 63, 64, 65]",
            "[384, 500, 1000, 1025, 2047, 2048]": "[1024]",
            "for solver, options in SOLVERS:": "for solver, options in SOLVERS[: 1 if width == 1024 else None]:",
        },
    )
)
