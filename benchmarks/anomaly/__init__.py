"""Detectors of anomalies: one row, a batch, and what they find on real tables."""
