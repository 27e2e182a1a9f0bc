"""Velocity: features of each event from those before it, the same in batches and one by one."""

from __future__ import annotations

import math
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from recocore import _native
from recocore.data.events import as_events
from recocore.data.times import to_us
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.fraud.velocity.columns import event_times, hashed, hashed_columns, number_columns
from recocore.fraud.velocity.specs import VelocitySpec
from recocore.storage import load_arrays, save_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from recocore.types import Float64Array

_KIND: Final = "recocore.velocity"
_MICROSECOND: Final = timedelta(microseconds=1)


class Velocity:
    """Windowed counters by key: count, sum, mean, min, max, distinct and ratio of the events before each event.

    Events are taken in the order of the log. The features of an event are those just before it: of earlier events of
    its key, events of the same time that stand before it included, itself not (`including=True` counts it too). A
    key's clock is the latest event time that it has seen and never goes back; an event of time t is in a window w
    while clock - w < t. A late event enters the windows that still cover its own time, and its features are those at
    its key's clock. Nothing depends on the hour at which it runs, so the same log gives the same features, online and
    offline, in whatever batches.

    Windows up to `exact_window` keep the time of every event. Longer ones, and a key's window beyond `exact_events`
    different times, count in tiles of window / `tiles`, aligned to 1970: all events of the window, and some that are up
    to one tile older. Sums are of whole millionths, exact in every order; a number beyond 1e12 either way is missing.
    Distinct is exact up to `max_distinct`, and never says more.

    When `memory_bytes` (an equal share for each entity) is used up, the key that was seen least recently is forgotten;
    its counters begin anew. Ids are hashed with a secret key (SipHash-1-3, 64 bits), so nobody can choose ids that
    collide; two of 10 million ids collide by chance once in 400,000 logs.

    Args:
        specs: the counters, as `VelocitySpec` or in words.
        including: whether an event's features count the event itself.
        exact_window: the longest window that keeps the time of every event.
        exact_events: different times that such a window holds at most; 1 to 1,048,576.
        tiles: parts of a longer window; 1 to 65,536.
        max_distinct: ids that a distinct counter remembers; 1 to 65,536.
        memory_bytes: at least 1 MiB for each entity.
        clock_skew: an event that claims a later time than its `known_time` plus this counts at that time; a clock that
            runs ahead so cannot push its key's windows into the future. Without `known_time` the event is believed.
        hash_key: 16 secret bytes; drawn where none are given.

    Raises:
        InvalidArgumentError: an argument is out of range, or two counters have one name.

    Example:
        >>> import pyarrow as pa
        >>> from recocore.data import EventBatch
        >>> log = {"user_id": ["ann", "bob", "ann"], "item_id": [1, 2, 3], "device": ["d1", "d1", "d1"],
        ...        "value": [10.0, 20.0, 60.0], "event_time": [0, 60, 120]}
        >>> events = EventBatch.from_arrow(pa.table(log), time_unit="s")
        >>> velocity = Velocity(["count by user_id over 1h", "ratio value by user_id over 7d",
        ...                      "distinct user_id by device over 1d"])
        >>> velocity.names
        ('count_by_user_id_1h', 'ratio_value_by_user_id_1w', 'distinct_user_id_by_device_1d')
        >>> velocity.update(events).tolist()
        [[0.0, nan, 0.0], [0.0, nan, 1.0], [1.0, 6.0, 2.0]]
    """

    def __init__(
        self,
        specs: Sequence[VelocitySpec | str],
        *,
        including: bool = False,
        exact_window: timedelta = timedelta(hours=1),
        exact_events: int = 256,
        tiles: int = 64,
        max_distinct: int = 128,
        memory_bytes: int = 1 << 30,
        clock_skew: timedelta = timedelta(minutes=5),
        hash_key: bytes | None = None,
    ) -> None:
        if isinstance(specs, str):
            raise InvalidArgumentError(f"specs: expected a list of counters, got the text {specs!r}", field="specs")
        self.specs = tuple(spec if isinstance(spec, VelocitySpec) else VelocitySpec.parse(spec) for spec in specs)
        self.names = tuple(spec.name for spec in self.specs)
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if not self.specs or twice:
            raise InvalidArgumentError(
                f"specs: expected different counters, got {'twice ' + ', '.join(twice) if twice else 'none'}",
                field="specs",
            )
        if clock_skew < timedelta(0):
            raise InvalidArgumentError(f"clock_skew: expected at least 0, got {clock_skew}", field="clock_skew")
        entities = list(dict.fromkeys(spec.entity for spec in self.specs))
        counted = [spec.column for spec in self.specs if spec.column is not None and spec.statistic == "distinct"]
        self._ids = tuple(dict.fromkeys([*(name for entity in entities for name in entity), *counted]))
        self._numbers = tuple(
            dict.fromkeys(spec.column for spec in self.specs if spec.column and spec.statistic != "distinct")
        )
        self.skew_us = clock_skew // _MICROSECOND
        self._settings: dict[str, Any] = {
            "including": including,
            "exact_window": exact_window // _MICROSECOND,
            "exact_events": exact_events,
            "tiles": tiles,
            "max_distinct": max_distinct,
            "memory_bytes": memory_bytes,
        }
        self._hash_key = secrets.token_bytes(16) if hash_key is None else hash_key
        self._native = _native.Velocity(
            id_columns=len(self._ids),
            number_columns=len(self._numbers),
            tables=[[self._ids.index(name) for name in entity] for entity in entities],
            counters=[
                (
                    entities.index(spec.entity),
                    spec.window // _MICROSECOND,
                    spec.statistic,
                    self._column(spec),
                    list(spec.types),
                )
                for spec in self.specs
            ],
            hash_key=self._hash_key,
            **self._settings,
        )

    def _column(self, spec: VelocitySpec) -> int:
        if spec.column is None:
            return 0
        return (self._ids if spec.statistic == "distinct" else self._numbers).index(spec.column)

    def update(self, events: Any) -> Float64Array:
        """Take events in and give the features of each, `[events, counters]` in the order of `names`.

        NaN is a missing feature: of all counters of a key that the event lacks (a column that the batch came without
        is missing everywhere), and of mean, min, max and ratio where the window holds no number. O(counters) an event.

        Args:
            events: a batch, or what `EventBatch.from_arrow` takes.

        Raises:
            InvalidArgumentError: the batch has no `event_time`, or an event without one; nothing is taken in then.
        """
        events = as_events(events)
        return self._native.update(
            hashed_columns(self._native, events, self._ids),
            event_times(events, self.skew_us),
            number_columns(events, self._numbers),
            hashed(self._native, events.column("type")),
        )

    def update_one(self, event: Mapping[str, Any]) -> list[float]:
        """Take one event in and give its features: the same as `update` of a batch of this one, in a few microseconds.

        Args:
            event: columns of the event schema by name; None, or no such key, is missing. Times are datetimes with a
                zone or microseconds since 1970.

        Raises:
            InvalidArgumentError: the event has no `event_time`, or a value is of another type.
        """
        time = to_us(event.get("event_time"), "event_time")
        if (known := event.get("known_time")) is not None:
            time = min(time, to_us(known, "known_time") + self.skew_us)
        try:
            numbers = [math.nan if (n := event.get(name)) is None else float(n) for name in self._numbers]
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidArgumentError(f"event: expected numbers in {', '.join(self._numbers)}: {error}") from None
        return self._native.update_one(tuple(map(event.get, self._ids)), time, numbers, event.get("type"))

    @property
    def keys(self) -> int:
        """Keys held, of all entities together."""
        return self._native.keys()

    @property
    def evicted(self) -> int:
        """Keys forgotten for want of memory."""
        return self._native.evicted()

    @property
    def memory_used(self) -> int:
        """Bytes that are counted against `memory_bytes`; the allocator may hold up to twice as much."""
        return self._native.bytes()

    def describe(self) -> dict[str, Any]:
        """Specs and settings, as JSON holds them: what `described` makes an empty one from, the hash key apart."""
        return {"specs": [str(spec) for spec in self.specs], "clock_skew": self.skew_us, **self._settings}

    @classmethod
    def described(cls, about: Mapping[str, Any], hash_key: bytes | None = None) -> Self:
        """An empty one with what `describe` said."""
        settings = dict(about)
        spans = {name: settings.pop(name) * _MICROSECOND for name in ("exact_window", "clock_skew")}
        return cls(settings.pop("specs"), **spans, **settings, hash_key=hash_key)

    def save(self, path: str | os.PathLike[str], *, with_key: bool = True) -> None:
        """Write a checkpoint, a folder that must not be there.

        Args:
            path: the folder.
            with_key: keep the hash key in it: it is as private as the ids then. Without, `load` has to be given the key.

        Raises:
            OSError: the file system refuses; nothing is left behind.
        """
        about: dict[str, Any] = {"velocity": self.describe()}
        if with_key:
            about["hash_key"] = self._hash_key.hex()
        save_arrays(Path(path), _KIND, about, {"state": self._native.state().view(np.int8)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], hash_key: bytes | None = None) -> Self:
        """Continue from a checkpoint: the next events get the features that they would have got without the break.

        Args:
            path: the folder.
            hash_key: of a checkpoint that was written without it.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged, foreign or newer.
        """
        folder = load_arrays(Path(path), _KIND)
        try:
            key = bytes.fromhex(folder.about["hash_key"]) if hash_key is None else hash_key
            made = cls.described(folder.about["velocity"], key)
            state = np.ascontiguousarray(folder.arrays["state"]).view(np.uint8)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptError(f"{path}: expected a checkpoint of Velocity: {error}") from error
        made._native.restore(state)
        return made
