"""Events and what is known of each user, durable, encrypted and readable in microseconds; files only, no network."""

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
