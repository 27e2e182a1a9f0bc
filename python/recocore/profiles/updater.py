"""Profiles of a stream: events come in any order, and any moment can be asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore import _native
from recocore.data.schema import DEFAULT_TYPE, EVENT_SCHEMA
from recocore.data.times import to_us
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.ops.arguments import threads
from recocore.profiles.assemble import Names, features, fitted_cuts, send_windows, to_table
from recocore.profiles.columns import NONE, arrow_names, native_events, native_names
from recocore.profiles.config import TAGS_COLUMN, ProfileConfig
from recocore.profiles.cuts import CutPoints
from recocore.profiles.money import DEFAULT_DIGITS, digits_of
from recocore.profiles.one_event import EventReader, user_key
from recocore.profiles.one_row import RowMaker
from recocore.profiles.plan import native_offers, native_plan, send_rule
from recocore.profiles.table import ProfileTable
from recocore.profiles.zones import user_zones, zone
from recocore.storage import load_arrays, save_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from recocore.data.times import Instant
    from recocore.profiles.columns import NativeEvents
    from recocore.profiles.plan import NativeOffers
    from recocore.types import AnyArray, Int32Array, Progress

_FORMAT = "recocore.profiles.updater"
_NO_CUTS = CutPoints()
_STRING, _INTEGER = pa.string(), pa.int64()

# What EventAppender.append says of an event that it took.
_WITHOUT_MONEY, _WITH_MONEY = 1, 2


class Updater:
    """Keeps each user's events, packed into some 40 bytes each, and profiles them as `build` would.

    A profile is a function of the set of events, so order, repeats, late arrivals and refunds need no care:
    `updater.table(as_of)` equals `build(all events so far, as_of, config)`, to the bit. An event is appended in constant
    time; a profile costs as much as its user has events. Calls from several threads take turns.

    Args:
        config: as of `build`. Freeze `cuts` in it for `row` to know what a population decides (scores, level, bands).

    Example:
        >>> from datetime import UTC, datetime
        >>> event = {"user_id": ["ann"], "item_id": ["mug"], "type": ["buy"], "value": [7.5],
        ...          "event_time": [datetime(2026, 3, 1, tzinfo=UTC)]}
        >>> updater = Updater()
        >>> updater.update(pa.table(event))
        1
        >>> updater.row("ann", datetime(2026, 3, 2, tzinfo=UTC))["spend_net"]
        750
    """

    def __init__(self, config: ProfileConfig | None = None) -> None:
        self._config = config or ProfileConfig()
        self._log = _native.ProfileLog(
            len(self._config.dimensions), len(self._config.all_types), self._config.tag_dimension
        )
        # What every row needs, made once.
        self._rows = RowMaker(self._config)
        self._readers: dict[str, tuple[NativeOffers, _native.ProfileReader]] = {}  # by zone
        self._send_rule = send_rule(self._config, () if self._config.cuts is None else self._config.cuts.hours)
        self._user_type: pa.DataType | None = None
        self._currency = self._config.currency
        self._digits: int | None = None  # of the money that is held
        self._offers: tuple[int, NativeOffers] | None = None
        self._events = EventReader(self._config)
        self._appender = _native.EventAppender(
            self._config.all_types,
            EVENT_SCHEMA.names,
            self._config.dimension_columns,
            TAGS_COLUMN,
            self._config.path,
            DEFAULT_TYPE,
        )
        self._lock = threading.Lock()

    @property
    def config(self) -> ProfileConfig:
        """What profiles are made by."""
        return self._config

    def __len__(self) -> int:
        """How many users were met."""
        return int(self._log.count("users"))

    @property
    def n_events(self) -> int:
        """Events held; a repeat counts until its user's events are next looked through."""
        with self._lock:
            return self._log.events()

    @property
    def n_bytes(self) -> int:
        """Memory held: ids, names and packed events."""
        with self._lock:
            return self._log.memory()

    def update(self, events: Any) -> int:
        """Take events in, all or none; returns how many rows they had.

        Raises:
            InvalidArgumentError: as `build`; ids of another type than before; money of another currency than before.
        """
        native = native_events(events, self._config, self._currency)
        with self._lock:
            self._agree(native)
            self._log.append(native.columns, native.vocabularies, _user_names(native.user_ids))
            if len(native.user_ids):
                self._user_type = native.user_ids.type
            self._currency = native.currency
            if _has_money(native):
                self._digits = native.money_digits
        return len(native.columns["users"])

    def record(self, event: Mapping[str, Any]) -> None:
        """Take one event in, as `update` does a batch: some microseconds, for a server that is told one at a time.

        Args:
            event: values by the names of the event schema; what is absent or None is null. `event_time` and `known_time`
                are instants as `as_of` is.

        Raises:
            InvalidArgumentError: as `update`; a name that the schema does not have; a value of another type.

        Example:
            >>> updater = Updater()
            >>> updater.record({"user_id": "ann", "item_id": "mug", "type": "view", "event_time": 1_700_000_000_000_000})
            >>> updater.row("ann", 1_700_000_000_000_001)["count_view"]
            1
        """
        currency = event.get("currency") or None
        known = self._currency
        if currency is not None and known is not None and currency != known:
            if event.get("value") is not None or event.get("price") is not None:
                raise InvalidArgumentError(
                    f"events: expected money of one currency ({known}), got {currency}; convert them to one first",
                    field="currency",
                )
            currency = known
        digits = self._config.money_digits
        if digits is None:
            digits = digits_of(currency or known)
        time = to_us(event.get("event_time"), "event_time")
        known_time = event.get("known_time")
        known_time = NONE if known_time is None else to_us(known_time, "known_time")
        with self._lock:
            kind = _STRING if isinstance(event.get("user_id"), str) else _INTEGER
            taken = 0
            if type(event) is dict and self._user_type in (None, kind) and self._digits in (None, digits):
                taken = self._appender.append(self._log, event, time, known_time, digits)
            if not taken:
                taken = self._record(event, kind, currency, digits)
            self._user_type = kind
            self._currency = known or currency
            if taken == _WITH_MONEY:
                self._digits = digits

    def _record(self, event: Mapping[str, Any], kind: pa.DataType, currency: str | None, digits: int) -> int:
        """Take in an event whose values are not all plain, or say what is wrong with it."""
        read = self._events.read(event, digits)
        if self._user_type not in (None, kind):
            raise InvalidArgumentError(
                f"events: expected user_id of {self._user_type} as before, got {kind}", field="user_id"
            )
        if read.has_money and self._digits not in (None, digits):
            raise InvalidArgumentError(
                f"events: {currency} has another minor unit than the money before, which named no currency; "
                "set currency in the configuration",
                field="currency",
            )
        self._log.append_one(*read.arguments)
        return _WITH_MONEY if read.has_money else _WITHOUT_MONEY

    def merge(self, other: Updater) -> None:
        """Take in what another updater of an equal configuration holds; it stays as it is.

        Raises:
            InvalidArgumentError: another configuration, type of user ids, or currency.
        """
        if other is self or other.config != self._config:
            raise InvalidArgumentError("other: expected another updater of an equal configuration", field="other")
        first, second = sorted((self, other), key=id)
        with first._lock, second._lock:
            if None not in (self._user_type, other._user_type) and self._user_type != other._user_type:
                raise InvalidArgumentError(
                    f"other: expected user ids of {self._user_type}, got {other._user_type}", field="other"
                )
            if None not in (self._currency, other._currency) and self._currency != other._currency:
                raise InvalidArgumentError(f"other: expected {self._currency}, got {other._currency}", field="other")
            if None not in (self._digits, other._digits) and self._digits != other._digits:
                raise InvalidArgumentError(
                    "other: expected money of the same minor unit; set money_digits", field="other"
                )
            self._log.merge(other._log)
            self._user_type = self._user_type or other._user_type
            self._currency = self._currency or other._currency
            self._digits = other._digits if self._digits is None else self._digits

    def forget(self, user_id: str | int) -> bool:
        """Drop a user's events; whether there were any."""
        with self._lock:
            return self._user_type is not None and self._log.forget(self._key(user_id))

    def drop_before(self, time: Instant) -> int:
        """Drop the events before a time, which a configuration with a `window` no longer looks at; returns how many."""
        with self._lock:
            return self._log.drop_before(to_us(time, "time"))

    def table(
        self,
        as_of: Instant,
        *,
        timezones: Mapping[Any, str] | None = None,
        num_threads: int = 0,
        progress: Progress | None = None,
    ) -> ProfileTable:
        """The profiles of all users, as `build` makes them. O(events held)."""
        moment = to_us(as_of, "as_of")
        config = self._config
        with self._lock:
            user_ids, codes = self._users()
            zones, of_user = user_zones(user_ids, config.timezone, timezones)
            offers = self._frozen_offers() if config.cuts is not None and config.cuts.offers else None
            columns, used_offers = self._log.profiles(
                native_plan(config, moment, zones),
                users=codes,
                user_zones=of_user,
                offers=offers,
                num_threads=threads(num_threads),
                progress=progress,
            )
            names = Names(
                tuple(arrow_names(self._log.names(f"dimension_{place}")) for place in range(len(config.dimensions))),
                arrow_names(self._log.names("query")),
                arrow_names(self._log.names("path")),
            )
            currency, digits = self._currency, self._money_digits()
        cuts = fitted_cuts(columns, used_offers, names, config, moment)
        made = features(
            columns, names, config, moment, cuts, send_windows(columns, send_rule(config, cuts.hours), num_threads)
        )
        return ProfileTable(to_table(made, user_ids, config), moment, config, cuts, currency, digits)

    def row(self, user_id: str | int, as_of: Instant, *, timezone: str | None = None) -> dict[str, Any]:
        """One user's profile as plain values, as `ProfileTable.row`. O(events of the user).

        What a population decides (scores, level, price bands) is null unless `config.cuts` says it.

        Raises:
            NotFoundError: the user has no event before `as_of`.
        """
        moment = to_us(as_of, "as_of")
        with self._lock:
            read = None
            if self._user_type is not None:
                read = self._reader(timezone or self._config.timezone).read(self._key(user_id), moment)
        if read is None:
            raise NotFoundError(f"user_id: no event of {user_id!r} before as_of")
        return self._rows.row(read, user_id, moment)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a folder of checked arrays; `path` must not be there, or be an empty folder.

        Raises:
            OSError: the file system refuses; nothing is left behind.
        """
        with self._lock:
            begins, packed = self._log.packed()
            arrays: dict[str, AnyArray] = {"begins": begins, "packed": packed}
            for which in self._vocabularies():
                arrays[f"{which}_offsets"], arrays[f"{which}_data"] = self._log.names(which)
            about = {
                "config": self._config.to_json(),
                "user_type": None if self._user_type is None else str(self._user_type),
                "currency": self._currency,
                "digits": self._digits,
            }
        # Files hold no unsigned bytes.
        stored = {name: array.view(np.int8) if array.dtype == np.uint8 else array for name, array in arrays.items()}
        save_arrays(Path(path), _FORMAT, about, stored)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Updater:
        """Read what `save` wrote.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged, or not an updater's.
        """
        folder = load_arrays(Path(path), _FORMAT)
        try:
            about = folder.about
            arrays: dict[str, Any] = {
                name: array.view(np.uint8) if array.dtype == np.int8 else array for name, array in folder.arrays.items()
            }
            updater = cls(ProfileConfig.from_json(about["config"]))
            kinds = {None: None, "string": pa.string(), "int64": pa.int64()}
            updater._user_type = kinds[about["user_type"]]
            updater._currency, updater._digits = about["currency"], about["digits"]
            named = {which: (arrays[f"{which}_offsets"], arrays[f"{which}_data"]) for which in updater._vocabularies()}
            vocabularies = {
                "dimensions": [named[f"dimension_{place}"] for place in range(len(updater._config.dimensions))],
                "query": named["query"],
                "path": named["path"],
            }
            updater._log.restore(vocabularies, named["users"], arrays["begins"], arrays["packed"])
        except (KeyError, InvalidArgumentError) as error:
            raise CorruptError(f"{path}: expected what Updater.save wrote, got {error}") from error
        return updater

    def _vocabularies(self) -> tuple[str, ...]:
        return ("users", "query", "path", *(f"dimension_{place}" for place in range(len(self._config.dimensions))))

    def _agree(self, native: NativeEvents) -> None:
        if self._user_type is not None and native.user_ids.type != self._user_type and len(native.user_ids):
            raise InvalidArgumentError(
                f"events: expected user_id of {self._user_type} as before, got {native.user_ids.type}", field="user_id"
            )
        if self._digits not in (None, native.money_digits) and _has_money(native):
            raise InvalidArgumentError(
                f"events: {native.currency} has another minor unit than the money before, which named no currency; "
                "set currency in the configuration",
                field="currency",
            )

    def _money_digits(self) -> int:
        if self._digits is not None:
            return self._digits
        fixed = self._config.money_digits
        return fixed if fixed is not None else digits_of(self._currency) if self._currency else DEFAULT_DIGITS

    def _key(self, user_id: str | int) -> bytes:
        if isinstance(user_id, str) != pa.types.is_string(self._user_type) or isinstance(user_id, bool):
            raise InvalidArgumentError(f"user_id: expected one of {self._user_type}, got {user_id!r}", field="user_id")
        return user_key(user_id)

    def _users(self) -> tuple[pa.Array, Int32Array]:
        """All ids, ascending, and their codes."""
        offsets, data = self._log.names("users")
        if self._user_type is None:
            return pa.array([], pa.string()), np.empty(0, np.int32)
        ids = pa.array(data.view("<i8")) if pa.types.is_integer(self._user_type) else arrow_names((offsets, data))
        order = pc.sort_indices(ids)
        return ids.take(order), np.asarray(order).astype(np.int32)

    def _frozen_offers(self) -> NativeOffers:
        """The configuration's offers by the log's codes; made anew when a category has come."""
        config = self._config
        which = f"dimension_{config.dimensions.index('category')}" if "category" in config.dimensions else None
        count = 0 if which is None else self._log.count(which)
        if self._offers is None or self._offers[0] != count:
            names = pa.array([], pa.string()) if which is None else arrow_names(self._log.names(which))
            self._offers = (count, native_offers(config.cuts or _NO_CUTS, names.to_pylist()))
        return self._offers[1]

    def _reader(self, timezone: str) -> _native.ProfileReader:
        """The reader of users of this zone; made anew when a category has come, for the offers in it."""
        offers = self._frozen_offers()
        found = self._readers.get(timezone)
        if found is None or found[0] is not offers:
            plan = native_plan(self._config, 0, [zone(timezone)])
            found = self._readers[timezone] = (offers, _native.ProfileReader(self._log, plan, offers, self._send_rule))
        return found[1]


def _has_money(native: NativeEvents) -> bool:
    return "money" in native.columns or "prices" in native.columns


def _user_names(user_ids: pa.Array) -> Any:
    """Ids as the log's names: strings as they are, integers as their eight bytes."""
    if not pa.types.is_integer(user_ids.type):
        return native_names(user_ids)
    numbers = np.ascontiguousarray(user_ids.to_numpy(), "<i8")
    return np.arange(len(numbers) + 1, dtype=np.int64) * 8, numbers.view(np.uint8)
