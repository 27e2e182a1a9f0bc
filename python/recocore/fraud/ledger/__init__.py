"""Decisions that survive: events, decisions, outcomes and rule sets in an encrypted log, and counters made again from it."""

from recocore.fraud.ledger.desk import FraudDesk, Scored
from recocore.fraud.ledger.exporting import export_ledger
from recocore.fraud.ledger.ledger import FraudLedger
from recocore.fraud.ledger.recall import Recalled

__all__ = ["FraudDesk", "FraudLedger", "Recalled", "Scored", "export_ledger"]
