"""What may pass a scan: all of the best do, whatever of the vectors is held."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.topk.bounds import coded, in_16_bits, kinds, passing


@pytest.mark.parametrize("name", list(kinds(np.random.default_rng(0))))
def test_the_best_pass_and_16_bits_let_no_more_through(name: str) -> None:
    make = kinds(np.random.default_rng(1))[name]
    queries, items = make(5), make(2_000)
    codes, floats = passing(queries, items, coded), passing(queries, items, in_16_bits)
    assert (floats >= 10).all()
    assert (codes >= 10).all()
    assert codes.sum() >= floats.sum()
    assert codes.mean() < 400


def test_16_bits_are_the_nearest() -> None:
    rows = np.array([[1.0, 1.00390625, 1.01171875, -3.14159274, 0.0]], np.float32)
    # 2**-7 apart at 1; both ends of a tie go to the even one.
    assert in_16_bits(rows).tolist() == [[1.0, 1.0, 1.015625, -3.140625, 0.0]]
