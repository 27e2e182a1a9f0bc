from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.cuda.twins import twin
from tests.retrieval.vectors import KINDS

from recocore import _native
from recocore.errors import InvalidArgumentError
from recocore.retrieval import Retriever

if TYPE_CHECKING:
    from collections.abc import Callable


class OnDevice(Retriever):
    def __init__(self, items: Any, **options: Any) -> None:
        super().__init__(items, **options, device="cuda")


def products(queries: Any, items: Any) -> Any:
    """The scores of every pair by the tile that the device's scan has too, so that answers are compared to the bit."""
    return _native.score_all(queries, np.ascontiguousarray(items), device="cuda")


def test_bad_items_are_named() -> None:
    items = np.ones((5, 3), np.float32)
    items[3, 1] = np.inf
    with pytest.raises(InvalidArgumentError, match="items: expected finite values, got inf in row 3"):
        OnDevice(items)
    with pytest.raises(InvalidArgumentError, match=r"biases: expected one for each of the 2 items, got \[3\]"):
        OnDevice(np.ones((2, 2), np.float32), biases=np.ones(3, np.float32))


def test_cosines_of_the_largest_floats_are_cosines() -> None:
    items = np.array([[3e38, 3e38, 3e38], [3e38, -3e38, 0], [3e38, 0, 0]], np.float32)
    ids, scores = OnDevice(items, metric="cosine").topk(np.ones((1, 3), np.float32), 3)
    assert ids.tolist() == [[0, 2, 1]]
    np.testing.assert_allclose(scores, [[1, 3**-0.5, 0]], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_sixteen_bits_never_show(kind: Callable[..., Any], precision: str) -> None:
    queries, items = kind(3, 36, 1), kind(200, 36, 2)
    if kind.__name__ == "huge":
        queries /= np.float32(1e10)
    retriever = OnDevice(items)
    expected = retriever.topk(queries, 9)
    # A bound from the start on, where the last one lies.
    found = retriever.topk(queries, 9, precision=precision, thresholds=expected[1][:, -1].copy())
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


globals().update(
    twin(
        "retrieval/test_retriever.py",
        ("topk",),
        without={
            "test_bad_items_are_named": "items of any length are searched without codes; below",
            "test_mapped_arrays_give_the_same_answers": "what is mapped is searched by the CPU",
            "test_arrays_that_do_not_fit_are_refused": "what is mapped is searched by the CPU",
        },
        shorter={
            "kind(3000, 40, 2)": "kind(300, 40, 2)",
            "for k in (1, 10, 100)": "for k in (1, 40)",
            "[0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 300]": "[0, 1, 31, 32, 33, 63, 64, 65, 300]",
            "gaussian(1000, f, 4)": "gaussian(130, f, 4)",
            '"m", [0, 1, 3, 4, 5, 6, 7, 63, 64, 65, 191, 192, 193, 384, 385]': '"m", [0, 1, 63, 64, 65, 129]',
            '"n", [1, 2, 4, 5, 15, 16, 17, 33]': '"n", [1, 16, 17, 33]',
            "mixed_lengths(6000, 64, 8)": "mixed_lengths(600, 64, 8)",
            "gaussian(200, 48, 9), on_the_bound(5000, 48, 10)": "gaussian(70, 48, 9), on_the_bound(500, 48, 10)",
            "max_examples=60": "max_examples=10",
            '"share", [0.01, 0.5, 0.99]': '"share", [0.3]',
            "np.zeros((4000, f), np.float32)\n    items[2000, 1:]": "np.zeros((500, f), np.float32)\n    items[250, 1:]",
            "items[:1000, 0]": "items[:125, 0]",
            "np.ones(4000, np.float32)": "np.ones(500, np.float32)",
            "np.zeros((6000, 64), np.float32)": "np.zeros((600, 64), np.float32)",
            "items[3000, :2]": "items[300, :2]",
            "(2000, 24, 12)": "(300, 24, 12)",
            "lists(n, 2000, share, 13), lists(1, 2000, share, 14)[0], lists(n, 2000, share, 15)": (
                "lists(n, 300, share, 13), lists(1, 300, share, 14)[0], lists(n, 300, share, 15)"
            ),
            "np.arange(0, 2000, 7)": "np.arange(0, 300, 7)",
            "np.arange(2000)": "np.arange(300)",
            "gaussian(3000, 32, 17)": "gaussian(300, 32, 17)",
            "topk(queries, 3000)": "topk(queries, 300)",
            "kind(2500, 30, 19)": "kind(250, 30, 19)",
            "gaussian(4000, 33, 21)": "gaussian(300, 33, 21)",
            "size=4000": "size=300",
            "gaussian(3000, 64, 35)": "gaussian(300, 64, 35)",
            "gaussian(30_000, 64, 36)": "gaussian(300, 64, 36)",
        },
        given={"Retriever": OnDevice, "products": products},
    )
)
