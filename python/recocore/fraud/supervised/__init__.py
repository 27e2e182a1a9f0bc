"""Learning from labels: gradient boosting, served from flat arrays, and the card that says what it was made from."""

from recocore.fraud.supervised.boosted_trees import BoostedTrees
from recocore.fraud.supervised.card import ModelCard

__all__ = ["BoostedTrees", "ModelCard"]
