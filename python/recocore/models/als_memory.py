"""How much memory a fit of ALS takes, known before it is taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from recocore.errors import OutOfMemoryError
from recocore.memory import require_memory
from recocore.ops.als import half_epoch_bytes


@dataclass(frozen=True, slots=True)
class AlsMemory:
    """The bytes of a fit at its peak, by part.

    Attributes:
        interactions: the matrix and its transpose; 0 where these are mapped from files.
        factors: of users and items.
        kept: the copy of the factors of a whole epoch; 0 where nobody asks for one.
        work: what half an epoch takes besides.
    """

    interactions: int
    factors: int
    kept: int
    work: int

    @property
    def total(self) -> int:
        """All parts together."""
        return self.interactions + self.factors + self.kept + self.work

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in asdict(self).items() if size)
        return f"{self.total / 1e6:,.0f} MB ({parts})"

    def require(self, factors: int, *, limit: int | None, held: int) -> None:
        """Refuse a fit that would take more than there is, or than it may.

        Args:
            factors: their number, for the message.
            limit: bytes that it may take in all; None for what is free.
            held: bytes of it that are taken already.

        Raises:
            OutOfMemoryError: it would.
        """
        purpose = f"ALS with {factors} factors"
        if limit is not None and self.total > limit:
            raise OutOfMemoryError(
                f"{purpose}: needs {self}, more than memory_limit allows, {limit / 1e6:,.0f} MB; use fewer factors, raise "
                "memory_limit, or map the interactions from files"
            )
        require_memory(self.total - held, purpose)


def estimated(
    shape: tuple[int, int], nnz: int, factors: int, *, num_threads: int, kept: bool, mapped: bool
) -> AlsMemory:
    """The estimate for interactions of a shape, with `nnz` entries."""
    of_matrices = 8 * sum(shape) + 16 + 2 * 8 * nnz  # row pointers; columns and values
    of_factors = 4 * factors * sum(shape)
    halves = (half_epoch_bytes(rows, cols, factors, num_threads) for rows, cols in (shape, shape[::-1]))
    return AlsMemory(0 if mapped else of_matrices, of_factors, of_factors if kept else 0, max(halves))
