from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "models/test_als.py",
        ("ALS",),
        without={"test_more_epochs_lower_the_objective_to_the_same_value": "many epochs of what half epochs test"},
        shorter={'iterations=60, solver="cholesky", loss=loss': 'iterations=40, solver="cholesky", loss=loss'},
    )
)
