"""Backups of a ledger: the log as of a state, and beside it counters, versions and the cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.fraud.ledger.notes import CUT
from recocore.state.backup import files_of

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.fraud.ledger.ledger import FraudLedger


def back_up_ledger(ledger: FraudLedger, dest: Path, checkpoint: str = "") -> dict[str, int]:
    """Copy a ledger whose segments stay as they are meanwhile; see `FraudDesk.backup`.

    Args:
        ledger: open.
        dest: of the backup.
        checkpoint: the one that is copied, which nobody deletes meanwhile; empty for all that are there.
    """
    beside = (f"{CUT}.json", "models/", "rules/", "rings/", f"counters/{checkpoint}")

    def more() -> list[str]:
        return [name for name in files_of(ledger.path) if name.startswith(beside)]

    return ledger.backup(dest, more)
