"""The HTTP server of the metrics port. It only answers GET, and nothing that it answers changes anything.

/               the page for people
/metrics        Prometheus or OpenMetrics text
/healthz        200 while this process lives
/readyz         200 while a worker takes calls, else 503
/status.json    what the page and `recocore top` show
/try?user=ID    recommendations for a user
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import logging
import re
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from recocore.errors import InvalidArgumentError
from recocore.service.config import address
from recocore.service.logs import log, places
from recocore.service.observe.exposition import expose
from recocore.service.observe.try_it import TryIt

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.service.observe.config import MetricsConfig
    from recocore.service.observe.readings import Reading
    from recocore.service.observe.report import History
    from recocore.service.security.config import TlsConfig
    from recocore.service.security.tls import HttpsContext

# Beyond these a connection is closed at once: a scraper and a few people need far fewer.
_MOST_CONNECTIONS = 64
_IDLE_SECONDS = 15
_MOST_ITEMS = 50
_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"


class PortServer(ThreadingHTTPServer):
    """Answers on the metrics port; call `serve_forever` on a thread.

    Args:
        config: where to listen, and for whom.
        read: takes a reading now.
        history: the readings that were kept.
        tls: how this port and the service are encrypted; by default neither is.

    Raises:
        InvalidArgumentError: the address cannot be bound.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, config: MetricsConfig, read: Callable[[], Reading], history: History, tls: TlsConfig | None = None
    ) -> None:
        self.config = config
        self.read = read
        self.history = history
        self.try_it = TryIt(tls)
        self._https = _https(tls)
        self.page = files("recocore.service.observe").joinpath("page.html").read_bytes()
        self.page_policy = _policy_of(self.page.decode())
        self._places = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        try:
            family, _, _, _, where = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
            self.address_family = family
            super().__init__((str(where[0]), int(where[1])), _Handler)
        except OSError as error:
            raise InvalidArgumentError(
                f"metrics.port: cannot listen on {address(config.host, config.port)}: {error.strerror}; "
                "try another port, or 0 for any",
                field="metrics.port",
            ) from error

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'http' if self._https is None else 'https'}://{address(self.config.host, self.server_port)}"

    def server_bind(self) -> None:
        """Bind, without looking up a name for the address, which may take a resolver's timeout."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own, if there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            if self._https is not None:
                # In this thread: who is slow to shake hands holds up nobody else, and not for long.
                request.settimeout(_IDLE_SECONDS)
                self._https.look()
                request = self._https.context.wrap_socket(request, server_side=True)
            super().process_request_thread(request, client_address)
        except OSError:
            self.shutdown_request(request)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is nothing to tell of; the handler has told of the rest."""


def _https(tls: TlsConfig | None) -> HttpsContext | None:
    if tls is None or not tls.is_on:
        return None
    from recocore.service.security.tls import HttpsContext  # noqa: PLC0415  (its library is for those who have TLS)

    return HttpsContext(tls)


class _Handler(BaseHTTPRequestHandler):
    server: PortServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server_version, sys_version = "recocore", ""

    def do_GET(self) -> None:
        """Answer one request."""
        try:
            self._answer()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception as error:
            log(logging.ERROR, "metrics port", path=urlsplit(self.path).path, error=places(error))
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"it failed; the log has the cause\n")

    do_HEAD = do_GET  # noqa: N815  (the name that the base class looks for)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line for each scrape would drown the others."""

    def _answer(self) -> None:
        host = self.headers.get("Host", "")
        if not _is_allowed(host, self.server.config):
            name = json.dumps(host)
            message = f"the host {name} is not among metrics.allowed_hosts; ask by address, or add it\n"
            self._send(HTTPStatus.FORBIDDEN, _TEXT, message.encode())
            return
        url = urlsplit(self.path)
        match url.path:
            case "/":
                self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page, self.server.page_policy)
            case "/metrics":
                body, content_type = expose(self.server.read(), self.headers.get("Accept", ""))
                self._send(HTTPStatus.OK, content_type, body)
            case "/healthz":
                self._send(HTTPStatus.OK, _TEXT, b"alive\n")
            case "/readyz":
                ready = self.server.read().status.ready
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._send(status, _TEXT, b"ready\n" if ready else b"no worker takes calls\n")
            case "/status.json":
                report = self.server.history.report(self.server.read())
                self._send_json(HTTPStatus.OK, report | {"try_it": self.server.config.try_it})
            case "/try":
                self._try(parse_qs(url.query, keep_blank_values=True))
            case _:
                self._send(HTTPStatus.NOT_FOUND, _TEXT, b"there is /, /metrics, /healthz, /readyz and /status.json\n")

    def _try(self, query: dict[str, list[str]]) -> None:
        if not self.server.config.try_it:
            self._send_json(HTTPStatus.FORBIDDEN, {"error": {"message": "metrics.try_it is off"}})
            return
        # Another site's page could not read the answer; this keeps it from making the service work.
        if self.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            self._send_json(HTTPStatus.FORBIDDEN, {"error": {"message": "asked by another site"}})
            return
        users, counts = query.get("user", []), query.get("count", ["10"])
        if len(users) != 1 or not re.fullmatch(r"[0-9]{1,3}", counts[0]) or not 1 <= int(counts[0]) <= _MOST_ITEMS:
            message = f"expected user=ID and count from 1 to {_MOST_ITEMS}"
            self._send_json(HTTPStatus.BAD_REQUEST, {"error": {"message": message}})
            return
        asked = self.server.read().status.address
        self._send_json(HTTPStatus.OK, self.server.try_it.recommend(asked, users[0], int(counts[0])))

    def _send_json(self, status: HTTPStatus, value: Any) -> None:
        self._send(status, _JSON, json.dumps(value, allow_nan=False).encode())

    def _send(self, status: HTTPStatus, content_type: str, body: bytes, policy: str = "default-src 'none'") -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _is_allowed(host: str, config: MetricsConfig) -> bool:
    """Whether a Host header is one that no foreign page can have: an address, localhost, or a name that was configured."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name in {config.host.lower(), *config.allowed_hosts}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _policy_of(page: str) -> str:
    """Only the page's own script and style, by their digests, and questions to this port."""
    parts = {name: re.search(rf"<{name}>(.*?)</{name}>", page, re.DOTALL) for name in ("script", "style")}
    digests = {
        name: base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        for name, found in parts.items()
        if found is not None
    }
    return (
        f"default-src 'none'; connect-src 'self'; img-src data:; "
        f"script-src 'sha256-{digests['script']}'; style-src 'sha256-{digests['style']}'"
    )
