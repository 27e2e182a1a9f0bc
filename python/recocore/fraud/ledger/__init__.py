"""Decisions that survive: events, decisions, outcomes and rule sets in an encrypted log, and counters made again from it."""

from recocore.fraud.ledger.backup import back_up_ledger
from recocore.fraud.ledger.desk import FraudDesk, Scored
from recocore.fraud.ledger.exporting import export_ledger
from recocore.fraud.ledger.ledger import FraudLedger
from recocore.fraud.ledger.recall import Recalled
from recocore.fraud.ledger.retention import check_keep

__all__ = ["FraudDesk", "FraudLedger", "Recalled", "Scored", "back_up_ledger", "check_keep", "export_ledger"]
