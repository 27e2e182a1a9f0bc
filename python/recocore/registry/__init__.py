"""Versions of an index in one folder that trainers publish to and servers read from, with names that move between them."""

from recocore.registry.aliases import Alias
from recocore.registry.journal import AliasChange
from recocore.registry.registry import Registry
from recocore.registry.versions import VersionInfo

__all__ = ["Alias", "AliasChange", "Registry", "VersionInfo"]
