"""How much memory a fit of ALS takes, known before it is taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError, OutOfMemoryError
from recocore.memory import require_memory
from recocore.models.feature_prior import prior_bytes
from recocore.ops.als import half_epoch_bytes
from recocore.ops.arguments import integer

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class AlsMemory:
    """The bytes of a fit at its peak, by part.

    Attributes:
        interactions: the matrix and its transpose; 0 where these are mapped from files.
        factors: of users and items.
        kept: the copy of the factors of a whole epoch; 0 where nobody asks for one.
        work: what half an epoch takes besides, or its preparation or the result where these take more.
        features: those of users and items, and their normal equations.
    """

    interactions: int
    factors: int
    kept: int
    work: int
    features: int = 0

    @property
    def total(self) -> int:
        """All parts together."""
        return self.interactions + self.factors + self.kept + self.work + self.features

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


def feature_counts(value: tuple[int, int], argument: str) -> tuple[int, int]:
    """Columns and entries of a matrix of features.

    Raises:
        InvalidArgumentError: not two whole numbers.
    """
    pair: object = value
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise InvalidArgumentError(
            f"{argument}: expected (columns, entries) of the matrix of features, got {value!r}", field=argument
        )
    return integer(value[0], argument, 0), integer(value[1], argument, 0)


def estimated(
    shape: tuple[int, int],
    nnz: int,
    factors: int,
    *,
    num_threads: int,
    explicit: bool,
    kept: bool,
    mapped: bool,
    weighted: bool,
    features: Sequence[tuple[int, int] | None],
) -> AlsMemory:
    """The estimate for interactions of a shape, with `nnz` entries; `features` has columns and entries for each side."""
    of_matrices = 8 * sum(shape) + 16 + 2 * (12 if weighted else 8) * nnz  # row pointers; columns, values, weights
    width = factors + 2 if explicit else factors
    unknowns = factors + 1 if explicit else factors
    of_factors = 4 * width * sum(shape)
    of_features = copies = 0
    work = [0]
    for rows, others, given in zip(shape, shape[::-1], features, strict=True):
        half = half_epoch_bytes(rows, others, unknowns, num_threads, in_place=not explicit)
        if given is not None:
            held, most = prior_bytes(rows, *given, unknowns)
            of_features += held
            copies += 4 * width * rows  # those of the result, where rows without entries are put at their prior
            half += 2 * 4 * given[0] * unknowns  # the prior's weights, and once more in the basis
            work.append(most)
        work.append(half)
    return AlsMemory(
        0 if mapped else of_matrices, of_factors, of_factors if kept else 0, max(*work, copies), of_features
    )
