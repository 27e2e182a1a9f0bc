from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "ops/test_matmul.py",
        ("matmul_topk",),
        without=dict.fromkeys(
            (
                "test_padded_form_with_every_filter",
                "test_padded_form_without_rows_takes_every_row",
                "test_padded_form_looks_only_at_what_the_queries_reach",
                "test_padded_form_names_bad_arguments",
                "test_padded_form_refuses_what_does_not_fit_in_memory",
            ),
            "the padded form is that of scorers, on the CPU",
        ),
        shorter={},
    )
)
