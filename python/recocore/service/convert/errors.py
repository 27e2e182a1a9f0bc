"""Encodes problems as google.rpc.Status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from recocore.service.problems import Problem

_DOMAIN = "recocore"


def encode_problem(problem: Problem, request_id: str) -> bytes:
    """A google.rpc.Status with the details of a problem."""
    return bytes(status_of(problem, request_id).SerializeToString())


def status_of(problem: Problem, request_id: str) -> status_pb2.Status:
    """The same as a message."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=problem.reason, domain=_DOMAIN),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if problem.violations:
        bad_request = error_details_pb2.BadRequest()
        for violation in problem.violations:
            bad_request.field_violations.add(field=violation.field, description=violation.description)
        details.append(bad_request)
    if problem.quota:
        quota_failure = error_details_pb2.QuotaFailure()
        for violation in problem.quota:
            quota_failure.violations.add(subject=violation.field, description=violation.description)
        details.append(quota_failure)
    if problem.retry_after is not None:
        retry_info = error_details_pb2.RetryInfo()
        retry_info.retry_delay.FromNanoseconds(round(problem.retry_after * 1e9))
        details.append(retry_info)
    status = status_pb2.Status(code=StatusCode[problem.status].value[0], message=problem.message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status
