"""Whether a port is free, asked before gRPC takes it: gRPC itself tells of a taken one on standard error, in its own words."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.service.config import ServerConfig


def reserve(config: ServerConfig) -> socket.socket:
    """A socket that is bound but does not listen: it keeps the port for listeners that share it, and gets no connections.

    Raises:
        InvalidArgumentError: another listens there, or the host is not this machine's.
    """
    try:
        family, kind, _, _, where = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        # Without the option first: another server's port, shared or not, is not ours to join.
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
        holder = socket.socket(family, kind)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(where)
    except OSError as error:
        raise InvalidArgumentError(
            f"cannot listen on {config.target}: {error.strerror}; try another port, or 0 for any", field="port"
        ) from error
    return holder
