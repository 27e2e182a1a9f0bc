"""Events and what is known of each user, durable, encrypted and readable in microseconds; files only, no network."""

from recocore.state.keys import KeyFile
from recocore.state.reader import StateReader
from recocore.state.restoring import restore
from recocore.state.store import StateStore
from recocore.state.values import (
    Durability,
    ForgetReceipt,
    RecentEvent,
    Receipt,
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
    "restore",
]
