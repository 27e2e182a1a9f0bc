"""What the code that answers calls tells of them: whom it tells, by default nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.service.call import Call


class ServedBy(Protocol):
    """Which model answered: what observers read of `recocore.service.hosting.Hosted`."""

    @property
    def version(self) -> str:
        """The version of the index."""
        ...

    @property
    def alias(self) -> str:
        """The alias that the version was picked by; empty for none."""
        ...

    @property
    def experiment(self) -> str:
        """The experiment that the call belongs to; empty for none."""
        ...

    @property
    def variant(self) -> str:
        """The variant of the experiment; empty for none."""
        ...


class CallObserver:
    """Hears of calls and of what happens around them, and does nothing; subclasses do what they are for.

    Every method is quick, safe from any thread, and never raises.
    """

    def started(self) -> None:
        """A call came in."""

    def finished(self, method: str, status: str, seconds: float, hosted: ServedBy | None, call: Call) -> None:
        """A call that had started has ended, however it did.

        Args:
            method: its name in the proto.
            status: name of its gRPC status.
            seconds: from when it came in to when its answer was handed to the transport.
            hosted: what answered; None where nothing did.
            call: its ids.
        """

    def finished_all(self, method: str, status: str, seconds: Sequence[float], calls: Sequence[Call]) -> None:
        """`finished` of calls of one method that ended together and alike; each says what answered it."""
        for each, call in zip(seconds, calls, strict=True):
            self.finished(method, status, each, call.hosted, call)

    def queued(self, change: int) -> None:
        """So many more calls wait for a thread (or fewer, below zero)."""

    def shed(self, reason: str) -> None:
        """A call was turned away to be sent again later; `reason` is the problem's."""

    def denied(self, reason: str) -> None:
        """A call had no leave: `no_credential`, `bad_credential` or `no_role`."""

    def looked_up(self, *, hits: int, misses: int) -> None:
        """The cache of responses had so many answers, and had so many not."""

    def batched(self, calls: int) -> None:
        """So many calls were ranked together."""

    def recording(self, change: int) -> None:
        """So many more events wait for the owner of the state (or fewer, below zero)."""

    def recorded(self, accepted: int, duplicates: int, refused: int) -> None:
        """What became of the events of a call."""

    def committed(self, seconds: float) -> None:
        """The owner of the state acknowledged the events of a call after so long."""

    def forgot(self) -> None:
        """Somebody was forgotten."""

    def profiled(self, *, made: bool) -> None:
        """A profile was given: made for the call, or again."""

    def loaded(self, seconds: float) -> None:
        """A version of the model was loaded and warmed up in a worker."""

    def load_failed(self) -> None:
        """A version of the model was refused; what served before serves on."""

    def swapped(self) -> None:
        """An alias answers from another version from now on."""

    def shadowed(self, overlap: float | None) -> None:
        """A shadow model ranked a call too: the share of items that both lists have, or None where it failed."""

    def close(self) -> None:
        """The process ends: nothing more will be told."""


class Observers(CallObserver):
    """Tells several observers."""

    __slots__ = ("_all",)

    def __init__(self, observers: Sequence[CallObserver] = ()) -> None:
        self._all = tuple(observers)

    def started(self) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.started()

    def finished(self, method: str, status: str, seconds: float, hosted: ServedBy | None, call: Call) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.finished(method, status, seconds, hosted, call)

    def finished_all(self, method: str, status: str, seconds: Sequence[float], calls: Sequence[Call]) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.finished_all(method, status, seconds, calls)

    def queued(self, change: int) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.queued(change)

    def shed(self, reason: str) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.shed(reason)

    def denied(self, reason: str) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.denied(reason)

    def looked_up(self, *, hits: int, misses: int) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.looked_up(hits=hits, misses=misses)

    def batched(self, calls: int) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.batched(calls)

    def recording(self, change: int) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.recording(change)

    def recorded(self, accepted: int, duplicates: int, refused: int) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.recorded(accepted, duplicates, refused)

    def committed(self, seconds: float) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.committed(seconds)

    def profiled(self, *, made: bool) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.profiled(made=made)

    def forgot(self) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.forgot()

    def loaded(self, seconds: float) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.loaded(seconds)

    def load_failed(self) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.load_failed()

    def swapped(self) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.swapped()

    def shadowed(self, overlap: float | None) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.shadowed(overlap)

    def close(self) -> None:
        """See CallObserver."""
        for observer in self._all:
            observer.close()
