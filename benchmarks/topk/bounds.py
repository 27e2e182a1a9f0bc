"""What 8-bit codes and 16-bit floats would let through a scan: pairs to score in float32, by the kind of vectors.

python -m benchmarks.topk.bounds                 # 100,000 items, 24 queries: some seconds
python -m benchmarks.topk.bounds --items 10000

A scan of 16-bit floats reads twice the bytes of one of codes and multiplies at half the rate. It could only pay where codes
let so many pairs through that scoring them takes as long as the scan.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float32Array

FACTORS = 128
_K = 10


def coded(rows: Float32Array) -> Float32Array:
    """Rows as 8-bit codes hold them, with a scale for each."""
    scales = np.abs(rows).max(axis=1, keepdims=True) / np.float32(127)
    return np.asarray(np.rint(rows / scales) * scales, np.float32)


def in_16_bits(rows: Float32Array) -> Float32Array:
    """Rows as bfloat16 holds them: the upper half of each float, rounded to even."""
    bits = rows.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def passing(
    queries: Float32Array, items: Float32Array, held: Callable[[Float32Array], Float32Array], k: int = _K
) -> Float32Array:
    """How many items of each query may be among its k best, as far as what is `held` of both can tell.

    |q.y - q'.y'| <= |q| |y - y'| + |q - q'| |y'|, and the bar is the k-th best score: as good as a bar gets.
    """
    near_queries, near_items = held(queries), held(items)
    slack = np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(items - near_items, axis=1))
    slack += np.outer(np.linalg.norm(queries - near_queries, axis=1), np.linalg.norm(near_items, axis=1))
    bars = np.sort(queries @ items.T, axis=1)[:, -k]
    return np.asarray((near_queries @ near_items.T + slack >= bars[:, None]).sum(axis=1), np.float32)


def kinds(rng: np.random.Generator) -> dict[str, Callable[[int], Float32Array]]:
    """Vectors of growing trouble for codes, whose scale is that of a row's largest value."""

    def normal(rows: int, column: float = 1) -> Float32Array:
        drawn = rng.standard_normal((rows, FACTORS), np.float32)
        drawn[:, 0] *= column
        return drawn

    return {
        "gaussian": normal,
        "student's t, 3 degrees": lambda rows: rng.standard_t(3, (rows, FACTORS)).astype(np.float32),
        "student's t, 2 degrees": lambda rows: rng.standard_t(2, (rows, FACTORS)).astype(np.float32),
        "one column 10 times as large": lambda rows: normal(rows, 10),
        "one column 30 times as large": lambda rows: normal(rows, 30),
        "one column 100 times as large": lambda rows: normal(rows, 100),
    }


def main() -> None:
    """Print how many pass, by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=24)
    asked = parser.parse_args()
    print(f"{'of ' + format(asked.items, ',') + ' items pass':32} codes  16 bits")
    for name, make in kinds(np.random.default_rng(0)).items():
        queries, items = make(asked.queries), make(asked.items)
        codes, floats = (passing(queries, items, held).mean() for held in (coded, in_16_bits))
        print(f"{name:32} {codes:5.0f}  {floats:7.0f}")


if __name__ == "__main__":
    main()
