"""Requests as callers send them, made or recorded, to warm a model up with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import json_format

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

_RECORDABLE: dict[str, type[Message]] = {
    "Recommend": v1.RecommendRequest,
    "SimilarItems": v1.SimilarItemsRequest,
    "Score": v1.ScoreRequest,
    "BatchRecommend": v1.BatchRecommendRequest,
}


def sample_requests(user_ids: Sequence[str], item_ids: Sequence[str]) -> list[tuple[str, bytes]]:
    """The name of a method and the bytes of a request: for each user and item, for a session, and for all together."""
    requests: list[tuple[str, Message]] = []
    for number, user_id in enumerate(user_ids):
        requests.append(("Recommend", v1.RecommendRequest(user_id=user_id, explain=number == 0)))
        if item_ids:
            requests.append(("Score", v1.ScoreRequest(user_id=user_id, item_ids=item_ids)))
    for item_id in item_ids:
        requests.append(("SimilarItems", v1.SimilarItemsRequest(item_ids=[item_id])))
    if item_ids:
        # What a call is from its user's first event on.
        session = [shared.SessionEvent(item_id=item_ids[0])]
        requests.append(
            ("Recommend", v1.RecommendRequest(user_id=user_ids[0] if user_ids else "nobody", session_events=session))
        )
    # Whom no model knows: what fills the list is warm as well.
    requests.append(("Recommend", v1.RecommendRequest(user_id="nobody")))
    if user_ids:
        requests.append(("BatchRecommend", v1.BatchRecommendRequest(user_ids=user_ids[:1_000])))
    return [(method, bytes(request.SerializeToString())) for method, request in requests]


def read_recorded(path: str) -> list[tuple[str, bytes]]:
    """The requests of a file: see `ModelsConfig.recorded`.

    Raises:
        NotFoundError: the file is not there.
        InvalidArgumentError: a line is no request; the message has its number.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise NotFoundError(f"models.recorded: there is no file {path}; name one, or leave it empty") from None
    except UnicodeDecodeError as error:
        raise _unfit_recording(path, 1, error) from error
    requests = []
    for number, line in enumerate(lines, 1):
        try:
            recorded = json.loads(line)
            method = recorded["method"]
            request = json_format.ParseDict(recorded["request"], _RECORDABLE[method]())
        except (ValueError, KeyError, TypeError, json_format.ParseError) as error:
            raise _unfit_recording(path, number, error) from error
        requests.append((method, bytes(request.SerializeToString())))
    return requests


def _unfit_recording(path: str, number: int, error: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(
        f'models.recorded: {path}: line {number}: expected {{"method": ..., "request": {{...}}}}, got {error!s:.120}; '
        "correct the line or leave it out",
        field="models.recorded",
    )
