"""The roof: the same frame with nothing in it. A raw-bytes handler on the same grpcio answers at once, on one event loop.

python -m benchmarks.service.roof --size BYTES --waiting CALLS
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import TYPE_CHECKING

import grpc

from recocore.service.announcing import announce_json
from recocore.service.server import bounded

if TYPE_CHECKING:
    from typing import Any

SERVICE = "recocore.v1.RecommendationService"
METHOD = "Recommend"


async def serve(size: int, waiting: int | None = None) -> None:
    """Answer every call with the same bytes until SIGTERM; the transport holds as many calls as that of our server would."""
    answer = bytes(size)

    async def behave(request: bytes, context: Any) -> bytes:
        return answer

    server = grpc.aio.server(options=() if waiting is None else bounded(waiting))
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {METHOD: grpc.unary_unary_rpc_method_handler(behave)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    announce_json(f"127.0.0.1:{port}")
    await stop.wait()
    await server.stop(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=400, help="bytes of an answer")
    parser.add_argument("--waiting", type=int, help="calls that the transport holds; by default what gRPC says")
    given = parser.parse_args()
    asyncio.run(serve(given.size, given.waiting))
