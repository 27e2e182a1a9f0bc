"""One call on its way through a batch of calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from recocore.service.call import Call
from recocore.service.endings import Farewell
from recocore.service.security.caller import ADMITTED

if TYPE_CHECKING:
    import asyncio

    from recocore.service.contexts import Context
    from recocore.service.recommending import Asked
    from recocore.service.security.caller import Admitted

# What becomes of a call in its batch: its response, or how it fails, both of which the batch has told of; None for one that
# goes on alone.
Ended: TypeAlias = bytes | Farewell | None

# Stands for the call of an arrival that has not been let in.
_NO_CALL = Call("")


class Arrival:
    """A call that waits for the others of its batch; each step adds what it finds.

    Attributes:
        request: its bytes.
        context: gRPC's, of which nothing has been read.
        admitted: what the guard of the port found; None without one.
        started: when it came in.
        ended: what becomes of it: the response, how it fails, or None where it goes on alone.
        call: what is known of it, once it has been let in.
        min_commit: the commit that it has to wait for; empty for none, None before that is known.
        key: of its answer among those that were given before.
        generation: of the models, when it was looked up there.
        asked: what it asks for, once that is decoded.
        seconds: how long the answer takes.
    """

    __slots__ = (
        *("admitted", "asked", "call", "context", "ended", "generation"),
        *("key", "min_commit", "request", "seconds", "started"),
    )

    def __init__(self, request: bytes, context: Context, ended: asyncio.Future[Ended]) -> None:
        self.request = request
        self.context = context
        self.admitted: Admitted | None = ADMITTED.get()
        self.started = time.perf_counter()
        self.ended = ended
        self.call: Call = _NO_CALL
        self.min_commit: str | None = None
        self.key = request
        self.generation = 0
        self.asked: Asked | None = None
        self.seconds = 0.0

    @property
    def is_let_in(self) -> bool:
        """Whether `call` is known."""
        return self.call is not _NO_CALL

    @property
    def is_told(self) -> bool:
        """Whether its batch has ended it, and told of it."""
        ended = self.ended
        return ended.done() and not ended.cancelled() and ended.result() is not None
