"""Events and what is known of each user, durable, encrypted and readable in microseconds; files only, no network.

A name is loaded when it is first used: who only passes events on loads no encryption.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.state.backup import back_up_registry, check_backup, restore
    from recocore.state.keys import KeyFile
    from recocore.state.reader import StateReader
    from recocore.state.store import StateStore
    from recocore.state.values import (
        Durability,
        ForgetReceipt,
        Receipt,
        RecentEvent,
        RowResult,
        StateConfig,
        StateStats,
        UserRecord,
    )

_VALUES = (
    *("Durability", "ForgetReceipt", "Receipt", "RecentEvent"),
    *("RowResult", "StateConfig", "StateStats", "UserRecord"),
)
_MODULE_OF = {
    "KeyFile": "recocore.state.keys",
    "StateReader": "recocore.state.reader",
    "StateStore": "recocore.state.store",
    **dict.fromkeys(_VALUES, "recocore.state.values"),
    **dict.fromkeys(("back_up_registry", "check_backup", "restore"), "recocore.state.backup"),
}

__all__ = [
    "Durability",
    "ForgetReceipt",
    "KeyFile",
    "Receipt",
    "RecentEvent",
    "RowResult",
    "StateConfig",
    "StateReader",
    "StateStats",
    "StateStore",
    "UserRecord",
    "back_up_registry",
    "check_backup",
    "restore",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'recocore.state' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
