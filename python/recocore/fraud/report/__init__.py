"""A page that shows how a model of fraud did on a log."""

from recocore.fraud.report.report import FraudReport, fraud_report, ring_pictures

__all__ = ["FraudReport", "fraud_report", "ring_pictures"]
