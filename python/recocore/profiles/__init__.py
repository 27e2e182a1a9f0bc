"""Profiles: who a user is, from events, in batch and from the stream alike.

Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.profiles.batch import build
    from recocore.profiles.config import ProfileConfig
    from recocore.profiles.cuts import CutPoints
    from recocore.profiles.items import build_items
    from recocore.profiles.schema import LIFECYCLE, profile_schema
    from recocore.profiles.scores import rfm, rfm_cuts
    from recocore.profiles.table import ProfileTable
    from recocore.profiles.updater import Updater

__all__ = [
    "LIFECYCLE",
    "CutPoints",
    "ProfileConfig",
    "ProfileTable",
    "Updater",
    "build",
    "build_items",
    "profile_schema",
    "rfm",
    "rfm_cuts",
]

_HOMES = {
    "batch": ("build",),
    "config": ("ProfileConfig",),
    "cuts": ("CutPoints",),
    "items": ("build_items",),
    "scores": ("rfm", "rfm_cuts"),
    "schema": ("LIFECYCLE", "profile_schema"),
    "table": ("ProfileTable",),
    "updater": ("Updater",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"recocore.profiles.{_HOME[name]}"), name)
    raise AttributeError(f"module 'recocore.profiles' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
