"""The methods of RecommendationService: decode, ask the engine, encode."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recocore.service import convert
from recocore.service.attribution import Attribution, encode
from recocore.service.queries import Served

if TYPE_CHECKING:
    from recocore.service.call import Call
    from recocore.service.dispatch import Method
    from recocore.service.hosting.host import Hosted, Models

SERVICE_NAME = "recocore.v1.RecommendationService"


class RecommendationServicer:
    """Each method takes the bytes of a request and gives the bytes of its response; safe from several threads."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def methods(self) -> dict[str, Method]:
        """The methods by the names that the proto gives them."""
        return {
            "Recommend": self.recommend,
            "SimilarItems": self.similar_items,
            "Score": self.score,
            "BatchRecommend": self.batch_recommend,
        }

    def recommend(self, request: bytes, call: Call) -> bytes:
        """The best items for a user."""
        query = convert.decode_recommend(request)
        call.user_id = query.user_id
        hosted = self._models.pick(query.model, query.user_id)
        answer = hosted.engine.recommend(query)
        response = convert.encode_recommend(answer, _served(hosted, call))
        self._models.shadow(hosted, query, answer)
        return response

    def similar_items(self, request: bytes, call: Call) -> bytes:
        """The items most like one or several others."""
        query = convert.decode_similar_items(request)
        hosted = self._models.pick(query.model, None)
        return convert.encode_similar_items(hosted.engine.similar_items(query), _served(hosted, call))

    def score(self, request: bytes, call: Call) -> bytes:
        """The scores of a user with given items."""
        query = convert.decode_score(request)
        call.user_id = query.user_id
        hosted = self._models.pick(query.model, query.user_id)
        served = Served(hosted.version, call.request_id, "", hosted.experiment, hosted.variant)
        return convert.encode_score(hosted.engine.score(query), served)

    def batch_recommend(self, request: bytes, call: Call) -> bytes:
        """The best items for each of many users."""
        query = convert.decode_batch(request)
        hosted = self._models.pick(query.model, None)
        return convert.encode_batch(hosted.engine.batch(query, call), _served(hosted, call))


def _served(hosted: Hosted, call: Call) -> Served:
    attribution = Attribution(hosted.version, call.request_id, datetime.now(UTC), hosted.experiment, hosted.variant)
    return Served(hosted.version, call.request_id, encode(attribution), hosted.experiment, hosted.variant)
