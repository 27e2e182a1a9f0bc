"""Contexts of gRPC without a transport, for the way of calls through a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.rpc import status_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence


class Context:
    """A context of gRPC, as far as calls ask for it."""

    def __init__(self, seconds: float | None = None, metadata: Sequence[tuple[str, str]] = ()) -> None:
        self._seconds = seconds
        self._metadata = metadata
        self.ended: tuple[grpc.StatusCode, str, bytes] | None = None

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return self._metadata

    def time_remaining(self) -> float | None:
        return self._seconds

    def peer(self) -> str:
        return "ipv4:127.0.0.1:5000"

    async def abort(self, code: grpc.StatusCode, message: str, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.ended = (code, message, metadata[0][1])
        raise grpc.aio.AbortError

    def details(self, kind: Any) -> Any:
        assert self.ended is not None
        for detail in status_pb2.Status.FromString(self.ended[2]).details:
            if detail.Is(kind.DESCRIPTOR):
                found = kind()
                detail.Unpack(found)
                return found
        raise AssertionError(f"there is no {kind}")
