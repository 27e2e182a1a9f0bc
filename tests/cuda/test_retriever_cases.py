from __future__ import annotations

from tests.cuda.twins import twin

globals().update(
    twin(
        "retrieval/test_retriever.py",
        ("topk", "Retriever"),
        without={},
        shorter={},
    )
)
