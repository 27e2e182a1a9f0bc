"""Factors after some interactions changed, without solving for the rows that did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from recocore.models.matrix_changes import changed_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.csr import Csr
    from recocore.data import Interactions
    from recocore.types import Float32Array, Int32Array

# Solves rows of interactions, given the other side's factors.
Fold: TypeAlias = "Callable[[Csr, Float32Array], Float32Array]"


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was learned before, and where its rows and columns are now.

    Attributes:
        matrix: canonical CSR `[users, items]`.
        user_factors: float32 `[users, f]`.
        item_factors: float32 `[items, f]`.
        users: int32, the new number of each user, -1 for one that is gone; the others rise.
        items: int32, likewise.
        new_user: float32 `[f]`, the factors of a user of whom nothing is known.
        new_item: float32 `[f]`, likewise.
    """

    matrix: Csr
    user_factors: Float32Array
    item_factors: Float32Array
    users: Int32Array
    items: Int32Array
    new_user: Float32Array
    new_item: Float32Array


def updated_factors(
    fitted: Fitted, after: Interactions, fold_users: Fold, fold_items: Fold
) -> tuple[Float32Array, Float32Array]:
    """The factors of users and items, float32 `[n, f]`, where every row whose entries changed is solved anew.

    Changed users come first, so that a new item has users to learn from, then changed items, then the same users again, who
    so fit the final items. O(entries) to find what changed, and a fold-in of the changed rows.
    """
    users = _moved(fitted.user_factors, fitted.users, after.n_users, fitted.new_user)
    items = _moved(fitted.item_factors, fitted.items, after.n_items, fitted.new_item)
    changed_users = np.flatnonzero(
        changed_rows(fitted.matrix, fitted.users, fitted.items, after.matrix, by_column=False)
    )
    changed_items = np.flatnonzero(
        changed_rows(fitted.matrix.transpose(), fitted.items, fitted.users, after.by_item, by_column=False)
    )
    of_users, of_items = after.matrix.rows(changed_users), after.by_item.rows(changed_items)
    users[changed_users] = fold_users(of_users, items)
    items[changed_items] = fold_items(of_items, users)
    users[changed_users] = fold_users(of_users, items)
    return users, items


def _moved(factors: Float32Array, numbers: Int32Array, count: int, newcomer: Float32Array) -> Float32Array:
    """The rows under their new numbers, and the newcomers'."""
    moved = np.tile(newcomer, (count, 1))
    here = numbers >= 0
    moved[numbers[here]] = factors[here]
    return moved
