"""The equations of an ALS fit as its scorer keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recocore.models.als_equations import Equations
from recocore.ops.als import AlsObjective
from recocore.scoring import FactorScorer, RatingScorer

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.models.als_equations import SolverSettings
    from recocore.types import Float32Array

_LOSSES = ("ials", "original")


def scorer_of(
    equations: Equations,
    users: Float32Array,
    items: Float32Array,
    interactions: Csr,
    weights: Float32Array | None = None,
) -> FactorScorer:
    """A scorer of rows as `Equations.blank` has them, fitted to these interactions."""
    objective, device = equations.objective, equations.settings.device
    if equations.explicit:
        stored = np.array([objective.regularization, objective.nu, equations.mean], np.float64)
        return RatingScorer(interactions, users, items, stored, device, weights)
    numbers = [objective.regularization, objective.alpha0, objective.nu, _LOSSES.index(objective.loss)]
    if objective.negative_preference:
        numbers.append(objective.negative_preference)
    return FactorScorer(interactions, users, items, np.array(numbers, np.float64), device, weights)


def equations_of(scorer: FactorScorer, settings: SolverSettings) -> Equations:
    """What the scorer's rows solve."""
    if isinstance(scorer, RatingScorer):
        regularization, nu, mean = scorer.objective.tolist()
        return Equations(AlsObjective(regularization, 0.0, nu, "explicit"), settings, mean)
    regularization, alpha0, nu, loss, dislike = (*scorer.objective.tolist(), 0.0)[:5]
    return Equations(AlsObjective(regularization, alpha0, nu, _LOSSES[int(loss)], dislike), settings)
