"""From event logs to matrices: the event schema, cleaning, ids ↔ indices, interactions, splits, a synthetic shop.

A module is loaded when a name of it is first used: a server needs id maps, and neither cleaning nor Parquet.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.data.cleaning import Cleaned, CleaningReport, CleaningRules, OutlierRule, Reason, clean
    from recocore.data.events import EventBatch
    from recocore.data.ids import IdKind, IdMap
    from recocore.data.interactions import Interactions
    from recocore.data.item_columns import ITEM_COLUMNS, latest_item_columns
    from recocore.data.mapped import MappedInteractions
    from recocore.data.scaling import Filled, MeanFill, MedianFill, MinMax, ZScore
    from recocore.data.schema import DEFAULT_TYPE, DEFAULT_WEIGHTS, EVENT_SCHEMA, EVENT_TYPES
    from recocore.data.splits import Split, StrongSplit, hold_out, leave_last_out, split_by_time, strong_generalisation
    from recocore.data.synthetic import Shop, synthetic_shop

__all__ = [
    "DEFAULT_TYPE",
    "DEFAULT_WEIGHTS",
    "EVENT_SCHEMA",
    "EVENT_TYPES",
    "ITEM_COLUMNS",
    "Cleaned",
    "CleaningReport",
    "CleaningRules",
    "EventBatch",
    "Filled",
    "IdKind",
    "IdMap",
    "Interactions",
    "MappedInteractions",
    "MeanFill",
    "MedianFill",
    "MinMax",
    "OutlierRule",
    "Reason",
    "Shop",
    "Split",
    "StrongSplit",
    "ZScore",
    "clean",
    "hold_out",
    "latest_item_columns",
    "leave_last_out",
    "split_by_time",
    "strong_generalisation",
    "synthetic_shop",
]

_HOMES = {
    "cleaning": (
        "Cleaned",
        "CleaningReport",
        "CleaningRules",
        "OutlierRule",
        "Reason",
        "clean",
    ),
    "events": ("EventBatch",),
    "ids": (
        "IdKind",
        "IdMap",
    ),
    "interactions": ("Interactions",),
    "item_columns": (
        "ITEM_COLUMNS",
        "latest_item_columns",
    ),
    "mapped": ("MappedInteractions",),
    "scaling": (
        "Filled",
        "MeanFill",
        "MedianFill",
        "MinMax",
        "ZScore",
    ),
    "schema": (
        "DEFAULT_TYPE",
        "DEFAULT_WEIGHTS",
        "EVENT_SCHEMA",
        "EVENT_TYPES",
    ),
    "splits": (
        "Split",
        "StrongSplit",
        "hold_out",
        "leave_last_out",
        "split_by_time",
        "strong_generalisation",
    ),
    "synthetic": (
        "Shop",
        "synthetic_shop",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"recocore.data.{_HOME[name]}"), name)
    raise AttributeError(f"module 'recocore.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
