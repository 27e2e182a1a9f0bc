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
    from recocore.service.queries import Template
    from recocore.service.streams import OpenStream

SERVICE_NAME = "recocore.v1.RecommendationService"


class RecommendationServicer:
    """Each method takes the bytes of a request and gives the bytes of its response; safe from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def methods(self) -> dict[str, Method]:
        """The methods of one request and one response, by the names that the proto gives them."""
        return {
            "Recommend": self.recommend,
            "SimilarItems": self.similar_items,
            "Score": self.score,
            "BatchRecommend": self.batch_recommend,
        }

    def streams(self) -> dict[str, OpenStream]:
        """The methods that answer a stream of requests one by one, each as what opens a stream."""
        return {"StreamRecommend": lambda: RecommendStream(self)}

    def recommend(self, request: bytes, call: Call) -> bytes:
        """The best items for a user."""
        query = convert.decode_recommend(request)
        call.user_id = query.user_id or None
        return convert.encode_recommend(self._engine.recommend(query), self.served(call), query.template.form)

    def similar_items(self, request: bytes, call: Call) -> bytes:
        """The items most like one or several others."""
        query = convert.decode_similar_items(request)
        return convert.encode_similar_items(self._engine.similar_items(query), self.served(call), query.template.form)

    def score(self, request: bytes, call: Call) -> bytes:
        """The scores of a user with given items."""
        query = convert.decode_score(request)
        call.user_id = query.user_id
        scores = self._engine.score(query)
        return convert.encode_score(scores, Served(self._engine.version, call.request_id), query)

    def batch_recommend(self, request: bytes, call: Call) -> bytes:
        """The best items for each of many users."""
        query = convert.decode_batch(request)
        return convert.encode_batch(self._engine.batch(query, call), self.served(call), query.template.form)

    def stream_recommend(self, request: bytes, call: Call, template: Template | None) -> tuple[bytes, Template]:
        """The best items for the users of one message of a stream, and what the stream asks for all of them.

        Args:
            request: the message.
            call: the stream.
            template: what the first message asked; None for the first.
        """
        query = convert.decode_stream(request, template)
        rows = self._engine.batch(query, call)
        return convert.encode_stream(rows, self.served(call), query.template.form), query.template

    def served(self, call: Call) -> Served:
        """What an answer to a call says of itself."""
        model = self._engine.version
        return Served(model, call.request_id, encode(Attribution(model, call.request_id, datetime.now(UTC))))


class RecommendStream:
    """The method of one stream: its first message says what to ask for the users of all."""

    def __init__(self, servicer: RecommendationServicer) -> None:
        self._servicer = servicer
        self._template: Template | None = None

    def __call__(self, request: bytes, call: Call) -> bytes:
        """Answer one message; those of a stream come one after the other."""
        response, self._template = self._servicer.stream_recommend(request, call, self._template)
        return response
