"""Profiles of single users from what a user's record keeps of their events: see `recocore.state.UserRecord.profile`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore import _native
from recocore.data.times import to_us
from recocore.errors import InvalidArgumentError
from recocore.profiles.columns import arrow_names
from recocore.profiles.config import TAG, ProfileConfig
from recocore.profiles.cuts import CutPoints
from recocore.profiles.money import digits_of, sound_units
from recocore.profiles.one_event import user_key
from recocore.profiles.one_row import RowMaker
from recocore.profiles.plan import native_offers, native_plan, send_rule
from recocore.profiles.zones import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.data.times import Instant
    from recocore.profiles.plan import NativeOffers
    from recocore.types import AnyArray, Int32Array

# The text columns that are kept of an event.
KEPT_TEXTS: Final = ("category", "brand", "channel", "query")

_NONE = np.iinfo(np.int64).min
_NO_CUTS = CutPoints()
_AS_THEY_ARE = ("times", "items", "sessions", "orders", "dwell", "quantities", "coupons")


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One user's profile from a record.

    Attributes:
        row: as `Updater.row` gives it.
        complete_since: events from this time on are all in it, microseconds since 1970; None where no event was left out
            for want of room.
        currency: of its money, None where no event names one.
        money_digits: decimals of the minor unit.
    """

    row: dict[str, Any]
    complete_since: int | None
    currency: str | None
    money_digits: int


