"""The epochs of ALS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recocore.models.als_problem import AlsProblem
    from recocore.ops.als import AlsReport
    from recocore.types import Progress


def train(problem: AlsProblem, epochs: int, progress: Progress | None) -> tuple[AlsReport, ...]:
    """Run epochs on a problem: how each half solved its rows, the items' half first."""
    reports: list[AlsReport] = []
    # Users last: their factors then solve the final items' equations, as folding a user in later would.
    for epoch in range(epochs):
        reports.append(problem.solve_items(part(progress, 2 * epoch, 2 * epochs)))
        reports.append(problem.solve_users(part(progress, 2 * epoch + 1, 2 * epochs)))
    return tuple(reports)


def part(progress: Progress | None, step: int, steps: int) -> Progress | None:
    """Progress within one of several equal steps, told as progress of the whole; also once at the step's start."""
    if progress is None:
        return None
    progress(step / steps)
    return lambda fraction: progress((step + fraction) / steps)
