"""What a competitor found, in the form that is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.als.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from recocore.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """float32 `[n_users, f]` and `[n_items, f]`, scaled to the objective that they are to minimise."""

    users: Float32Array
    items: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The factors after a fit.

    Attributes:
        factors: at its end.
        objective: what they are to minimise.
        exact: whether each half-epoch solves its rows' equations rather than improves on them.
        flops: floating-point operations that the library says it took, or 0.
        epochs: the epochs after which the trace looks at the factors; empty without a trace.
        trace: the factors then.
    """

    factors: Factors
    objective: Objective
    exact: bool
    flops: float = 0.0
    epochs: tuple[int, ...] = ()
    trace: Sequence[Factors] = ()

    def save(self, path: Path) -> None:
        """Write everything."""
        arrays: dict[str, Any] = {"users": self.factors.users, "items": self.factors.items}
        for epoch, factors in zip(self.epochs, self.trace, strict=True):
            arrays[f"users{epoch}"], arrays[f"items{epoch}"] = factors.users, factors.items
        facts = np.array(
            [self.objective.regularization, self.objective.alpha0, self.objective.nu, self.exact, self.flops]
        )
        with path.open("wb") as file:
            np.savez(file, facts=facts, epochs=np.array(self.epochs, np.int64), **arrays)

    @classmethod
    def load(cls, path: Path) -> Solution:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            regularization, alpha0, nu, exact, flops = arrays["facts"].tolist()
            epochs = tuple(arrays["epochs"].tolist())
            return cls(
                Factors(arrays["users"], arrays["items"]),
                Objective(regularization, alpha0, nu),
                bool(exact),
                flops,
                epochs,
                [Factors(arrays[f"users{epoch}"], arrays[f"items{epoch}"]) for epoch in epochs],
            )
