"""Who calls: what credentials say, and where the code that answers a call finds it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recocore.errors import RecocoreError

if TYPE_CHECKING:
    from collections.abc import Callable


class UnauthenticatedError(RecocoreError):
    """A call has no credentials that are good; which part of them is not stays untold."""

    code = "unauthenticated"
    grpc_status = "UNAUTHENTICATED"

    def __init__(self) -> None:
        super().__init__(
            "expected good credentials, got none; send a bearer token in `authorization` or an API key in `x-api-key`"
        )


class NotAllowedError(RecocoreError):
    """A caller may not call the method."""

    code = "permission_denied"
    grpc_status = "PERMISSION_DENIED"

    def __init__(self) -> None:
        super().__init__(
            "the credentials of this call do not allow the method; ask whoever gave them for a role that does"
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as far as credentials say so.

    Attributes:
        name: how it was known, and who: `key:shop`, `token:ann` or `certificate:spiffe://shop/front`.
        pseudonym: what logs and the audit log call it.
        methods: that it may call, such as `/recocore.v1.RecommendationService/Recommend`.
        expires: when the credentials end, seconds since 1970; infinite where they do not.
    """

    name: str
    pseudonym: str
    methods: frozenset[str]
    expires: float


@dataclass(slots=True)
class Admitted:
    """A call that was let in.

    Attributes:
        caller: who calls.
        again: asks anew whether the caller may: for streams, which outlive tokens; raises where it may not.
        request_id: that the audit log has of it; empty where it has none.
    """

    caller: Caller
    again: Callable[[], Caller] = field(repr=False)
    request_id: str = ""


# Set in the task that gRPC runs a call in.
ADMITTED: ContextVar[Admitted | None] = ContextVar("recocore_admitted", default=None)
