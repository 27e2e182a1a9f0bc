"""What stands in the rows of a ledger: MessagePack, read back to the values that were written."""

from __future__ import annotations

import hashlib
import re
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from recocore.errors import CorruptError
from recocore.fraud.decision import Decision, OutcomeReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


class Kept(NamedTuple):
    """A decision with what it was made from.

    Attributes:
        made: when, microseconds since 1970.
        counters: as of the event, in the order of the model's counters.
        decision: as `Decision.as_json` has it.
    """

    made: int
    counters: Sequence[float]
    decision: Mapping[str, Any]

    def value(self) -> Decision:
        """The decision."""
        return Decision.from_json(self.decision)


def pack_decision(decision: Decision) -> bytes:
    """A decision as MessagePack: a map with its attributes' names."""
    return _encoder.encode(decision)


def pack_kept(made: int, counters: Sequence[float], packed: bytes) -> bytes:
    """The content of a decision's row."""
    return _encoder.encode((made, counters, msgspec.Raw(packed)))


def read_kept(plain: bytes) -> Kept:
    """What `pack_kept` wrote."""
    return Kept(*_decoder.decode(plain))


def pack_report(report: OutcomeReport) -> bytes:
    """The content of a report's row."""
    return _encoder.encode(astuple(report))


def read_report(plain: bytes) -> OutcomeReport:
    """What `pack_report` wrote."""
    return OutcomeReport(*_decoder.decode(plain))


def is_report(plain: bytes) -> bool:
    """Whether it is a report's content, a list, where an event's is a map."""
    return isinstance(_decoder.decode(plain), list)


def decision_name(decision_id: str) -> bytes | None:
    """The 16 bytes under which a decision is kept; None where no decision has such an id."""
    return bytes.fromhex(decision_id) if re.fullmatch(r"[0-9a-f]{32}", decision_id) else None


def report_id(report: OutcomeReport) -> bytes:
    """The 16 bytes by which a report that is sent again is known."""
    return hashlib.blake2b(pack_report(report), digest_size=16, person=b"outcome").digest()


def read_event(plain: bytes) -> dict[str, Any]:
    """The event in a row.

    Raises:
        CorruptError: there is none.
    """
    event = _decoder.decode(plain)
    if not isinstance(event, dict):
        raise CorruptError(f"a row of the ledger: expected an event, got {type(event).__name__}")
    return event
