"""Fraud and cheating: scores with reasons.

    ECOD, IsolationForest, MCD, HBOS, HalfSpaceTrees    detectors of anomalies, fitted on rows of features
    load_detector                                       any of them from the folder that `save` wrote
    find_rings, connected_components, RingWatch         groups of accounts that share devices, addresses, payments
    Velocity, VelocitySpec                              windowed counters by user, device, ip, ... updated by events

A name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.fraud.velocity import Velocity, VelocitySpec

_VELOCITY = ("Velocity", "VelocitySpec")
_ROOM_OF = {
    **dict.fromkeys(_VELOCITY, "recocore.fraud.velocity"),
}

__all__ = [
    "Velocity",
    "VelocitySpec",
]


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(importlib.import_module(_ROOM_OF[name]), name)
    raise AttributeError(f"module 'recocore.fraud' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
