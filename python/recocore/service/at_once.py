"""Calls of a method that is answered in microseconds: those that arrive together are answered step by step, on the event loop.

A call that has to wait for something, such as a commit, goes on alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from recocore.service.gathered import Gathered, open_ones

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.service.arrival import Arrival
    from recocore.service.call import Call
    from recocore.service.config import ServerConfig
    from recocore.service.contexts import Contexts
    from recocore.service.endings import Endings
    from recocore.service.observe.observer import CallObserver
    from recocore.service.running import Running


class AtOnceMethod(Protocol):
    """A method that answers many requests in one go."""

    def answer_now(self, requests: Sequence[bytes], calls: Sequence[Call]) -> Sequence[bytes | Exception | None]:
        """The response to each request, how it fails, or None where it has to wait for something.

        May stop early, after the first at the earliest: the others then come again.
        """

    async def answer(self, request: bytes, call: Call) -> bytes:
        """The response to one request, whatever it has to wait for."""


class AtOnce(Gathered):
    """Answers the calls of one method; used on one event loop.

    Args:
        name: of the method.
        method: what answers.
        config: how many make a batch.
        running: who is let in.
        contexts: makes calls.
        endings: tells of them.
        observer: is told of calls.
    """

    def __init__(
        self,
        name: str,
        method: AtOnceMethod,
        config: ServerConfig,
        running: Running,
        contexts: Contexts,
        endings: Endings,
        observer: CallObserver,
    ) -> None:
        super().__init__(name, config.max_batch, running, contexts, endings, observer)
        self._method = method
        self._run = running.awaited(method.answer, enters=False)

    async def _answer_alone(self, arrival: Arrival) -> bytes:
        return await self._run(arrival.request, arrival.call)

    def _answer_batch(self, arrivals: list[Arrival]) -> Sequence[Arrival]:
        self._let_in([arrival for arrival in arrivals if not arrival.is_let_in])
        arrivals = open_ones(arrivals)
        slots = self._running.free_slots
        for arrival in arrivals[slots:]:
            self._fail(arrival, self._running.too_many())
        arrivals = arrivals[:slots]
        if not arrivals:
            return ()
        answers = self._method.answer_now(
            [arrival.request for arrival in arrivals], [arrival.call for arrival in arrivals]
        )
        given: list[Arrival] = []
        responses: list[bytes] = []
        for arrival, answer in zip(arrivals, answers, strict=False):
            if isinstance(answer, bytes):
                given.append(arrival)
                responses.append(answer)
            elif answer is None:
                arrival.ended.set_result(None)
            else:
                self._fail(arrival, answer)
        self._answered(given, responses)
        return arrivals[len(answers) :]
