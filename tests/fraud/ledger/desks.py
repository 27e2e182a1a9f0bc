"""Desks over a made-up shop's log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from tests.fraud.test_decision import fitted

from recocore.fraud import Decision
from recocore.fraud.ledger import FraudDesk

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from recocore.fraud.ledger import Scored

pack = msgspec.msgpack.Encoder().encode


def opened(path: Path, **settings: Any) -> FraudDesk:
    """A desk with the fitted model."""
    return FraudDesk.open(path / "log", settings.pop("model", fitted()[0]), settings.pop("rings", None), **settings)


def killed(desk: FraudDesk) -> None:
    """Let go of the files as the end of a process does: nothing is written down."""
    desk._ledger._log.close()
    desk._ledger._keys.close()
    os.close(desk._ledger._lock_descriptor)
    desk._ledger._closed = True


def rows(events: Iterable[dict[str, Any]]) -> list[bytes]:
    """Events as workers hand them over."""
    return [pack(event) for event in events]


def decided(scored: Iterable[Scored]) -> list[Decision]:
    """The decisions."""
    return [Decision.from_json(msgspec.msgpack.decode(one.packed)) for one in scored if one.packed is not None]
