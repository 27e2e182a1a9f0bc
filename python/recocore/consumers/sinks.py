"""A sink that asks the owner of a state, for consumers that run beside a service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from recocore.state.owner_client import OwnerClient

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from recocore.state import Receipt


class OwnerSink:
    """Asks the owner at a Unix socket, from one thread. Close it, or use it in a `with` block.

    Args:
        socket_path: where the owner listens.
    """

    def __init__(self, socket_path: str | os.PathLike[str]) -> None:
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self._owner = OwnerClient(socket_path)

    def record(self, events: Sequence[Mapping[str, Any]], *, offsets: Mapping[str, int]) -> Receipt:
        """See Sink."""
        return self._runner.run(self._owner.record(events, offsets=offsets))

    def offsets(self) -> Mapping[str, int]:
        """See Sink."""
        return self._runner.run(self._owner.offsets())

    def close(self) -> None:
        """Hang up."""
        self._runner.run(self._owner.close())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
