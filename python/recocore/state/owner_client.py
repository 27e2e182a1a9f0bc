"""Asking an owner from another process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from recocore.state.calling import Caller
from recocore.state.values import OK, Durability, ForgetReceipt, Receipt, RowResult, StateStats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType


class OwnerClient:
    """Asks an owner; for one event loop. Calls share a connection, which is made when needed and again after it broke.

    While nobody listens, as when the owner is started again, a call waits for the connection as long as its timeout allows.
    Every method raises the error that the store raised, OverloadedError where the owner's queue is full, and
    OwnerUnavailableError where nobody answers: whether the call was done is not known then. Events that have an event_id may
    be sent again.

    Args:
        socket_path: of the owner.
        timeout: seconds a call may take.
        upkeep_timeout: seconds that compact, retain, backup, rotate_master_key and export_user may take.
    """

    def __init__(
        self, socket_path: str | os.PathLike[str], *, timeout: float = 10.0, upkeep_timeout: float = 3_600.0
    ) -> None:
        self._caller = Caller(socket_path)
        self._timeout, self._upkeep_timeout = timeout, upkeep_timeout

    async def record(
        self,
        events: Sequence[Mapping[str, Any] | bytes],
        *,
        durability: Durability = Durability.FSYNC,
        offsets: Mapping[str, int] | None = None,
    ) -> Receipt:
        """As `StateStore.record`. A row may be the MessagePack bytes of its map, which travel as they are."""
        arguments: dict[str, Any] = {"durability": durability.value}
        if offsets:
            arguments["offsets"] = dict(offsets)
        commit, results = await self._call("record", arguments, rows=events)
        if results is None:  # all of them are recorded
            return Receipt(commit, (OK,) * len(events))
        return Receipt(commit, tuple(RowResult(*result) for result in results))

    async def commit(self) -> int:
        """The owner's last commit."""
        return int(await self._call("commit", {}))

    async def flush(self) -> int:
        """Wait until the device holds every acknowledged event: the last commit."""
        return int(await self._call("flush", {}))

    async def offsets(self) -> dict[str, int]:
        """As `StateStore.offsets`."""
        return dict(await self._call("offsets", {}))

    async def set_consent(self, user_id: str | int, purpose: str, granted: bool, *, visitor: bool = False) -> int:
        """As `StateStore.set_consent`."""
        arguments = {"user_id": user_id, "purpose": purpose, "granted": granted, "visitor": visitor}
        return int(await self._call("set_consent", arguments))

    async def consents(self, user_id: str | int, *, visitor: bool = False) -> dict[str, bool]:
        """As `StateStore.consents`."""
        return dict(await self._call("consents", {"user_id": user_id, "visitor": visitor}))

    async def forget(self, user_id: str | int, *, visitor: bool = False) -> ForgetReceipt:
        """As `StateStore.forget`."""
        return ForgetReceipt(**await self._call("forget", {"user_id": user_id, "visitor": visitor}))

    async def declare(
        self, user_id: str | int, attributes: Mapping[str, str | None], source: str, *, version: int | None = None
    ) -> int:
        """As `StateStore.declare`."""
        arguments = {"user_id": user_id, "attributes": dict(attributes), "source": source, "version": version}
        return int(await self._call("declare", arguments))

    async def link(self, source_id: str | int, target_id: str | int, *, visitor: bool = False, why: str = "") -> int:
        """As `StateStore.link`."""
        arguments = {"source_id": source_id, "target_id": target_id, "visitor": visitor, "why": why}
        return int(await self._call("link", arguments))

    async def unlink(self, target_id: str | int, number: int) -> int:
        """As `StateStore.unlink`."""
        return int(await self._call("unlink", {"target_id": target_id, "number": number}))

    async def export_user(self, user_id: str | int, *, visitor: bool = False) -> dict[str, Any]:
        """As `StateStore.export_user`."""
        return dict(await self._call("export_user", {"user_id": user_id, "visitor": visitor}, long=True))

    async def retain(self, max_age_seconds: float) -> int:
        """As `StateStore.retain`."""
        return int(await self._call("retain", {"max_age_seconds": max_age_seconds}, long=True))

    async def compact(self) -> int:
        """As `StateStore.compact`."""
        return int(await self._call("compact", {}, long=True))

    async def backup(self, dest: str | os.PathLike[str]) -> dict[str, int]:
        """As `StateStore.backup`, to a folder that the owner can write."""
        return dict(await self._call("backup", {"dest": os.fspath(dest)}, long=True))

    async def rotate_master_key(self, *, drop_old: bool = False) -> int:
        """As `StateStore.rotate_master_key`."""
        return int(await self._call("rotate_master_key", {"drop_old": drop_old}, long=True))

    async def stats(self) -> StateStats:
        """As `StateStore.stats`."""
        return StateStats(**await self._call("stats", {}))

    async def close(self) -> None:
        """Close the connection; calls under way fail as unavailable."""
        await self._caller.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self,
        method: str,
        arguments: dict[str, Any],
        *,
        rows: Sequence[Mapping[str, Any] | bytes] = (),
        long: bool = False,
    ) -> Any:
        return await self._caller.call(
            method, arguments, rows=rows, timeout=self._upkeep_timeout if long else self._timeout
        )
