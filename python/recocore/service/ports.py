"""Whether a port is free, asked before gRPC takes it: gRPC itself tells of a taken one on standard error, in its own words."""

from __future__ import annotations

import socket

from recocore.errors import InvalidArgumentError
from recocore.service.config import address


def reserve(host: str, port: int, field: str = "port") -> socket.socket:
    """A socket that is bound but does not listen: it keeps the port for listeners that share it, and gets no connections.

    Args:
        host: address.
        port: port; 0 for any that is free.
        field: the setting to blame.

    Raises:
        InvalidArgumentError: another listens there, or the host is not this machine's.
    """
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Without the option first: another server's port, shared or not, is not ours to join.
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
        holder = socket.socket(family, kind)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(where)
    except OSError as error:
        raise InvalidArgumentError(
            f"cannot listen on {address(host, port)}: {error.strerror}; try another port, or 0 for any", field=field
        ) from error
    return holder
