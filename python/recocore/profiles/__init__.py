"""Profiles: who a user is, from events, in batch and from the stream alike.

Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.profiles.batch import build
    from recocore.profiles.config import ProfileConfig
    from recocore.profiles.consent import FEATURE_PURPOSES, withdraw
    from recocore.profiles.cuts import CutPoints
    from recocore.profiles.features import Features
    from recocore.profiles.identity import Identities
    from recocore.profiles.items import build_items
    from recocore.profiles.kept import KeptProfiles
    from recocore.profiles.lifetime import BGNBD, GammaGamma, LifetimeModels, ModifiedBGNBD, clv, lifetime_features
    from recocore.profiles.schema import LIFECYCLE, profile_schema
    from recocore.profiles.scores import rfm, rfm_cuts
    from recocore.profiles.segments import Segmentation, SegmentRule, drift, members, psi, retention
    from recocore.profiles.table import ProfileTable
    from recocore.profiles.tags import Declaration, DeclaredAttributes, Tag, TagDefinition, TagSet, dimension_scores
    from recocore.profiles.updater import Updater

__all__ = [
    "BGNBD",
    "FEATURE_PURPOSES",
    "LIFECYCLE",
    "CutPoints",
    "Declaration",
    "DeclaredAttributes",
    "Features",
    "GammaGamma",
    "Identities",
    "KeptProfiles",
    "LifetimeModels",
    "ModifiedBGNBD",
    "ProfileConfig",
    "ProfileTable",
    "SegmentRule",
    "Segmentation",
    "Tag",
    "TagDefinition",
    "TagSet",
    "Updater",
    "build",
    "build_items",
    "clv",
    "dimension_scores",
    "drift",
    "lifetime_features",
    "members",
    "profile_schema",
    "psi",
    "retention",
    "rfm",
    "rfm_cuts",
    "withdraw",
]

_HOMES = {
    "batch": ("build",),
    "config": ("ProfileConfig",),
    "consent": ("FEATURE_PURPOSES", "withdraw"),
    "cuts": ("CutPoints",),
    "features": ("Features",),
    "identity": ("Identities",),
    "items": ("build_items",),
    "kept": ("KeptProfiles",),
    "lifetime": ("BGNBD", "GammaGamma", "LifetimeModels", "ModifiedBGNBD", "clv", "lifetime_features"),
    "scores": ("rfm", "rfm_cuts"),
    "schema": ("LIFECYCLE", "profile_schema"),
    "segments": ("SegmentRule", "Segmentation", "drift", "members", "psi", "retention"),
    "table": ("ProfileTable",),
    "tags": ("Declaration", "DeclaredAttributes", "Tag", "TagDefinition", "TagSet", "dimension_scores"),
    "updater": ("Updater",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"recocore.profiles.{_HOME[name]}"), name)
    raise AttributeError(f"module 'recocore.profiles' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
