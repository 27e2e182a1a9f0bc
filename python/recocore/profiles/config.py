"""What a profile counts, weighs and forgets: one frozen value that batch and stream share."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from recocore.data.checks import is_finite_number
from recocore.data.schema import DEFAULT_WEIGHTS, EVENT_SCHEMA, EVENT_TYPES
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.ops.arguments import integer
from recocore.profiles.cuts import CutPoints

if TYPE_CHECKING:
    from typing import Self

FORMAT = 1

# What the native pass has room for; see cpp/include/recocore/profiles.hpp.
MAX_DIMENSIONS = 4
MAX_TYPES = 255

# The dimension whose names are the members of lists, and the column that holds these.
TAG = "tag"
TAGS_COLUMN = "tags"

_DAY = timedelta(days=1)
_TEXT_COLUMNS = frozenset(name for name in EVENT_SCHEMA.names if EVENT_SCHEMA.field(name).type == pa.string())


@dataclass(frozen=True, slots=True)
class ProfileConfig:
    """How events become a profile. Equal configurations give equal profiles, in batch and in the stream.

    Attributes:
        types: event types with a column `count_<type>` of their own; all others are counted in `count_other`.
        weights: event type → what it says about a taste, for the interest vectors; a type that is absent weighs 0.
        purchase_types: types whose `value` is spent. A negative value on one is a refund.
        refund_types: types whose `value`, whatever its sign, is given back.
        search_types: types whose `query` is a search term.
        passive_types: types that happen to a user; they are counted, but are no activity of the life cycle.
        dimensions: text columns of the event schema with an interest vector each, up to 4, and `tag`, which is each of the
            event's `tags`; `price_band` comes besides.
        half_life: after how long an event says half as much.
        half_lives: other half-lives by dimension, by `price_band`, or by `spend` (of `spend_decayed`).
        top: entries kept of an interest vector, of paths and of search terms; what is cut off is recorded.
        timezone: IANA name; the zone of users without one of their own.
        quiet_hours: local hours [from, to) of the day in which nothing is sent; equal numbers are none.
        send_window: hours of the window that is looked for.
        hour_prior: pseudo-events κ spread over the week before a user's own; the fewer events, the flatter the week.
        hour_kernel: weights by which an hour's events count for its neighbours too, the middle one its own; odd length.
        session_gap: silence that ends a session of events without `session_id`.
        path: the text column (or `type`) whose steps within a session are counted.
        active_within, dormant_after, lost_after: the intervals of the life cycle; see docs/profiles.md.
        at_risk_gaps: gaps between orders from which the user's own q90 gap decides about "at risk".
        rfm_bins: scores 1 to this of recency, frequency and money.
        price_bands: bands of a price within its category; 0 is none.
        currency: ISO 4217 code of all money; None takes the one of the events.
        money_digits: decimals of the minor unit; None is the currency's own, 2 where there is no currency.
        window: only events of the last so long before `as_of` count; None is all.
        cuts: frozen cut points; None fits them to the users of the table.

    Example:
        >>> config = ProfileConfig(half_lives={"brand": timedelta(days=90)}, timezone="Asia/Shanghai")
        >>> ProfileConfig.from_json(config.to_json()) == config
        True
    """

    types: tuple[str, ...] = tuple(sorted(EVENT_TYPES))
    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS), hash=False)
    purchase_types: tuple[str, ...] = ("buy",)
    refund_types: tuple[str, ...] = ("refund",)
    search_types: tuple[str, ...] = ("search",)
    passive_types: tuple[str, ...] = ("impression",)
    dimensions: tuple[str, ...] = ("category", "brand", "channel", TAG)
    half_life: timedelta = 30 * _DAY
    half_lives: Mapping[str, timedelta] = field(default_factory=dict, hash=False)
    top: int = 5
    timezone: str = "UTC"
    quiet_hours: tuple[int, int] = (22, 8)
    send_window: int = 3
    hour_prior: float = 10.0
    hour_kernel: tuple[float, ...] = (0.25, 0.5, 0.25)
    session_gap: timedelta = timedelta(minutes=30)
    path: str = "type"
    active_within: timedelta = 30 * _DAY
    dormant_after: timedelta = 90 * _DAY
    lost_after: timedelta = 365 * _DAY
    at_risk_gaps: int = 3
    rfm_bins: int = 5
    price_bands: int = 5
    currency: str | None = None
    money_digits: int | None = None
    window: timedelta | None = None
    cuts: CutPoints | None = None

    def __post_init__(self) -> None:
        for name in ("types", "purchase_types", "refund_types", "search_types", "passive_types", "dimensions"):
            object.__setattr__(self, name, _names(getattr(self, name), name))
        object.__setattr__(self, "weights", _frozen(self.weights, "weights"))
        object.__setattr__(self, "half_lives", _frozen(self.half_lives, "half_lives"))
        for name, weight in self.weights.items():
            if not is_finite_number(weight):
                raise _refused("weights", f"a finite number for {name!r}", weight)
        if len(self.all_types) > MAX_TYPES:
            raise _refused("types", f"at most {MAX_TYPES} types in all", len(self.all_types))
        self._check_names()
        self._check_spans()
        integer(self.top, "top", 1)
        integer(self.rfm_bins, "rfm_bins", 1)
        integer(self.price_bands, "price_bands", 0, 255)
        integer(self.at_risk_gaps, "at_risk_gaps", 1)
        self._check_hours()
        if self.money_digits is not None:
            integer(self.money_digits, "money_digits", 0, 9)

    def _check_names(self) -> None:
        overlap = set(self.purchase_types) & set(self.refund_types)
        if overlap:
            raise _refused("refund_types", "types that are no purchase_types", ", ".join(sorted(overlap)))
        if len(self.dimensions) > MAX_DIMENSIONS:
            raise _refused("dimensions", f"at most {MAX_DIMENSIONS}", len(self.dimensions))
        texts = _TEXT_COLUMNS - {"type", "event_id", "user_id", "item_id"}
        for name in self.dimensions:
            if name not in texts | {TAG}:
                raise _refused("dimensions", f"text columns of the event schema, or {TAG}", repr(name))
        if self.path not in texts | {"type"}:
            raise _refused("path", "a text column of the event schema", repr(self.path))

    def _check_spans(self) -> None:
        for name in ("half_life", "session_gap", "active_within", "dormant_after", "lost_after"):
            _positive(getattr(self, name), name)
        if self.window is not None:
            _positive(self.window, "window")
        for name, life in self.half_lives.items():
            if name not in (*self.dimensions, "price_band", "spend"):
                raise _refused("half_lives", "dimensions, 'price_band' or 'spend'", repr(name))
            _positive(life, f"half_lives[{name!r}]")
        if not self.active_within <= self.dormant_after <= self.lost_after:
            raise _refused("dormant_after", "active_within ≤ dormant_after ≤ lost_after", self.dormant_after)

    def _check_hours(self) -> None:
        quiet = self.quiet_hours
        if len(tuple(quiet)) != 2 or any(hour not in range(24) for hour in quiet):
            raise _refused("quiet_hours", "two hours from 0 to 23", quiet)
        integer(self.send_window, "send_window", 1, 24)
        if not (is_finite_number(self.hour_prior) and self.hour_prior >= 0):
            raise _refused("hour_prior", "a number of at least 0", self.hour_prior)
        kernel = tuple(self.hour_kernel)
        fits = len(kernel) % 2 == 1 and len(kernel) <= 25 and all(is_finite_number(w) and w >= 0 for w in kernel)
        if not fits or sum(kernel) <= 0:
            raise _refused("hour_kernel", "an odd number (≤ 25) of weights of at least 0, one above", kernel)
        object.__setattr__(self, "hour_kernel", kernel)

    @property
    def all_types(self) -> tuple[str, ...]:
        """The types that the configuration names anywhere: the counted ones first, the others by name."""
        named = {*self.weights, *self.purchase_types, *self.refund_types, *self.search_types, *self.passive_types}
        return (*self.types, *sorted(named - set(self.types)))

    @property
    def tag_dimension(self) -> int:
        """The place of `tag` among the dimensions, -1 where it is none of them."""
        return self.dimensions.index(TAG) if TAG in self.dimensions else -1

    @property
    def dimension_columns(self) -> tuple[str, ...]:
        """The columns of the event schema behind the dimensions."""
        return tuple(TAGS_COLUMN if name == TAG else name for name in self.dimensions)

    @property
    def interests(self) -> tuple[str, ...]:
        """The interest vectors: the dimensions, then `price_band` where there are bands and the dimension `category`."""
        return (*self.dimensions, *(("price_band",) if self.price_bands and "category" in self.dimensions else ()))

    def half_life_of(self, name: str) -> timedelta:
        """The half-life of a dimension, of `price_band` or of `spend`."""
        return self.half_lives.get(name, self.half_life)

    def with_cuts(self, cuts: CutPoints | None) -> Self:
        """The same with other frozen cut points."""
        return dataclasses.replace(self, cuts=cuts)

    def to_json(self) -> str:
        """One line of JSON; durations in microseconds."""
        return json.dumps({"format": FORMAT, **self._body()}, ensure_ascii=False, sort_keys=True)

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, timedelta):
                value = value // timedelta(microseconds=1)
            elif isinstance(value, CutPoints):
                value = value.to_body()
            elif entry.name == "half_lives":
                value = {name: life // timedelta(microseconds=1) for name, life in value.items()}
            elif isinstance(value, Mapping):
                value = dict(value)
            body[entry.name] = value
        return body

    @classmethod
    def from_json(cls, text: str) -> ProfileConfig:
        """What `to_json` wrote.

        Raises:
            CorruptError: it is not that, or of a later format.
        """
        try:
            body = json.loads(text)
            if body.pop("format") != FORMAT:
                raise CorruptError(
                    f"profile configuration: expected format {FORMAT}; read it with the version that wrote it"
                )
            for name in ("half_life", "session_gap", "active_within", "dormant_after", "lost_after", "window"):
                body[name] = None if body[name] is None else timedelta(microseconds=body[name])
            body["half_lives"] = {name: timedelta(microseconds=us) for name, us in body["half_lives"].items()}
            body["cuts"] = None if body["cuts"] is None else CutPoints.from_body(body["cuts"])
            given: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in body.items()
            }
            return cls(**given)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptError(f"profile configuration: expected what to_json wrote, got {error}") from error


def _names(names: Any, argument: str) -> tuple[str, ...]:
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise _refused(argument, "a sequence of names", names)
    if len(set(names)) < len(tuple(names)):
        raise _refused(argument, "each name once", names)
    return tuple(names)


def _frozen(mapping: Any, argument: str) -> Mapping[str, Any]:
    if not isinstance(mapping, Mapping) or not all(isinstance(name, str) for name in mapping):
        raise _refused(argument, "a mapping by name", mapping)
    return MappingProxyType(dict(sorted(mapping.items())))


def _positive(span: Any, argument: str) -> None:
    if not (isinstance(span, timedelta) and span > timedelta(0)):
        raise _refused(argument, "a timedelta above 0", span)


def _refused(argument: str, expected: str, got: Any) -> InvalidArgumentError:
    return InvalidArgumentError(f"{argument}: expected {expected}, got {got}", field=argument)
