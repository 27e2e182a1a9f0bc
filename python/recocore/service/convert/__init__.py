"""The one place where protos and plain values meet: decode and check requests, encode answers and problems.

A request is decoded into a query of `queries.py`, with everything that is wrong with it said at once; what has to be checked
against a model is not checked here but in `engine.py`.
"""

from recocore.service.convert.columns import encode_own, encode_shared
from recocore.service.convert.errors import encode_problem
from recocore.service.convert.requests import (
    decode_batch,
    decode_recommend,
    decode_score,
    decode_similar_items,
    decode_stream,
    read_user,
)
from recocore.service.convert.responses import (
    encode_batch,
    encode_recommend,
    encode_score,
    encode_similar_items,
    encode_stream,
)
from recocore.service.convert.samples import read_recorded, sample_requests

__all__ = [
    "decode_batch",
    "decode_recommend",
    "decode_score",
    "decode_similar_items",
    "decode_stream",
    "encode_batch",
    "encode_own",
    "encode_problem",
    "encode_recommend",
    "encode_score",
    "encode_shared",
    "encode_similar_items",
    "encode_stream",
    "read_recorded",
    "read_user",
    "sample_requests",
]
