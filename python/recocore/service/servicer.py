"""The methods of RecommendationService: decode, ask the engine, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recocore.errors import NotFoundError
from recocore.service import convert
from recocore.service.events.personal import NOBODY
from recocore.service.queries import Served
from recocore.service.recommending import Recommending
from recocore.service.served import pick, served

if TYPE_CHECKING:
    from recocore.service.call import Call
    from recocore.service.events.personal import People
    from recocore.service.hosting.host import Hosted, Models
    from recocore.service.queries import Template
    from recocore.service.running import Method
    from recocore.service.streams import OpenStream

SERVICE_NAME = "recocore.v1.RecommendationService"


class RecommendationServicer:
    """Each method takes the bytes of a request and gives the bytes of its response; safe from several threads.

    Args:
        models: what ranks.
        people: what is known of users beside the models.
        key: signs attribution tokens; None leaves them unsigned.
    """

    def __init__(self, models: Models, people: People = NOBODY, key: bytes | None = None) -> None:
        self._models = models
        self._people = people
        self._key = key
        self._recommending = Recommending(models, people, key)

    def methods(self) -> dict[str, Method]:
        """The methods of one request and one response, by the names that the proto gives them."""
        return {
            "Recommend": self.recommend,
            "SimilarItems": self.similar_items,
            "Score": self.score,
            "BatchRecommend": self.batch_recommend,
        }

    def batches(self) -> dict[str, Recommending]:
        """Those of them that answer requests that arrive together, in one go."""
        return {"Recommend": self._recommending}

    def streams(self) -> dict[str, OpenStream]:
        """The methods that answer a stream of requests one by one, each as what opens a stream."""
        return {"StreamRecommend": lambda: RecommendStream(self)}

    def recommend(self, request: bytes, call: Call) -> bytes:
        """The best items for a user."""
        (answer,) = self._recommending.answer_all([request], [call])
        if isinstance(answer, Exception):
            raise answer
        self._recommending.given(request, call)
        return answer.to(call, self._key)

    def similar_items(self, request: bytes, call: Call) -> bytes:
        """The items most like one or several others."""
        query = convert.decode_similar_items(request)
        call.placement = query.template.placement
        call.hosted = hosted = pick(self._models, query, None)
        return convert.encode_similar_items(
            hosted.engine.similar_items(query), served(hosted, call, self._key), query.template.form
        )

    def score(self, request: bytes, call: Call) -> bytes:
        """The scores of a user with given items."""
        query = convert.decode_score(request)
        call.user_id = query.user_id
        if self._people.hides(query.user_id):
            raise NotFoundError(f"user_id: {query.user_id!r} must not be ranked by what they did")
        call.hosted = hosted = self._models.pick(query.model, query.user_id)
        about = Served(hosted.version, call.request_id, "", hosted.experiment, hosted.variant)
        return convert.encode_score(hosted.engine.score(query), about, query)

    def batch_recommend(self, request: bytes, call: Call) -> bytes:
        """The best items for each of many users."""
        query = convert.decode_batch(request)
        call.placement = query.template.placement
        self._people.wait_here(query.min_commit, call)
        call.hosted = hosted = self._models.pick(query.model, None)
        rows = hosted.engine.batch(query, call, self._people.known_to(hosted.engine))
        return convert.encode_batch(rows, served(hosted, call, self._key), query.template.form)

    def stream_recommend(self, request: bytes, call: Call, opened: Opened | None) -> tuple[bytes, Opened]:
        """The best items for the users of one message of a stream, and what holds for all of its messages.

        Args:
            request: the message.
            call: the stream.
            opened: what the first message asked, and the model that answers; None for the first.
        """
        query = convert.decode_stream(request, opened.template if opened else None)
        call.placement = query.template.placement
        self._people.wait_here(query.min_commit, call)
        call.hosted = hosted = opened.hosted if opened else self._models.pick(query.model, None)
        rows = hosted.engine.batch(query, call, self._people.known_to(hosted.engine))
        response = convert.encode_stream(rows, served(hosted, call, self._key), query.template.form)
        return response, opened or Opened(query.template, hosted)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the first message of a stream settles for all.

    Attributes:
        template: what is asked for each user.
        hosted: what answers, whatever is swapped meanwhile.
    """

    template: Template
    hosted: Hosted


class RecommendStream:
    """The method of one stream: its first message says what to ask for the users of all."""

    def __init__(self, servicer: RecommendationServicer) -> None:
        self._servicer = servicer
        self._opened: Opened | None = None

    def __call__(self, request: bytes, call: Call) -> bytes:
        """Answer one message; those of a stream come one after the other."""
        response, self._opened = self._servicer.stream_recommend(request, call, self._opened)
        return response
