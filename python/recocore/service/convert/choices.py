"""Decodes which model a request wants to be answered from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.service.hosting.choice import ANY_MODEL, ModelChoice
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from recocore.service.convert.checks import Checks


def decode_choice(
    request: v1.RecommendRequest | v1.SimilarItemsRequest | v1.ScoreRequest, checks: Checks, root: str = ""
) -> ModelChoice:
    """The model that a request names. Whether there is such a one is seen when it is picked."""
    variant = request.experiment_variant if isinstance(request, v1.RecommendRequest) else ""
    if not variant and not request.HasField("model"):
        return ANY_MODEL
    if variant and request.HasField("model"):
        checks.refuse(f"{root}experiment_variant", "expected an empty string beside `model`")
    return ModelChoice(request.model.alias, request.model.version, variant)
