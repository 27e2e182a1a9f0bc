"""Events of the state that count for fraud: its log is followed from where the last look ended, each event once."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from recocore.errors import InvalidArgumentError, NotFoundError, RecocoreError
from recocore.service.logs import log
from recocore.state import KeyFile, StateReader
from recocore.state.rows import FIELDS, unpack

if TYPE_CHECKING:
    from recocore.fraud import FraudModel
    from recocore.fraud.ledger import FraudDesk
    from recocore.service.events.config import StateConfig
    from recocore.state.tail import LogTail

# Events that count before decisions have their turn: some milliseconds.
_TOGETHER: Final = 64
# How soon an event counts after it was recorded.
_PAUSE_SECONDS: Final = 0.1
_pack = msgspec.msgpack.Encoder().encode


def check_follow(model: FraudModel, state_path: str) -> None:
    """Refuse to follow where there is nothing to follow.

    Raises:
        InvalidArgumentError: the service has no state, or the model decides on every type of event.
    """
    if not state_path:
        raise InvalidArgumentError(
            "follow_events: expected a service with [state] path, got one without; set it, or do not follow",
            field="fraud.follow_events",
        )
    if not model.decide:
        raise InvalidArgumentError(
            "follow_events: expected a model that decides on some types of events, got one that decides on all, which come by "
            "ScoreFraud; set decide when it is fitted, or do not follow",
            field="fraud.follow_events",
        )


class Follower:
    """Counts a state's events at a desk, until it is closed.

    The ledger has each event under its `event_id`, or that of its row in the state's log; so an event that is read again,
    because the process was killed before it noted how far it was, is known and counts no more. What is noted is on the disk
    after what it stands for. Where nothing is noted yet, and in a state that was restored to an earlier time, it begins at the
    state's end.

    Args:
        desk: counts.
        state: where the log is.
    """

    def __init__(self, desk: FraudDesk, state: StateConfig) -> None:
        self._desk, self._state = desk, state
        self._decide = frozenset(desk.model.decide)
        self._reader: StateReader | None = None
        self._tail: LogTail
        self._stop = threading.Event()

    def run(self) -> None:
        """Follow until `stop`; what goes wrong is logged and tried again."""
        said = ""
        while not self._stop.is_set():
            try:
                while self.step() and not self._stop.is_set():
                    pass
                said = ""
            except (RecocoreError, OSError) as error:
                # The owner of the state may be starting.
                if str(error) != said and not isinstance(error, NotFoundError):
                    log(logging.WARNING, "events of the state do not count at the moment", reason=str(error))
                said = str(error)
                self._shut()
            self._stop.wait(_PAUSE_SECONDS)
        self._shut()

    def stop(self) -> None:
        """Have `run` end soon. Safe from any thread."""
        self._stop.set()

    def step(self) -> bool:
        """Count what was recorded since the last step: whether there was something.

        Raises:
            RecocoreError: the state cannot be read, or the ledger not be written; the next step begins anew.
        """
        reader = self._reader or self._open()
        until, before = reader.commit, self._tail.commit
        if until <= before:
            return False
        waiting: list[bytes] = []
        for frame in self._tail.frames(until):
            for row, plain in reader.opened(frame):
                event = _event(plain, row.payload)
                if event is not None and event["type"] not in self._decide:
                    waiting.append(_pack(event))
            if len(waiting) >= _TOGETHER:
                self._count(waiting)
                waiting = []
            if self._stop.is_set():
                break
        self._count(waiting)
        self._desk.note_followed(self._tail.commit)
        return self._tail.commit > before

    def _count(self, rows: list[bytes]) -> None:
        for begin in range(0, len(rows), _TOGETHER):
            # What the desk refuses is older than what it keeps.
            self._desk.score(rows[begin : begin + _TOGETHER], durable=False)

    def _open(self) -> StateReader:
        keys = KeyFile.open(self._state.keys) if self._state.keys else None
        reader = StateReader.open(self._state.path, keys=keys)
        try:
            noted = self._desk.followed
            if noted is None or noted > reader.commit:
                self._desk.note_followed(noted := reader.commit)
            self._tail = reader.tail(noted)
        except BaseException:
            reader.close()
            raise
        self._reader = reader
        return reader

    def _shut(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def _event(plain: bytes, payload: bytes) -> dict[str, Any] | None:
    """An event of the state as the desk takes it; None of a visitor, whom no decision knows."""
    event = {name: value for name, value in zip(FIELDS, unpack(plain), strict=False) if value is not None}
    if "user_id" not in event:
        return None
    # The nonce of its row is its own.
    event.setdefault("event_id", f"state-{payload[:12].hex()}")
    return event
