"""The owner process over a Unix socket, and its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from recocore.state.values import Durability, StateConfig

if TYPE_CHECKING:
    import asyncio
    import os
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from recocore.state.keys import KeyFile
    from recocore.state.values import ForgetReceipt, Receipt, StateStats


async def serve_owner(
    path: str | os.PathLike[str],
    socket_path: str | os.PathLike[str],
    config: StateConfig | None = None,
    *,
    keys: KeyFile | None = None,
    ready: asyncio.Event | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Own the store at `path` and answer calls on a Unix socket (mode 0600) until `stop` is set.

    Calls that wait when a commit begins share its fsync. Sets `ready` once the socket listens.
    """
    raise NotImplementedError


class OwnerClient:
    """Asks an owner; for one event loop. Calls share a connection, which is made when needed and again after it broke.

    Every method raises the error that the store raised, `OverloadedError` where the owner's queue is full, and
    `OwnerUnavailableError` where nobody answers: whether the call was done is not known then; events may be sent again.
    """

    def __init__(self, socket_path: str | os.PathLike[str], *, timeout: float = 10.0) -> None:
        raise NotImplementedError

    async def record(
        self,
        events: Sequence[Mapping[str, Any]],
        *,
        durability: Durability = Durability.FSYNC,
        offsets: Mapping[str, int] | None = None,
    ) -> Receipt:
        """As `StateStore.record`."""
        raise NotImplementedError

    async def record_raw(
        self,
        rows: Sequence[bytes],
        *,
        durability: Durability = Durability.FSYNC,
        offsets: Mapping[str, int] | None = None,
    ) -> Receipt:
        """As `record`, of rows that are MessagePack maps already: they travel and are checked without another encoding."""
        raise NotImplementedError

    async def commit(self) -> int:
        """The owner's last commit."""
        raise NotImplementedError

    async def offsets(self) -> dict[str, int]:
        """As `StateStore.offsets`."""
        raise NotImplementedError

    async def set_consent(self, user_id: str | int, purpose: str, granted: bool) -> int:
        """As `StateStore.set_consent`."""
        raise NotImplementedError

    async def consents(self, user_id: str | int) -> dict[str, bool]:
        """As `StateStore.consents`."""
        raise NotImplementedError

    async def forget(self, user_id: str | int, *, visitor: bool = False) -> ForgetReceipt:
        """As `StateStore.forget`."""
        raise NotImplementedError

    async def export_user(self, user_id: str | int, *, visitor: bool = False) -> dict[str, Any]:
        """As `StateStore.export_user`."""
        raise NotImplementedError

    async def retain(self, max_age_seconds: float) -> int:
        """As `StateStore.retain`."""
        raise NotImplementedError

    async def compact(self) -> int:
        """As `StateStore.compact`."""
        raise NotImplementedError

    async def backup(self, dest: str | os.PathLike[str]) -> None:
        """As `StateStore.backup`, to a folder that the owner can write."""
        raise NotImplementedError

    async def rotate_master_key(self, *, drop_old: bool = False) -> int:
        """As `StateStore.rotate_master_key`."""
        raise NotImplementedError

    async def stats(self) -> StateStats:
        """As `StateStore.stats`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connection; calls under way fail as unavailable."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()
