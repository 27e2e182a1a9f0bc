"""A service with all its ports, as its callers see it."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.service.security.certificates import Authority, Files
    from tests.service.security.secured import Secured
    from tests.service.server_process import ServerProcess


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ports:
    """A service with all its ports, and the authority of its callers, or of itself where they need none."""

    def __init__(self, server: ServerProcess, door: int, secured: Secured, authority: Authority) -> None:
        self.server, self.door, self.secured, self.authority = server, door, secured, authority
        self.page = int(server.events("metrics")[0]["url"].rpartition(":")[2])

    @property
    def grpc(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    def get(
        self, port: int, path: str, context: ssl.SSLContext, body: bytes | None = None, **headers: str
    ) -> tuple[int, str]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"https://localhost:{port}{path}", body, names)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def trusting(authority: Authority, files: Files | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.path))
    if files is not None:
        context.load_cert_chain(files.certificate, files.key)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
