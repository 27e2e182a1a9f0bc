"""Consent: what each feature is built for, and its removal where that is no longer allowed."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.errors import InvalidArgumentError
from recocore.profiles.table import ProfileTable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from recocore.types import BoolArray

PURPOSES: Final = ("personalisation", "marketing", "analytics")

# The purposes that each feature is built for, by the first pattern that fits its name. It goes as soon as none of them is
# allowed any more. A name without a pattern is built for everything that is not known: it goes with any withdrawal.
FEATURE_PURPOSES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "interest_*": ("personalisation",),
        "top_*": ("personalisation",),
        "price_percentile": ("personalisation",),
        "search_terms": ("personalisation",),
        "n_searches": ("personalisation", "analytics"),
        "count_*": ("personalisation", "analytics"),
        "n_events": ("personalisation", "analytics"),
        "n_items": ("personalisation", "analytics"),
        "active_days": ("analytics",),
        "first_event": ("analytics",),
        "last_event": ("analytics",),
        "active_hours": ("marketing", "analytics"),
        "send_*": ("marketing",),
        "rfm_*": ("marketing",),
        "level": ("marketing",),
        "lifecycle": ("marketing", "analytics"),
        "gap_*": ("marketing",),
        "regularity": ("marketing",),
        "btyd_*": ("marketing",),
        "p_alive*": ("marketing",),
        "expected_*": ("marketing",),
        "clv": ("marketing",),
        "segment": ("marketing",),
        "discount_affinity": ("marketing",),
        "n_discounted": ("marketing", "analytics"),
        "discount_saved": ("marketing", "analytics"),
        "n_purchases": ("marketing", "analytics"),
        "n_orders": ("marketing", "analytics"),
        "n_refunds": ("analytics",),
        "refund_*": ("analytics",),
        "quantity": ("marketing", "analytics"),
        "first_purchase": ("marketing", "analytics"),
        "last_purchase": ("marketing", "analytics"),
        "spend_*": ("marketing", "analytics"),
        "n_sessions": ("analytics",),
        "session_*": ("analytics",),
        "bounce_rate": ("analytics",),
        "dwell_*": ("analytics",),
        "n_transitions": ("analytics",),
        "paths": ("analytics",),
    }
)


def purposes_of(feature: str) -> tuple[str, ...]:
    """What a feature is built for; nothing for one that `FEATURE_PURPOSES` does not know.

    Example:
        >>> purposes_of("interest_brand"), purposes_of("spend_net")
        (('personalisation',), ('marketing', 'analytics'))
    """
    return next(
        (purposes for pattern, purposes in FEATURE_PURPOSES.items() if fnmatch.fnmatchcase(feature, pattern)), ()
    )


def withdraw(profiles: Any, withdrawn: Mapping[Any, Collection[str]]) -> Any:
    """Remove what was built for purposes that users have withdrawn: those features become null for them.

    A feature stays as long as one of the purposes that it is built for is allowed; one whose purposes are not known goes
    with the first withdrawal. The row stays, so that counts of users do. O(users + withdrawn rows x columns).

    Args:
        profiles: a `ProfileTable`, or an Arrow table with a column `user_id`: profiles, lifetime features.
        withdrawn: user → the purposes that they no longer allow.

    Returns:
        A new value of the same type.

    Raises:
        InvalidArgumentError: a purpose that is not one of `PURPOSES`.

    Example:
        >>> table = pa.table({"user_id": ["ann", "bob"], "level": [90, 20], "spend_net": [900, 50]})
        >>> withdraw(table, {"ann": ["marketing"]}).to_pydict()
        {'user_id': ['ann', 'bob'], 'level': [None, 20], 'spend_net': [900, 50]}
    """
    if isinstance(profiles, ProfileTable):
        return replace(profiles, table=withdraw(profiles.table, withdrawn))
    groups: dict[frozenset[str], list[Any]] = {}
    for user, purposes in withdrawn.items():
        groups.setdefault(checked(purposes), []).append(user)
    table: pa.Table = profiles
    users = table.column("user_id")
    gone = {
        purposes: np.asarray(pc.is_in(users, value_set=pa.array(listed, users.type)).to_numpy(), np.bool_)
        for purposes, listed in groups.items()
        if purposes
    }
    for place, name in enumerate(table.column_names):
        if name == "user_id":
            continue
        built_for = frozenset(purposes_of(name))
        rows: BoolArray = np.zeros(table.num_rows, np.bool_)
        for purposes, theirs in gone.items():
            if built_for <= purposes:
                rows |= theirs
        if rows.any():
            kept = pa.array(np.arange(table.num_rows), mask=rows)
            table = table.set_column(place, table.schema.field(name), table.column(name).take(kept))
    return table


def checked(purposes: Collection[str]) -> frozenset[str]:
    """Purposes as a set.

    Raises:
        InvalidArgumentError: one that is not of `PURPOSES`.
    """
    named = frozenset([purposes] if isinstance(purposes, str) else purposes)
    if unknown := named - set(PURPOSES):
        raise InvalidArgumentError(
            f"purposes: expected some of {', '.join(PURPOSES)}, got {', '.join(map(repr, sorted(unknown)))}",
            field="purposes",
        )
    return named
