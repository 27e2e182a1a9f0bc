"""From event logs to matrices: the event schema, cleaning, ids ↔ indices, interactions, splits, a synthetic shop."""

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
