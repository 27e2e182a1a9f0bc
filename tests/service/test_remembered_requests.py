"""What small requests ask is decoded once; a request means the same whichever way it is decoded."""

from __future__ import annotations

import random

import pytest
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

from recocore.errors import RecocoreError
from recocore.service import convert
from recocore.service.page_tokens import PageToken, bind, encode
from recocore.service.queries import RecommendQuery


def decoded(data: bytes) -> RecommendQuery | tuple[type, str]:
    try:
        return convert.decode_recommend(data)
    except RecocoreError as error:
        return type(error), str(error)


def user(user_id: bytes) -> bytes:
    """The field `user_id` on the wire, where its length takes one byte or two."""
    length = len(user_id)
    return b"\x0a" + (bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])) + user_id


def some_request(rng: random.Random) -> v1.RecommendRequest:
    request = v1.RecommendRequest(page_size=rng.choice([0, 1, 10, 100, 101, -1]))
    if rng.random() < 0.3:
        request.exclude_item_ids.extend(rng.choices(["a", "b", ""], k=2))
    if rng.random() < 0.2:
        request.explain = True
    if rng.random() < 0.2:
        request.personalization = shared.PERSONALIZATION_NONE
    if rng.random() < 0.1:
        request.page_token = rng.choice(["none", encode(PageToken("als-1", 10, bind("ann", b"")))])
    if rng.random() < 0.1:
        request.min_commit_token = "later"
    if rng.random() < 0.1:
        request.placement = rng.choice(["home", "x" * 600])
    return request


@pytest.mark.parametrize("seed", range(40))
def test_where_the_user_stands_in_a_request_is_no_matter(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        rest = some_request(rng).SerializeToString()
        who = user(
            rng.choice([b"ann", b"", "é".encode(), b"x" * 127, b"x" * 128, b"x" * 257, b"\xff", b"\xed\xa0\x80"])
        )
        first, last = decoded(who + rest), decoded(rest + who)
        # Twice: the second time it is remembered.
        assert first == last == decoded(who + rest)


def test_the_last_of_two_users_counts() -> None:
    data = user(b"ann") + user(b"bob")
    query = decoded(data)
    assert isinstance(query, RecommendQuery)
    assert query.user_id == v1.RecommendRequest.FromString(data).user_id == "bob"


@pytest.mark.parametrize("data", [b"", b"\x0a", b"\x0a\x05ann", b"\x0a\x03ann\x08", b"\x0a\x03ann\x0a", b"\x0a\x83"])
def test_a_request_that_is_cut_off_is_refused(data: bytes) -> None:
    found = decoded(data)
    assert not isinstance(found, RecommendQuery)
