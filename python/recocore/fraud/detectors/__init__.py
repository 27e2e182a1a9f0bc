"""Detectors of anomalies: fitted on rows of features, they score other rows natively, and give reasons by feature."""

from recocore.fraud.detectors.base import Detector
from recocore.fraud.detectors.ecod import ECOD
from recocore.fraud.detectors.half_space_trees import HalfSpaceTrees
from recocore.fraud.detectors.hbos import HBOS
from recocore.fraud.detectors.isolation_forest import IsolationForest
from recocore.fraud.detectors.loading import load_detector
from recocore.fraud.detectors.mcd import MCD

__all__ = ["ECOD", "HBOS", "MCD", "Detector", "HalfSpaceTrees", "IsolationForest", "load_detector"]
