"""What the device can do at most, measured: a large matrix product, and a copy."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Roofs:
    """Rates of the device.

    Attributes:
        flops: of a float32 matrix product, a second.
        bandwidth: bytes read and written a second.
    """

    flops: float
    bandwidth: float


def _fastest(run: Callable[[], object]) -> float:
    times = []
    for _ in range(10):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def measured_roofs() -> Roofs:
    """Measured by CuPy, without tensor cores' shortened float32.

    Raises:
        ImportError: CuPy is not installed.
    """
    import cupy  # noqa: PLC0415

    n, size = 8192, 1 << 28
    a, b = cupy.ones((n, n), cupy.float32), cupy.ones((n, n), cupy.float32)
    source, target = cupy.zeros(size, cupy.float32), cupy.empty(size, cupy.float32)
    wait = cupy.cuda.get_current_stream().synchronize

    def multiply() -> None:
        a @ b
        wait()

    def copy() -> None:
        target[...] = source
        wait()

    return Roofs(2.0 * n**3 / _fastest(multiply), 8.0 * size / _fastest(copy))
