"""Segments: groups of users by likeness or by rule, how they stay, and how a population drifts."""

from recocore.profiles.segments.clustering import Segmentation, Standout
from recocore.profiles.segments.cohorts import Retention, retention
from recocore.profiles.segments.drifting import drift, psi
from recocore.profiles.segments.predicates import SegmentRule, members

__all__ = ["Retention", "SegmentRule", "Segmentation", "Standout", "drift", "members", "psi", "retention"]
