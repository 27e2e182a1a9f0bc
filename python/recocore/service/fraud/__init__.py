"""Fraud in the service: FraudService, and the process that decides."""
