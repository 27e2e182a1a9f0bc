"""From an exception to what the caller is told.

The status comes from the exception's `grpc_status` and the reason from its `code`: recocore.errors is the one table. An
error that is the server's own fault says no more than the request id; its cause is for the log.
"""

from __future__ import annotations

from dataclasses import dataclass

from recocore.errors import InvalidArgumentError, OverloadedError, OwnerUnavailableError, RecocoreError, StorageError
from recocore.service.events.problems import CommitNotSeenError
from recocore.service.limits import MAX_MESSAGE_BYTES

# Reasons that are faults of the server: their messages may name files and internals, so they stay in the log.
_SERVER_FAULTS = frozenset({"INTERNAL", "CORRUPT", "DEVICE", "FAILED_PRECONDITION"})

# gRPC sends messages and details as headers, of which a peer takes 8 KiB: with every character escaped this fits.
_MAX_MESSAGE_CHARS = 240
_MAX_VIOLATIONS = 12
# The time in which a server that is full is likely to have finished some calls.
RETRY_AFTER_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field.

    Attributes:
        field: its path in the proto, such as `candidate_item_ids[3]`.
        description: what was expected and what came.
    """

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What a caller is told of a failed call.

    Attributes:
        status: name of a gRPC status code.
        reason: the same in our own terms, upper case.
        message: for people.
        violations: the fields at fault, where the request is.
        retry_after: seconds after which the same call may succeed; None where it will not.
        quota: whose quota is used up, where one is: `field` names the caller.
    """

    status: str
    reason: str
    message: str
    violations: tuple[Violation, ...] = ()
    retry_after: float | None = None
    quota: tuple[Violation, ...] = ()

    @property
    def is_server_fault(self) -> bool:
        """Whether somebody should look into the server's log."""
        return self.reason in _SERVER_FAULTS


class InvalidRequestError(InvalidArgumentError):
    """Fields of a request break their limits; `violations` has each of them."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        first = violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(f"{first.field}: {first.description}{more}", field=first.field)
        self.violations = violations[:_MAX_VIOLATIONS]


class MalformedRequestError(InvalidArgumentError):
    """The bytes of a request are not the message that the method takes."""

    code = "malformed_request"


class TooManyCallsError(RecocoreError):
    """The server runs as many calls as it admits."""

    code = "too_many_calls"
    grpc_status = "RESOURCE_EXHAUSTED"
    retry_after = RETRY_AFTER_SECONDS


class RateLimitedError(RecocoreError):
    """One caller calls more often than it may."""

    code = "rate_limited"
    grpc_status = "RESOURCE_EXHAUSTED"

    def __init__(self, caller: str, rate: float, retry_after: float) -> None:
        super().__init__(f"this caller may make {rate:g} calls a second; retry in {retry_after:.3f} s")
        self.caller = caller
        self.retry_after = retry_after


class PageExpiredError(RecocoreError):
    """The model that a page token belongs to is no longer there."""

    code = "page_expired"
    grpc_status = "FAILED_PRECONDITION"

    def __init__(self, version: str) -> None:
        super().__init__(
            f"page_token: the model {version} that ranked the pages before is no longer loaded; start again without a token"
        )


class ResponseTooLargeError(RecocoreError):
    """The answer would be larger than a message may be."""

    code = "response_too_large"
    grpc_status = "RESOURCE_EXHAUSTED"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the response would have {size} bytes, at most {MAX_MESSAGE_BYTES} are sent; ask for fewer items or users"
        )


class StoppingError(RecocoreError):
    """The server stops, and the call took longer than the grace it gives."""

    code = "stopping"
    grpc_status = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("the server stopped before the answer was ready; ask another, or retry later")


class DeadlineError(RecocoreError):
    """The call's deadline passed before its answer was ready."""

    code = "deadline_exceeded"
    grpc_status = "DEADLINE_EXCEEDED"


# A queue is shorter soon, an owner of a state is started again in a fraction of a second, and a disk is not emptied at once.
_RETRY_AFTER: dict[type[RecocoreError], float] = {
    OverloadedError: RETRY_AFTER_SECONDS,
    OwnerUnavailableError: 0.2,
    CommitNotSeenError: 0.2,
    StorageError: 1.0,
}


def problem_of(error: Exception) -> Problem:
    """What to tell a caller about an exception."""
    if not isinstance(error, RecocoreError) or error.code.upper() in _SERVER_FAULTS:
        status, reason = ("INTERNAL", "INTERNAL")
        if isinstance(error, RecocoreError):
            status, reason = error.grpc_status, error.code.upper()
        return Problem(status, reason, "the server failed; its log has the cause under the request id of this error")
    return Problem(
        status=error.grpc_status,
        reason=error.code.upper(),
        message=_shorten(str(error)),
        violations=_violations(error),
        retry_after=_retry_after(error),
        quota=_quota(error),
    )


def _retry_after(error: RecocoreError) -> float | None:
    if isinstance(error, TooManyCallsError | RateLimitedError):
        return error.retry_after
    return next((seconds for kind, seconds in _RETRY_AFTER.items() if isinstance(error, kind)), None)


def _violations(error: RecocoreError) -> tuple[Violation, ...]:
    if isinstance(error, InvalidRequestError):
        return error.violations
    if isinstance(error, InvalidArgumentError) and error.field:
        return (Violation(error.field, _shorten(str(error))),)
    return ()


def _quota(error: RecocoreError) -> tuple[Violation, ...]:
    return (Violation(error.caller, str(error)),) if isinstance(error, RateLimitedError) else ()


def _shorten(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE_CHARS else f"{message[:_MAX_MESSAGE_CHARS]}..."
