"""Calls of the HTTP/JSON door with Python's own HTTP client."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def problem(self) -> status_pb2.Status:
        """The body of an error."""
        return json_format.ParseDict(self.body, status_pb2.Status())

    @property
    def reason(self) -> str:
        info = error_details_pb2.ErrorInfo()
        assert self.problem.details[0].Unpack(info)
        assert info.domain == "recocore"
        return str(info.reason)

    @property
    def fields(self) -> list[str]:
        """The paths of the fields at fault."""
        bad = error_details_pb2.BadRequest()
        for detail in self.problem.details:
            detail.Unpack(bad)
        return [violation.field for violation in bad.field_violations]


def connect(address: str, timeout: float = 20) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(address, timeout=timeout)


def ask(
    connection: http.client.HTTPConnection,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Answer:
    """One call on an open connection; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method, path, data, {"content-type": JSON, **(headers or {})})
    response = connection.getresponse()
    content = response.read()
    names = {name.lower(): value for name, value in response.getheaders()}
    assert names["content-type"] == JSON, content
    return Answer(response.status, names, json.loads(content))


def post(address: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One POST on a connection of its own."""
    connection = connect(address)
    try:
        return ask(connection, path, body, headers)
    finally:
        connection.close()


def get(address: str, path: str) -> Answer:
    """One GET on a connection of its own."""
    connection = connect(address)
    try:
        return ask(connection, path, method="GET")
    finally:
        connection.close()
