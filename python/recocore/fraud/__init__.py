"""Fraud and cheating: scores with reasons.

    ECOD, IsolationForest, MCD, HBOS, HalfSpaceTrees    detectors of anomalies, fitted on rows of features
    load_detector                                       any of them from the folder that `save` wrote
    find_rings, connected_components, RingWatch         groups of accounts that share devices, addresses, payments

A name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.fraud.detectors import ECOD, HBOS, MCD, Detector, HalfSpaceTrees, IsolationForest, load_detector
    from recocore.fraud.rings import Component, Ring, RingFlag, RingWatch, connected_components, find_rings

_DETECTORS = ("ECOD", "HBOS", "MCD", "Detector", "HalfSpaceTrees", "IsolationForest", "load_detector")
_RINGS = ("Component", "Ring", "RingFlag", "RingWatch", "connected_components", "find_rings")
_ROOM_OF = {
    **dict.fromkeys(_DETECTORS, "recocore.fraud.detectors"),
    **dict.fromkeys(_RINGS, "recocore.fraud.rings"),
}

__all__ = [
    "ECOD",
    "HBOS",
    "MCD",
    "Component",
    "Detector",
    "HalfSpaceTrees",
    "IsolationForest",
    "Ring",
    "RingFlag",
    "RingWatch",
    "connected_components",
    "find_rings",
    "load_detector",
]


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(importlib.import_module(_ROOM_OF[name]), name)
    raise AttributeError(f"module 'recocore.fraud' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
