"""Calls of gRPC's contexts: what the headers of a call say, and who calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.service.call import Call, request_id, request_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    import grpc

    from recocore.service.rate_limits import RateLimiter
    from recocore.service.security.caller import Admitted

    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_REQUEST_ID_KEY = "x-request-id"
_TRACE_KEY = "traceparent"
_KEYS = frozenset({_REQUEST_ID_KEY, _TRACE_KEY})


class Contexts:
    """Makes calls of contexts.

    Args:
        limiter: says whose calls a call counts among, where these are limited.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    def call(self, context: Context, admitted: Admitted | None) -> Call:
        """The call of a context; `admitted` is what the guard of the port found, None without one."""
        return self._call(context, admitted, None)

    def calls(self, contexts: Sequence[tuple[Context, Admitted | None]]) -> list[Call]:
        """`call` of each: their new request ids are drawn at once."""
        return [self._call(*each, id_) for each, id_ in zip(contexts, request_ids(len(contexts)), strict=True)]

    def _call(self, context: Context, admitted: Admitted | None, new_id: str | None) -> Call:
        metadata = context.invocation_metadata() or ()
        given = trace = None
        for key, value in metadata:
            if key in _KEYS and isinstance(value, str):
                if key == _TRACE_KEY:
                    trace = value if trace is None else trace
                elif given is None:
                    given = value
        caller = who = ""
        if admitted is not None and admitted.caller.name:
            caller, who = admitted.caller.name, admitted.caller.pseudonym
        elif self._limiter.is_limiting:
            caller = self._limiter.caller(context.peer(), metadata)
        id_ = new_id if given is None and new_id is not None else request_id(given)
        return Call(id_, context.time_remaining(), trace, caller, who)
