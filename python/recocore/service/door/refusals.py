"""Errors as HTTP says them: google.rpc.Status as JSON, under the status that google.rpc.Code maps to."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from starlette.responses import Response

from recocore.errors import InvalidArgumentError, RecocoreError
from recocore.service import convert
from recocore.service.door.statuses import HTTP_STATUS
from recocore.service.door.transcode import to_json
from recocore.service.limits import MAX_MESSAGE_BYTES
from recocore.service.problems import problem_of

if TYPE_CHECKING:
    from grpc.aio import AioRpcError

_DETAILS_KEY = "grpc-status-details-bin"
_NAMES = {code.value[0]: code.name for code in StatusCode}
# What the transport says of these names addresses inside, and knows nothing of headers.
_TRANSPORT_MESSAGES = {
    "UNAVAILABLE": "the service cannot be reached, or is stopping; retry with backoff",
    "DEADLINE_EXCEEDED": "the deadline passed before the answer was ready; allow more time in x-timeout-ms",
}


class BodyTooLargeError(RecocoreError):
    """A body is larger than a request may be."""

    code = "request_too_large"
    grpc_status = "RESOURCE_EXHAUSTED"

    def __init__(self) -> None:
        super().__init__(f"the body has more than {MAX_MESSAGE_BYTES} bytes, the most that is read; send less")


class MediaTypeError(InvalidArgumentError):
    """A body is not said to be plain JSON."""

    code = "unsupported_media_type"


class NoSuchPathError(RecocoreError):
    """There is no such URL."""

    code = "no_such_path"
    grpc_status = "NOT_FOUND"


class HttpMethodError(RecocoreError):
    """The URL takes another HTTP method."""

    code = "wrong_http_method"
    grpc_status = "UNIMPLEMENTED"


# What HTTP has its own status for.
_OWN_STATUS: dict[type[Exception], int] = {
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    MediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HttpMethodError: HTTPStatus.METHOD_NOT_ALLOWED,
}


def refuse(error: Exception, request_id: str) -> Response:
    """The answer to a call that the door itself could not serve."""
    status = status_pb2.Status.FromString(convert.encode_problem(problem_of(error), request_id))
    return _response(status, request_id, _OWN_STATUS.get(type(error)))


def pass_on(error: AioRpcError, request_id: str) -> Response:
    """The answer to a call that the service refused, or that did not reach it."""
    status = _details_of(error)
    if status is None:
        name = error.code().name
        message = _TRANSPORT_MESSAGES.get(name, error.details() or "")
        status = status_pb2.Status(code=error.code().value[0], message=message)
    return _response(status, request_id)


def _details_of(error: AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _response(status: status_pb2.Status, request_id: str, http_status: int | None = None) -> Response:
    headers = {"x-request-id": request_id}
    if status.code == StatusCode.UNAUTHENTICATED.value[0]:
        headers["www-authenticate"] = "Bearer"
    retry_info = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(retry_info):
            # The header has whole seconds; the details say it exactly.
            headers["retry-after"] = str(math.ceil(retry_info.retry_delay.ToNanoseconds() / 1e9))
    content = to_json(status, with_empty=False)
    return Response(content, http_status or HTTP_STATUS[_NAMES[status.code]], headers, media_type="application/json")
