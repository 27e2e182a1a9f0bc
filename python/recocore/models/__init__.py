"""Models that learn from interactions."""

from recocore.models.als import ALS
from recocore.models.base import BaseModel, Recommender
from recocore.models.knn import ItemKNN, UserKNN
from recocore.models.popularity import Popularity

MODELS: dict[str, type[BaseModel]] = {model.name: model for model in (ALS, ItemKNN, UserKNN, Popularity)}

__all__ = ["ALS", "MODELS", "BaseModel", "ItemKNN", "Popularity", "Recommender", "UserKNN"]
