"""The features of one profile row, as `Features` has those of a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from recocore.profiles.config import ProfileConfig
from recocore.profiles.features import Features
from recocore.profiles.schema import TIME, columns, profile_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.expressions import Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_TIMES = frozenset(column.name for column in columns(ProfileConfig()) if column.type == TIME)
_LISTS = frozenset({"active_hours", "paths", "search_terms"})


def feature_kinds(config: ProfileConfig) -> dict[str, Kind]:
    """The features that rows of a configuration have, with their kinds."""
    return Features(profile_schema(config).empty_table(), as_of=0).kinds


def row_features(row: Mapping[str, Any], as_of: int) -> dict[str, object]:
    """Feature → value of one user, None where it is missing; as `Features(table).row` of a table with that row.

    Args:
        row: as `Updater.row` gives it.
        as_of: of the row, microseconds since 1970.

    Example:
        >>> row = {"user_id": "ann", "n_orders": 3, "last_event": _EPOCH, "interest_brand_total": 4.0,
        ...        "interest_brand": [{"name": "Ash", "weight": 3.0}]}
        >>> features = row_features(row, 43_200_000_000)
        >>> features["n_orders"], features["days_since_last_event"], features["top_brand"], features["top_brand_share"]
        (3.0, 0.5, 'Ash', 0.75)
    """
    features: dict[str, object] = {}
    for name, value in row.items():
        if name == "user_id":
            continue
        if name in _TIMES:
            features[f"days_since_{name}"] = None if value is None else (as_of - (value - _EPOCH) // _US) / _DAY_US
        elif f"{name}_total" in row:
            total, bare = row[f"{name}_total"], name.removeprefix("interest_")
            features[f"top_{bare}"] = value[0]["name"] if value else None
            features[f"top_{bare}_share"] = value[0]["weight"] / total if value and total else None
        elif name not in _LISTS:
            features[name] = float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return features
