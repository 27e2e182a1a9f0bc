"""Models that learn from interactions."""

from recocore.models.als import ALS
from recocore.models.als_parameters import (
    ConvertedParameters,
    ImplicitParameters,
    IrspackParameters,
    convert_parameters,
)
from recocore.models.base import BaseModel, Recommender
from recocore.models.epoch_report import EpochReport
from recocore.models.knn import ItemKNN, UserKNN
from recocore.models.popularity import Popularity
from recocore.models.popularity_weights import popularity_weights
from recocore.models.search_space import SearchSpace
from recocore.models.tuning import Trial, TuningResult, tune
from recocore.models.validation import Validation
from recocore.ops.als import AlsObjective

MODELS: dict[str, type[BaseModel]] = {model.name: model for model in (ALS, ItemKNN, UserKNN, Popularity)}

__all__ = [
    "ALS",
    "MODELS",
    "AlsObjective",
    "BaseModel",
    "ConvertedParameters",
    "EpochReport",
    "ImplicitParameters",
    "IrspackParameters",
    "ItemKNN",
    "Popularity",
    "Recommender",
    "SearchSpace",
    "Trial",
    "TuningResult",
    "UserKNN",
    "Validation",
    "convert_parameters",
    "popularity_weights",
    "tune",
]
