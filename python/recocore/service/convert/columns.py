"""Encodes what many calls ask for without a message object for each item: a page of ten takes 2 us instead of 40.

The bytes are those of the wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding), where a message
may be written in parts: fields of the same message, one after the other in any order.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from recocore import _native
from recocore.index import SOURCES
from recocore.service import limits
from recocore.service.convert.responses import FALLBACK, SOURCE, experiment_of
from recocore.service.problems import ResponseTooLargeError
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from recocore.service.queries import ColumnRanking, Served

# The number of each of `SOURCES` in the protocol.
_SOURCE_NUMBERS = bytes(SOURCE[source] for source in SOURCES)


def encode_shared(ranking: ColumnRanking, served: Served) -> bytes:
    """The part of a RecommendResponse that every call with the same request to the same models gets.

    Raises:
        ResponseTooLargeError: it is larger than a message may be.
    """
    columns = ranking.columns
    data = _native.encode_scored_items(list(columns.item_ids), columns.scores, columns.sources, _SOURCE_NUMBERS)
    data += _encode_about(served, columns.fallback_used)
    if ranking.next_page_token:
        data += bytes(v1.RecommendResponse(next_page_token=ranking.next_page_token).SerializeToString())
    if ranking.missing_ids:
        missing = [str(id_) for id_ in ranking.missing_ids]
        data += bytes(v1.RecommendResponse(missing_ids=missing).SerializeToString())
    if len(data) > limits.MAX_MESSAGE_BYTES - limits.MAX_OWN_BYTES:
        raise ResponseTooLargeError(len(data))
    return data


# A server answers from a few models, and most lists are the model's own.
@functools.lru_cache(maxsize=64)
def _encode_about(served: Served, fallback_used: str) -> bytes:
    about = v1.RecommendResponse(
        served_model=served.model, fallback_used=FALLBACK[fallback_used], experiment=experiment_of(served)
    )
    return bytes(about.SerializeToString())


def encode_own(request_id: str, attribution_token: str) -> bytes:
    """The part of a RecommendResponse that is one call's own."""
    own = v1.RecommendResponse(attribution_token=attribution_token, request_id=request_id)
    return bytes(own.SerializeToString())