class KeptProfiles:
    """Makes profiles of packed events by one configuration: those that `Updater.row` makes of the same events.

    Money that is no whole number of minor units, or of another currency than the configuration's (without one: than that
    of the newest event that names one), counts as absent: it was taken in long ago, and nobody is there to be told.

    Args:
        config: as of `build`. Freeze `cuts` in it for what a population decides (scores, level, bands).

    Raises:
        InvalidArgumentError: a dimension, or the path, is a column that records do not keep.

    Example:
        >>> event = (1_700_000_000_000_000, "buy", "mug", None, None, 7.5, 8.0, "EUR", 1, *[None] * 3, "home", *[None] * 3)
        >>> packed = _native.kept_events_add(b"", [event], 1_024, 0)
        >>> kept = KeptProfiles().row([packed], "ann", 1_700_000_000_000_001)
        >>> kept.row["spend_net"], kept.row["interest_category"][0]["name"], kept.currency, len(packed)
        (750, 'home', 'EUR', 50)
    """

    def __init__(self, config: ProfileConfig | None = None) -> None:
        self._config = config = config or ProfileConfig()
        for name in (*config.dimensions, config.path):
            if name not in (*KEPT_TEXTS, TAG, "type"):
                raise InvalidArgumentError(
                    f"dimensions, path: expected some of {', '.join((*KEPT_TEXTS, TAG))}, which records keep, got {name!r}",
                    field="dimensions",
                )
        self._rows = RowMaker(config)
        self._plan = native_plan(config, 0, [])
        self._send_rule = send_rule(config, () if config.cuts is None else config.cuts.hours)
        self._types = {name: code for code, name in enumerate(config.all_types)}

    @property
    def config(self) -> ProfileConfig:
        """What profiles are made by."""
        return self._config

    def row(
        self, packed: Sequence[bytes], user_id: str, as_of: Instant, *, timezone: str | None = None
    ) -> KeptRow | None:
        """The profile of packed events, None where none of them happened before `as_of`. O(events · log(events)).

        Args:
            packed: `UserRecord.profile` of the user, and of others that are the same person.
            user_id: whose.
            as_of: the moment; everything that is kept counts as known.
            timezone: IANA name, where the user has another zone than the configuration's.

        Raises:
            CorruptError: bytes that are not packed events.
            InvalidArgumentError: no such zone.
        """
        moment, config = to_us(as_of, "as_of"), self._config
        kept = _native.kept_events_read(list(packed))
        if not len(kept["times"]):
            return None
        names: list[str] = kept["names"]
        currency = self._currency(kept, names)
        digits = digits_of(currency) if config.money_digits is None else config.money_digits
        given, query_names = self._batch(kept, names, currency, digits)
        arrow, key = _arrow_layout(names), user_key(user_id)
        log = _native.ProfileLog(len(config.dimensions), len(config.all_types), config.tag_dimension)
        log.append(
            given,
            {
                "dimensions": [_arrow_layout(kept["tag_sets"]) if name == TAG else arrow for name in config.dimensions],
                "query": arrow if query_names is names else _arrow_layout(query_names),
                "path": arrow,
            },
            _arrow_layout([user_id]),
        )
        plan = {**self._plan, "zones": [zone(timezone or config.timezone)]}
        read = _native.ProfileReader(log, plan, self._offers(log), self._send_rule).read(key, moment)
        if read is None:
            return None
        left_out: int = kept["left_out"]
        since = None if left_out == _NONE else left_out + 1
        return KeptRow(self._rows.row(read, user_id, moment), since, currency, digits)

    def _currency(self, kept: dict[str, Any], names: list[str]) -> str | None:
        if self._config.currency is not None:
            return self._config.currency
        named = np.flatnonzero((kept["currency"] >= 0) & ~(np.isnan(kept["value"]) & np.isnan(kept["price"])))
        return names[kept["currency"][named[-1]]] if len(named) else None

    def _batch(
        self, kept: dict[str, Any], names: list[str], currency: str | None, digits: int
    ) -> tuple[dict[str, AnyArray], list[str]]:
        """Columns of the native pass, and the names of search terms."""
        config = self._config
        given: dict[str, AnyArray] = {name: kept[name] for name in _AS_THEY_ARE}
        given["users"] = np.zeros(len(kept["times"]), np.int32)
        unknown = len(self._types)
        given["types"] = np.array([self._types.get(name, unknown) for name in names], np.uint8)[kept["types"]]
        foreign = (kept["currency"] >= 0) & (kept["currency"] != (names.index(currency) if currency in names else -1))
        for column, name in (("money", "value"), ("prices", "price")):
            given[column] = sound_units(np.where(foreign, np.nan, kept[name]) if foreign.any() else kept[name], digits)
        for place, name in enumerate(config.dimension_columns):
            given[f"dimension_{place}"] = kept[name]
        given["paths"] = kept["types"] if config.path == "type" else kept[config.path]
        given["queries"], query_names = kept["query"], names
        if (kept["query"] >= 0).any():
            given["queries"], query_names = _terms(kept["query"], names)
        return given, query_names

    def _offers(self, log: _native.ProfileLog) -> NativeOffers:
        """The configuration's offers by the log's codes."""
        config = self._config
        names = pa.array([], pa.string())
        if "category" in config.dimensions:
            names = arrow_names(log.names(f"dimension_{config.dimensions.index('category')}"))
        return native_offers(config.cuts or _NO_CUTS, names)


def _arrow_layout(names: list[str]) -> Any:
    """Names as the native pass takes them, without Arrow: a tenth of its time for a dozen names."""
    encoded = [name.encode() for name in names]
    ends = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in encoded], out=ends[1:])
    return ends, np.frombuffer(b"".join(encoded), np.uint8)


def _terms(codes: Int32Array, names: list[str]) -> tuple[Int32Array, list[str]]:
    """Search terms trimmed and in lower case, as `native_events` has them; what is empty is none."""
    spelled = pc.utf8_lower(pc.utf8_trim_whitespace(pa.array(names, pa.string()))).to_pylist()
    terms = sorted({spelled[code] for code in codes.tolist() if code >= 0} - {""})
    places = {term: place for place, term in enumerate(terms)}
    return np.array([places.get(spelled[code], -1) if code >= 0 else -1 for code in codes.tolist()], np.int32), terms
