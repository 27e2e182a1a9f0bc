"""Encodes problems as google.rpc.Status."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

    from recocore.service.problems import Problem

_DOMAIN = "recocore"


def encode_problem(problem: Problem, request_id: str) -> bytes:
    """A google.rpc.Status with the details of a problem."""
    if problem.violations or problem.quota:
        return bytes(status_of(problem, request_id).SerializeToString())
    before, after = _around(problem)
    return before + _detail(error_details_pb2.RequestInfo(request_id=request_id)) + after


def status_of(problem: Problem, request_id: str) -> status_pb2.Status:
    """The same as a message."""
    details: list[Message] = [_info(problem), error_details_pb2.RequestInfo(request_id=request_id)]
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
        details.append(_retry(problem.retry_after))
    return _status(problem, details)


# A server that is full says the same to many calls: then three quarters of the time are saved.
@functools.lru_cache(maxsize=64)
def _around(problem: Problem) -> tuple[bytes, bytes]:
    """What comes before and after the request id of a call: a message of protocol buffers may be written in parts."""
    before = bytes(_status(problem, [_info(problem)]).SerializeToString())
    return before, b"" if problem.retry_after is None else _detail(_retry(problem.retry_after))


def _info(problem: Problem) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=problem.reason, domain=_DOMAIN)


def _retry(seconds: float) -> error_details_pb2.RetryInfo:
    retry_info = error_details_pb2.RetryInfo()
    retry_info.retry_delay.FromNanoseconds(round(seconds * 1e9))
    return retry_info


def _status(problem: Problem, details: Iterable[Message]) -> status_pb2.Status:
    code = StatusCode[problem.status].value[0]
    return status_pb2.Status(code=code, message=problem.message, details=map(_packed, details))


def _detail(detail: Message) -> bytes:
    return bytes(status_pb2.Status(details=[_packed(detail)]).SerializeToString())


def _packed(detail: Message) -> AnyMessage:
    # As `Pack` does, in a third of its time.
    return AnyMessage(type_url=f"type.googleapis.com/{detail.DESCRIPTOR.full_name}", value=detail.SerializeToString())
