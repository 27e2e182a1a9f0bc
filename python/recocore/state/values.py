"""What goes in and out of the state: plain frozen values, without a file or a socket behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from recocore.data.schema import DEFAULT_WEIGHTS
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A call may bring this many events, as the RPC may.
MAX_ROWS = 1_000


class Durability(Enum):
    """When a call is acknowledged: once the device holds it, or before that within a bound of time."""

    FSYNC = "fsync"
    BUFFERED = "buffered"


# The answers that change what a record keeps: without this one it keeps nothing for a profile.
PROFILING: Final = "profiling"

RowCode: TypeAlias = Literal["ok", "duplicate", "invalid"]


class RowResult(NamedTuple):
    """What became of one event of a call.

    Attributes:
        code: "ok" (recorded), "duplicate" (its event_id is in the log already, or earlier in the call) or "invalid".
        field: of an invalid row, the field that is wrong.
        message: of an invalid row, what was expected, what came and the next step.
    """

    code: RowCode
    field: str = ""
    message: str = ""


OK = RowResult("ok")
DUPLICATE = RowResult("duplicate")


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a call of `record`.

    Attributes:
        commit: a reader whose `commit` is at least this sees the call's events.
        results: one for each event, in the call's order.
    """

    commit: int
    results: tuple[RowResult, ...]


@dataclass(frozen=True, slots=True)
class ForgetReceipt:
    """What a person gets who asked to be forgotten.

    Attributes:
        commit: a reader whose `commit` is at least this knows nothing of the user.
        subject: the pseudonym (32 hexadecimal digits) under which the tombstone is kept.
        time: UTC, ISO 8601.
        key_destroyed: whether there was a key, which is overwritten now; without one nothing was held.
        events: how many events of the user's the record had; what the log holds of them can be read by nobody.
    """

    commit: int
    subject: str
    time: str
    key_destroyed: bool
    events: int


class RecentEvent(NamedTuple):
    """An event in a user's record.

    Attributes:
        item_id: as text.
        type: view, cart, buy, ...
        time: microseconds since 1970, UTC.
        weight: of the type, by `StateConfig.weights`; 0 for a type that those do not name.
    """

    item_id: str
    type: str
    time: int
    weight: float


class Declared(NamedTuple):
    """What a user said of themselves.

    Attributes:
        name: of the attribute.
        value: text.
        source: who says that they said so.
        time: microseconds since 1970, UTC.
    """

    name: str
    value: str
    source: str
    time: int


class Link(NamedTuple):
    """A statement that two ids are one person, as the record of either keeps it.

    Attributes:
        number: names it; the commit that made it.
        into: whether the record's own id was merged into the other one, and not the other one into it.
        visitor: whether the other id is a visitor_id.
        id: the other one.
        made: when it was stated, microseconds since 1970, UTC.
        unmade: when it was taken back; None while it holds.
        why: what told so.
    """

    number: int
    into: bool
    visitor: bool
    id: str
    made: int
    unmade: int | None
    why: str


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What is known of a user at this moment.

    Attributes:
        version: the commit that changed the record last.
        seen: items bought, oldest purchase first, the newest `StateConfig.max_seen` of them.
        recent: the last `StateConfig.max_recent` events with an item, newest last.
        consent: purpose → whether it was granted; a purpose that was never answered is absent.
        forgotten: the user asked to be forgotten: everything else is empty, and no event is taken.
        profile: what a profile needs of the user's newest events, packed: see `recocore.profiles.KeptProfiles`.
        declared: what the user said of themselves, by name.
        declared_version: the commit that changed that last; 0 where nothing was ever said.
        links: every statement that another id is this person, first to last.
    """

    version: int
    seen: tuple[str, ...] = ()
    recent: Sequence[RecentEvent] = ()
    consent: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    forgotten: bool = False
    profile: bytes = b""
    declared: tuple[Declared, ...] = ()
    declared_version: int = 0
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class StateConfig:
    """Bounds of a store; all of them may change from one opening to the next.

    Attributes:
        max_seen: items bought that a record keeps.
        max_recent: events that a record keeps.
        max_profile_bytes: bytes of a record that profiles are made of: the newest events that fit, 31 to 86 in 1,024; 0
            keeps none.
        weights: event type → weight in `RecentEvent`.
        seen_types: event types that put an item on the list of items bought.
        segment_events: a segment of the log is sealed once it has this many events. The ids of the newest segment are kept
            in memory, and are read again at a start.
        buffered_ms: a BUFFERED call is on the device at most this long after its acknowledgement.
        map_bytes: how large the table of records may become; address space, not memory.
        cached_users: users whose key and record the owner keeps decoded.
        join_visitors: whether an event with both a user_id and a visitor_id states that they are one person, as
            `StateStore.link` does, where something is known of the visitor and nothing stands against it.
        max_queued_rows: events that may wait in the owner's queue; beyond it calls are refused as overloaded.
    """

    max_seen: int = 200
    max_recent: int = 50
    max_profile_bytes: int = 1_024
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(DEFAULT_WEIGHTS))
    seen_types: frozenset[str] = frozenset({"buy"})
    segment_events: int = 250_000
    buffered_ms: int = 50
    map_bytes: int = 1 << 36
    cached_users: int = 20_000
    join_visitors: bool = False
    max_queued_rows: int = 50_000

    def __post_init__(self) -> None:
        for name in ("max_seen", "max_recent", "segment_events", "buffered_ms", "cached_users"):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number < 2**31:
                raise InvalidArgumentError(f"{name}: expected a whole number of at least 1, got {number!r}", field=name)
        if type(self.max_profile_bytes) is not int or not 0 <= self.max_profile_bytes <= 1 << 16:
            raise InvalidArgumentError(
                f"max_profile_bytes: expected a whole number from 0 to 65536, got {self.max_profile_bytes!r}",
                field="max_profile_bytes",
            )
        if not 1 << 20 <= self.map_bytes < 1 << 46:
            raise InvalidArgumentError(
                f"map_bytes: expected from 1 MiB to 64 TiB in bytes, got {self.map_bytes!r}", field="map_bytes"
            )


@dataclass(frozen=True, slots=True)
class StateStats:
    """Sizes of a store.

    Attributes:
        commit: the last.
        users: with a record, those forgotten not counted.
        forgotten: tombstones.
        events: in the log.
        segments: of the log, the growing one included.
        log_bytes: of all segments.
        record_bytes: of the table of records.
        key_bytes: of the users' keys.
        master_key: the number of the key that wraps new users' keys.
    """

    commit: int
    users: int
    forgotten: int
    events: int
    segments: int
    log_bytes: int
    record_bytes: int
    key_bytes: int
    master_key: int
