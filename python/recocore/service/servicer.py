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
    from recocore.service.engine import Engine

SERVICE_NAME = "recocore.v1.RecommendationService"


class RecommendationServicer:
    """Each method takes the bytes of a request and gives the bytes of its response; safe from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        return convert.encode_recommend(self._engine.recommend(query), self._served(call))

    def similar_items(self, request: bytes, call: Call) -> bytes:
        """The items most like one or several others."""
        query = convert.decode_similar_items(request)
        return convert.encode_similar_items(self._engine.similar_items(query), self._served(call))

    def score(self, request: bytes, call: Call) -> bytes:
        """The scores of a user with given items."""
        query = convert.decode_score(request)
        call.user_id = query.user_id
        scores = self._engine.score(query)
        return convert.encode_score(scores, Served(self._engine.version, call.request_id))

    def batch_recommend(self, request: bytes, call: Call) -> bytes:
        """The best items for each of many users."""
        query = convert.decode_batch(request)
        return convert.encode_batch(self._engine.batch(query, call), self._served(call))

    def _served(self, call: Call) -> Served:
        model = self._engine.version
        return Served(model, call.request_id, encode(Attribution(model, call.request_id, datetime.now(UTC))))
