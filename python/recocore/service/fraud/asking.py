"""Asking the process that decides, from a worker."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from recocore.state.calling import Caller

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from recocore.fraud import OutcomeReport

# Rewriting the log of a user that is forgotten takes a second a gigabyte.
_LONG_SECONDS = 600.0


class FraudClient:
    """Asks a `FraudOwner`; for one event loop. Every method raises what the desk raised; see `Caller`.

    Args:
        socket_path: of the process.
        timeout: seconds a call may take; reading the log may take longer.
    """

    def __init__(self, socket_path: str | os.PathLike[str], *, timeout: float = 10.0) -> None:
        self._caller = Caller(socket_path)
        self._timeout = timeout

    async def score(self, rows: Sequence[bytes]) -> list[list[Any]]:
        """Of each event: its packed decision or None, whether it had come before, and what is wrong: field and message."""
        return list(await self._caller.call("score", {}, rows=rows, timeout=self._timeout))

    async def report(self, reports: Sequence[OutcomeReport]) -> list[bool | str]:
        """Of each report whether it is new, or why it was refused."""
        told = {"reports": [asdict(report) for report in reports]}
        return list(await self._caller.call("report", told, timeout=self._timeout))

    async def rules(self) -> dict[str, Any]:
        """The rule set: version, toml, and rules with their counts."""
        return dict(await self._caller.call("rules", {}, timeout=self._timeout))

    async def activate(self, toml: str, expected: str, *, dry_run: bool) -> tuple[str, str]:
        """The versions of the new set and of the old one."""
        told = {"toml": toml, "expected": expected, "dry_run": dry_run}
        version, previous = await self._caller.call("activate", told, timeout=self._timeout)
        return version, previous

    async def recall(self, decision_id: str) -> dict[str, Any]:
        """A decision and all that is known of it, by the names of `Recalled`."""
        return dict(await self._caller.call("recall", {"decision_id": decision_id}, timeout=_LONG_SECONDS))

    async def rings(self, members: int) -> dict[str, Any]:
        """The rings that are known: version, found and rings."""
        return dict(await self._caller.call("rings", {"members": members}, timeout=self._timeout))

    async def of_user(self, user_id: str) -> list[dict[str, Any]]:
        """What the log holds of a user."""
        return list(await self._caller.call("of_user", {"user_id": user_id}, timeout=_LONG_SECONDS))

    async def forget(self, user_id: str) -> int:
        """How many rows of a user went."""
        return int(await self._caller.call("forget", {"user_id": user_id}, timeout=_LONG_SECONDS))

    async def backup(self, dest: str) -> dict[str, int]:
        """Copy the log's folder to another: files, copied and bytes."""
        return dict(await self._caller.call("backup", {"dest": dest}, timeout=_LONG_SECONDS))

    async def close(self) -> None:
        """Close the connection."""
        await self._caller.close()
