"""How long customers stay and what they will spend: purchase models, fitted by maximum likelihood in log-space."""

from recocore.profiles.lifetime.columns import LIFETIME_FEATURES, LifetimeModels, lifetime_features
from recocore.profiles.lifetime.purchases import BGNBD, ModifiedBGNBD
from recocore.profiles.lifetime.spend import GammaGamma
from recocore.profiles.lifetime.value import clv

__all__ = [
    "BGNBD",
    "LIFETIME_FEATURES",
    "GammaGamma",
    "LifetimeModels",
    "ModifiedBGNBD",
    "clv",
    "lifetime_features",
]
