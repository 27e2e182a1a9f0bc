"""Offline evaluation: metrics with stated definitions, and whether a difference between models is real.

Metrics and their formulas: `recocore.evaluation.definitions`.
"""

from recocore.evaluation.bootstrap import BootstrapResult, paired_bootstrap
from recocore.evaluation.definitions import METRICS
from recocore.evaluation.evaluation import Evaluation
from recocore.evaluation.offline import evaluate, ranking_metrics

__all__ = ["METRICS", "BootstrapResult", "Evaluation", "evaluate", "paired_bootstrap", "ranking_metrics"]
