"""What a call that fails raises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from recocore.errors import RecocoreError

_DETAILS_KEY = "grpc-status-details-bin"
_STATUS_NAME = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field of a request, by its path in the proto."""

    field: str
    description: str


class ServiceError(RecocoreError):
    """A call failed.

    Attributes:
        status: name of the gRPC status, such as "UNAVAILABLE".
        reason: the server's own name for it, such as "TOO_MANY_CALLS"; empty where the server was not reached.
        message: what the server said.
        violations: the fields at fault.
        request_id: names the call in the server's log.
        retry_after: seconds after which the server would take the call; None where it did not say.
    """

    def __init__(
        self,
        status: str,
        message: str,
        *,
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status}: {message} (request {request_id})" if request_id else f"{status}: {message}")
        self.status = status
        self.message = message
        self.reason = reason
        self.violations = violations
        self.request_id = request_id
        self.retry_after = retry_after


class ClientClosedError(ServiceError):
    """The client was closed, before the call or during it."""

    def __init__(self) -> None:
        super().__init__("CANCELLED", "this client is closed; make a new one")


def failure(error: grpc.RpcError, request_id: str) -> ServiceError:
    """What to raise for what a stub raised."""
    # What a stub raises is a Call too; the stubs have no type for both.
    call: Any = error
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return service_error(status_pb2.Status.FromString(value), request_id)
            except DecodeError:
                break
    return ServiceError(call.code().name, call.details() or "", request_id=request_id)


def service_error(status: status_pb2.Status, request_id: str) -> ServiceError:
    """What a status with details says."""
    info, about, bad = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        for kind in (info, about, bad):
            detail.Unpack(kind)
        has_retry = detail.Unpack(retry) or has_retry
    return ServiceError(
        _STATUS_NAME.get(status.code, "UNKNOWN"),
        status.message,
        reason=info.reason,
        violations=tuple(Violation(violation.field, violation.description) for violation in bad.field_violations),
        request_id=about.request_id or request_id,
        retry_after=retry.retry_delay.ToNanoseconds() / 1e9 if has_retry else None,
    )
