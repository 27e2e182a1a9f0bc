"""How calls end: what their callers, the observer and the log are told."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from recocore.service import convert
from recocore.service.logs import LOGGER, Pseudonyms, log, places
from recocore.service.problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import NoReturn

    from recocore.service.call import Call
    from recocore.service.contexts import Context
    from recocore.service.observe.observer import CallObserver
    from recocore.service.problems import Problem

# The status, the message and the metadata that a call ends with.
Farewell: TypeAlias = tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]

_DETAILS_KEY = "grpc-status-details-bin"


class Endings:
    """Tells of calls that end.

    Args:
        observer: is told of calls.
        pseudonyms: names users in the log.
    """

    def __init__(self, observer: CallObserver, pseudonyms: Pseudonyms) -> None:
        self._observer = observer
        self._pseudonyms = pseudonyms

    def of(self, method: str, call: Call, started: float) -> Ending:
        """Tells how the work on a call ends that is done within: see `Ending`."""
        return Ending(self, self._observer, method, call, started)

    def answered(self, method: str, calls: Sequence[Call], started: Sequence[float]) -> None:
        """Tell of calls that have their answers now, and of when they came in."""
        now = time.perf_counter()
        self._observer.finished_all(method, "OK", [now - each for each in started], calls)
        if LOGGER.isEnabledFor(logging.DEBUG):
            for call, each in zip(calls, started, strict=True):
                self.log(logging.DEBUG, method, call, each, status="OK")

    def failed(self, method: str, call: Call, started: float, error: Exception) -> Problem:
        """Tell of a call that ended with an error, and give what its caller is to be told."""
        problem = self.seen(error)
        self.log_problem(method, call, started, problem, error)
        self._observer.finished(method, problem.status, time.perf_counter() - started, call.hosted, call)
        return problem

    def seen(self, error: Exception) -> Problem:
        """What to tell of an error; the observer hears of calls that are turned away."""
        problem = problem_of(error)
        if problem.retry_after is not None:
            self._observer.shed(problem.reason)
        return problem

    def log_problem(self, method: str, call: Call, started: float, problem: Problem, error: Exception) -> None:
        """Log a call that failed: the cause only where it is the server's fault."""
        about = {"status": problem.status, "reason": problem.reason}
        if problem.is_server_fault:
            self.log(logging.ERROR, method, call, started, **about, error=places(error))
        else:
            self.log(logging.INFO, method, call, started, **about)

    def log(self, level: int, method: str, call: Call, started: float, **fields: Any) -> None:
        """Log a call that has ended."""
        if LOGGER.isEnabledFor(level):
            log(
                level,
                "call",
                method=method,
                request_id=call.request_id,
                caller=call.who or None,
                user=self._pseudonyms.of(call.user_id) if call.user_id else None,
                placement=call.placement or None,
                milliseconds=round((time.perf_counter() - started) * 1e3, 3),
                **fields,
            )


class Ending:
    """A context manager around the work on one call, which keeps the problem that ends it; what is no problem goes on."""

    __slots__ = ("_call", "_endings", "_method", "_observer", "_problem", "_started")

    def __init__(self, endings: Endings, observer: CallObserver, method: str, call: Call, started: float) -> None:
        self._endings = endings
        self._observer = observer
        self._method = method
        self._call = call
        self._started = started
        self._problem: Problem | None = None

    def __enter__(self) -> Ending:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        call, about = self._call, (self._method, self._call, self._started)
        if isinstance(error, Exception):
            self._problem = self._endings.failed(*about, error)
            return True
        # What is no error of ours ends the task: gRPC cancels it.
        status = "OK" if error is None else call.give_up()
        self._endings.log(logging.DEBUG, *about, status=status)
        self._observer.finished(self._method, status, time.perf_counter() - self._started, call.hosted, call)
        return False

    async def abort(self, context: Context) -> NoReturn:
        """Tell the caller of the problem that ended the work."""
        assert self._problem is not None
        await abort(context, self._problem, self._call.request_id)


async def abort(context: Context, problem: Problem, request_id: str) -> NoReturn:
    """End a call with a problem."""
    await context.abort(*farewell(problem, request_id))


def farewell(problem: Problem, request_id: str) -> Farewell:
    """What `abort` of a context takes to tell a caller of a problem."""
    details = convert.encode_problem(problem, request_id)
    return grpc.StatusCode[problem.status], problem.message, ((_DETAILS_KEY, details),)
