"""Profiles of single users from what a user's record keeps of their events: see `recocore.state.UserRecord.profile`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from recocore import _native
from recocore.data.times import to_us
from recocore.errors import InvalidArgumentError
from recocore.profiles.config import TAG, ProfileConfig
from recocore.profiles.cuts import CutPoints
from recocore.profiles.money import DEFAULT_DIGITS, OTHER_DIGITS
from recocore.profiles.one_row import RowMaker
from recocore.profiles.plan import native_offers, native_plan, send_rule
from recocore.profiles.zones import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.data.times import Instant

# The text columns that are kept of an event.
KEPT_TEXTS: Final = ("category", "brand", "channel", "query")

_NO_CUTS = CutPoints()


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
        self._readers: dict[str, _native.KeptReader] = {}  # by zone
        self._reader(config.timezone)

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
        moment = to_us(as_of, "as_of")
        made = self._reader(timezone or self._config.timezone).read(list(packed), moment)
        if made is None:
            return None
        read, left_out, currency, digits = made
        since = None if left_out is None else left_out + 1
        return KeptRow(self._rows.row(read, user_id, moment), since, currency, digits)

    def _reader(self, name: str) -> _native.KeptReader:
        reader = self._readers.get(name)
        if reader is None:
            config = self._config
            cuts = config.cuts or _NO_CUTS
            offered = sorted(cuts.offers) if "category" in config.dimensions else []
            self._readers[name] = reader = _native.KeptReader(
                {
                    "types": config.all_types,
                    "dimensions": config.dimension_columns,
                    "path": config.path,
                    "offered": offered,
                    "currency": config.currency or "",
                    "digits": -1 if config.money_digits is None else config.money_digits,
                    "usual_digits": DEFAULT_DIGITS,
                    "other_digits": OTHER_DIGITS,
                    "term": _spelled,
                },
                native_plan(config, 0, [zone(name)]),
                native_offers(cuts, offered),
                send_rule(config, cuts.hours),
            )
        return reader


def _spelled(term: str) -> str:
    """A search term as `native_events` has it."""
    if term.isascii() and term.isprintable():
        return term.strip().lower()
    spelled: str = pc.utf8_lower(pc.utf8_trim_whitespace(pa.scalar(term))).as_py()
    return spelled
