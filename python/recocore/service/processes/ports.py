"""What is to be seen to before gRPC takes a port.

Whether it is free: gRPC itself tells of a taken one on standard error, in its own words. And with which descriptor it listens.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError
from recocore.service.config import address

if TYPE_CHECKING:
    from collections.abc import Iterator

# Connections of a worker whose descriptors come before its listener's; a soft limit of 1,024 descriptors is common.
_LOW_DESCRIPTORS = 512


@contextmanager
def low_descriptors_taken() -> Iterator[None]:
    """Have what is opened meanwhile, a listening socket, get a higher descriptor than connections will have.

    Linux closes the sockets of a killed process from the highest descriptor down. A listener that is closed after the
    connections takes in callers who have just lost theirs, and then resets them as well: calls fail that were in flight
    nowhere. Over 30 kills with 8 callers that was 4,152 calls, and 51 with this, which were written to the dead connection.
    """
    taken: list[int] = []
    try:
        with suppress(OSError):  # where fewer are allowed, as many as there are
            taken.append(os.open(os.devnull, os.O_RDONLY))
            while taken[-1] < _LOW_DESCRIPTORS:
                taken.append(os.dup(taken[0]))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


def reserve(host: str, port: int, field: str) -> socket.socket:
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
