"""The observer that counts: calls and what happens around them, on this process's board."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from recocore.service.observe import families
from recocore.service.observe.observer import CallObserver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.service.call import Call
    from recocore.service.observe.board import Board
    from recocore.service.observe.observer import ServedBy


class Histogram:
    """The rows of one histogram: a count for each bucket, not cumulative, and the sum."""

    __slots__ = ("_board", "_bounds", "_buckets", "_sum")

    def __init__(self, board: Board, name: str, **labels: str) -> None:
        self._board = board
        self._bounds = families.COUNTED[name].buckets
        bounds = [*map(repr, self._bounds), "+Inf"]
        self._buckets = [board.row(f"{name}_bucket", **labels, le=bound) for bound in bounds]
        self._sum = board.row(f"{name}_sum", **labels)

    def observe(self, value: float) -> None:
        """Count a value; the board's lock is held."""
        values = self._board.values
        values[self._buckets[bisect_left(self._bounds, value)]] += 1
        values[self._sum] += value

    def observe_all(self, values: Sequence[float]) -> None:
        """Count values; the board's lock is held."""
        bounds, buckets, counts = self._bounds, self._buckets, self._board.values
        for value in values:
            counts[buckets[bisect_left(bounds, value)]] += 1
        counts[self._sum] += sum(values)


class CountingObserver(CallObserver):
    """Counts on a board. A call costs 2.8 us: its start, its way through the queue and its end."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._calls: dict[tuple[str, str], tuple[int, Histogram]] = {}
        self._seconds: dict[str, Histogram] = {}
        self._served: dict[tuple[str, str, str, str], int] = {}
        self._shed: dict[str, int] = {}
        self._denied: dict[str, int] = {}
        self._in_flight = board.row(families.IN_FLIGHT)
        self._queued = board.row(families.QUEUED)
        self._hits = board.row(families.CACHE, result="hit")
        self._misses = board.row(families.CACHE, result="miss")
        self._batches = Histogram(board, families.BATCH)
        self._load_seconds = Histogram(board, families.LOAD_SECONDS)
        self._load_failures = board.row(families.LOAD_FAILURES)
        self._swaps = board.row(families.SWAPS)
        self._overlap = Histogram(board, families.OVERLAP)
        self._shadow_failures = board.row(families.SHADOW_FAILURES)
        self._events = [board.row(families.EVENTS, result=result) for result in ("recorded", "duplicate", "refused")]
        self._events_waiting = board.row(families.EVENTS_WAITING)
        self._commit_seconds = Histogram(board, families.COMMIT_SECONDS)
        self._forgotten = board.row(families.FORGOTTEN)
        self._profiles = {
            made: board.row(families.PROFILES, result="made" if made else "kept") for made in (True, False)
        }
        # A process that died in this one's place had calls in flight; they ended with it.
        with board.lock:
            board.values[self._in_flight] = board.values[self._queued] = board.values[self._events_waiting] = 0.0

    def started(self) -> None:
        """See CallObserver."""
        self._board.add(self._in_flight)

    def finished(self, method: str, status: str, seconds: float, hosted: ServedBy | None, call: Call) -> None:
        """See CallObserver."""
        board = self._board
        row, histogram = self._calls.get((method, status)) or self._new_calls(method, status)
        served = None if hosted is None else self._row_of_model(hosted, status)
        with board.lock:
            board.values[self._in_flight] -= 1
            board.values[row] += 1
            histogram.observe(seconds)
            if served is not None:
                board.values[served] += 1

    def finished_all(self, method: str, status: str, seconds: Sequence[float], calls: Sequence[Call]) -> None:
        """See CallObserver."""
        board = self._board
        row, histogram = self._calls.get((method, status)) or self._new_calls(method, status)
        served: dict[int, int] = {}
        for call in calls:
            if (hosted := call.hosted) is not None:
                model = self._row_of_model(hosted, status)
                served[model] = served.get(model, 0) + 1
        with board.lock:
            values = board.values
            values[self._in_flight] -= len(calls)
            values[row] += len(calls)
            histogram.observe_all(seconds)
            for model, count in served.items():
                values[model] += count

    def queued(self, change: int) -> None:
        """See CallObserver."""
        self._board.add(self._queued, change)

    def shed(self, reason: str) -> None:
        """See CallObserver."""
        row = self._shed.get(reason)
        if row is None:
            row = self._shed[reason] = self._board.row(families.SHED, reason=reason)
        self._board.add(row)

    def denied(self, reason: str) -> None:
        """See CallObserver."""
        row = self._denied.get(reason)
        if row is None:
            row = self._denied[reason] = self._board.row(families.DENIED, reason=reason)
        self._board.add(row)

    def looked_up(self, *, hits: int, misses: int) -> None:
        """See CallObserver."""
        with self._board.lock:
            self._board.values[self._hits] += hits
            self._board.values[self._misses] += misses

    def batched(self, calls: int) -> None:
        """See CallObserver."""
        with self._board.lock:
            self._batches.observe(calls)

    def recording(self, change: int) -> None:
        """See CallObserver."""
        self._board.add(self._events_waiting, change)

    def recorded(self, accepted: int, duplicates: int, refused: int) -> None:
        """See CallObserver."""
        with self._board.lock:
            for row, count in zip(self._events, (accepted, duplicates, refused), strict=True):
                self._board.values[row] += count

    def committed(self, seconds: float) -> None:
        """See CallObserver."""
        with self._board.lock:
            self._commit_seconds.observe(seconds)

    def profiled(self, *, made: bool) -> None:
        """See CallObserver."""
        self._board.add(self._profiles[made])

    def forgot(self) -> None:
        """See CallObserver."""
        self._board.add(self._forgotten)

    def loaded(self, seconds: float) -> None:
        """See CallObserver."""
        with self._board.lock:
            self._load_seconds.observe(seconds)

    def load_failed(self) -> None:
        """See CallObserver."""
        self._board.add(self._load_failures)

    def swapped(self) -> None:
        """See CallObserver."""
        self._board.add(self._swaps)

    def shadowed(self, overlap: float | None) -> None:
        """See CallObserver."""
        if overlap is None:
            self._board.add(self._shadow_failures)
        else:
            with self._board.lock:
                self._overlap.observe(overlap)

    def _new_calls(self, method: str, status: str) -> tuple[int, Histogram]:
        if method not in self._seconds:
            self._seconds[method] = Histogram(self._board, families.CALL_SECONDS, method=method)
        made = self._board.row(families.CALLS, method=method, status=status), self._seconds[method]
        self._calls[method, status] = made
        return made

    def _row_of_model(self, hosted: ServedBy, status: str) -> int:
        key = (hosted.alias, hosted.experiment, hosted.variant, status)
        row = self._served.get(key)
        if row is None:
            alias, experiment, variant, _ = key
            labels = {"alias": alias, "experiment": experiment, "variant": variant, "status": status}
            row = self._served[key] = self._board.row(families.MODEL_CALLS, **labels)
        return row
