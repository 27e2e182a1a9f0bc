"""The scoring core under e-commerce personalisation: an event log in, a served recommendation out.

    recocore.EventBatch     an event log, read strictly from Arrow, Parquet or CSV
    recocore.Interactions   who met what how strongly: ids, indices and a sparse matrix
    recocore.models         ALS, ItemKNN, UserKNN, Popularity
    recocore.evaluation     metrics and comparisons
    recocore.retrieval      the best items for vectors from anywhere, under merchandisers' rules
    recocore.profiles       who a user is: features, life cycle, segments, tags, lifetime value
    recocore.fraud          scores with reasons, counters, rules, anomaly detectors, rings of accounts
    recocore.Index          a fitted model as an immutable, memory-mapped folder
    recocore.registry       versions of an index in one folder, and aliases that move between them
    recocore.service        the gRPC server
    recocore.client         its client, which needs no native code
    recocore.ops            the native operations on arrays

Importing this package loads nothing else: a name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore import client, data, evaluation, fraud, index, models, ops, profiles, registry, retrieval, service
    from recocore.data import EventBatch, Interactions
    from recocore.index import Index

__version__ = "0.1.0"

_CLASSES = {"EventBatch": "recocore.data", "Interactions": "recocore.data", "Index": "recocore.index"}

__all__ = [
    "EventBatch",
    "Index",
    "Interactions",
    "__version__",
    "client",
    "data",
    "evaluation",
    "fraud",
    "index",
    "models",
    "ops",
    "profiles",
    "registry",
    "retrieval",
    "service",
]
_PACKAGES = frozenset(__all__) - {"__version__", *_CLASSES}


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(importlib.import_module(_CLASSES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"recocore.{name}")
    raise AttributeError(f"module 'recocore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
