"""From an event to a decision with its reasons: fitted models, the live engine, costs, exploration, feedback."""

from recocore.fraud.decision.calibration import Calibrator
from recocore.fraud.decision.costs import Costs
from recocore.fraud.decision.deciding import Decider
from recocore.fraud.decision.decision import Decision, Reason
from recocore.fraud.decision.engine import FraudEngine
from recocore.fraud.decision.exploration import Exploration
from recocore.fraud.decision.feedback import FeedbackStore
from recocore.fraud.decision.fitting import fit_model
from recocore.fraud.decision.model import FraudModel
from recocore.fraud.decision.rings import KnownRings
from recocore.fraud.decision.rows import rule_columns
from recocore.fraud.decision.scored import ScoredEvents
from recocore.fraud.decision.settings import DEFAULT_SETTINGS, FraudSettings
from recocore.fraud.outcomes import OutcomeReport

__all__ = [
    "DEFAULT_SETTINGS",
    "Calibrator",
    "Costs",
    "Decider",
    "Decision",
    "Exploration",
    "FeedbackStore",
    "FraudEngine",
    "FraudModel",
    "FraudSettings",
    "KnownRings",
    "OutcomeReport",
    "Reason",
    "ScoredEvents",
    "fit_model",
    "rule_columns",
]
