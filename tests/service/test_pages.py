"""Lists page by page: whole, of one model, and of one request."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.server_process import ServerProcess

from recocore.client import Client, In, ServiceError
from recocore.errors import InvalidArgumentError
from recocore.service.page_tokens import PageToken, bind, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.client import Item


def fail(function: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        function()
    return caught.value


@pytest.mark.parametrize("size", [1, 7, 19, 38, 39, 500])
def test_pages_add_up_to_the_list(client: Client, size: int) -> None:
    for user in ("even", "nobody"):
        whole = client.recommend(user, 500).items
        pages = list(client.recommend_pages(user, size))
        assert [item for page in pages for item in page.items] == list(whole)
        assert all(len(page.items) == size for page in pages[:-1])


def test_similar_items_have_pages_too(client: Client) -> None:
    whole = client.similar_items(["i05", "i09"], 500, negative_item_ids=["i30"]).items
    items: list[Item] = []
    token = ""
    for _ in range(9):
        page = client.similar_items(["i05", "i09"], 5, negative_item_ids=["i30"], page_token=token)
        items.extend(page.items)
        token = page.next_page_token
        if not token:
            break
    assert items == list(whole)


def test_the_last_page_has_no_token(client: Client) -> None:
    assert client.recommend("even", 39).next_page_token == ""
    assert client.recommend("even", 38).next_page_token != ""


@pytest.mark.parametrize(
    "changed",
    [
        {"user_id": "odd"},
        {"exclude_item_ids": ["i01"]},
        {"candidate_item_ids": ["i01"]},
        {"seen_policy": "include"},
        {"fallback": "none"},
        {"filter": In("brand", ["b1"])},
        {"session_events": ["i03"]},
        {"context_item_ids": ["i03"]},
        {"personalization": "context"},
    ],
)
def test_a_token_belongs_to_its_request(client: Client, changed: dict[str, Any]) -> None:
    token = client.recommend("even", 3).next_page_token
    error = fail(lambda: client.recommend(**{"user_id": "even", "page_size": 3, "page_token": token, **changed}))
    assert (error.status, error.reason) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert [violation.field for violation in error.violations] == ["page_token"]
    assert "start again" in error.message


def test_what_does_not_decide_on_the_list_may_change(client: Client) -> None:
    token = client.recommend("even", 3, placement="home").next_page_token
    next_three = client.recommend("even", 3, page_token=token).items
    assert [item.item_id for item in next_three] == ["i10", "i12", "i14"]
    changed = client.recommend("even", 2, page_token=token, packed=True, placement="basket")
    assert changed.items == next_three[:2]
    masked = client.recommend("even", 3, page_token=token, explain=True, read_mask=["items.item_id"])
    assert [item.item_id for item in masked.items] == ["i10", "i12", "i14"]


def test_a_token_of_similar_items_is_none_of_recommend(client: Client) -> None:
    token = client.similar_items(["i05"], 3).next_page_token
    assert fail(lambda: client.recommend("even", 3, page_token=token)).violations[0].field == "page_token"
    assert fail(lambda: client.similar_items(["i06"], 3, page_token=token)).violations[0].field == "page_token"


def test_a_page_of_a_model_that_is_gone_has_expired(client: Client) -> None:
    token = decode(client.recommend("even", 3).next_page_token)
    other = encode(PageToken("stub-0", token.offset, token.binding))
    error = fail(lambda: client.recommend("even", 3, page_token=other))
    assert (error.status, error.reason, error.violations) == ("FAILED_PRECONDITION", "PAGE_EXPIRED", ())
    assert "stub-0 that ranked the pages before is no longer loaded; start again" in error.message


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("???", "got something else"),
        ("é", "got something else"),
        ("AQ", "got a shortened one"),
        ("A" * 513, "got 513 characters, no token has more than 512"),
        (base64.urlsafe_b64encode(b"\x02" + bytes(20)).decode().rstrip("="), "format 2, this version knows format 1"),
        (base64.urlsafe_b64encode(b"\x01" + bytes(12) + b"\xff").decode().rstrip("="), "got something else"),
    ],
)
def test_what_is_no_token_is_refused(client: Client, token: str, message: str) -> None:
    error = fail(lambda: client.recommend("even", page_token=token))
    assert (error.status, error.violations[0].field) == ("INVALID_ARGUMENT", "page_token")
    assert message in error.message


def test_a_made_up_offset_reaches_no_further_than_pages_do(client: Client) -> None:
    token = decode(client.recommend("even", 3).next_page_token)
    far = fail(lambda: client.recommend("even", 3, page_token=encode(PageToken(token.version, 5_000, token.binding))))
    assert "expected one within 5000 items, got 5000 before it" in far.message
    near = client.recommend("even", 3, page_token=encode(PageToken(token.version, 4_999, token.binding)))
    assert near.items == ()


def test_pages_reach_five_thousand_items_far() -> None:
    with ServerProcess.stub(items=5_200) as server, Client(server.address, timeout=30) as client:
        pages = list(client.recommend_pages("nobody", 480))
    assert [len(page.items) for page in pages] == [480] * 10 + [200]
    assert len({item.item_id for page in pages for item in page.items}) == 5_000


@given(st.text(max_size=40), st.integers(0, 2**32 - 1), st.text(max_size=20), st.binary(max_size=40))
def test_decode_gives_back_what_encode_took(version: str, offset: int, user: str, shape: bytes) -> None:
    token = PageToken(version, offset, bind(user, shape))
    assert decode(encode(token)) == token


@given(st.text(max_size=700))
def test_any_text_is_refused_or_decoded(text: str) -> None:
    with contextlib.suppress(InvalidArgumentError):
        token = decode(text)
        assert decode(encode(token)) == token


def test_the_binding_tells_user_and_request_apart() -> None:
    assert bind("ab", b"c") != bind("a", b"bc")
    assert bind("a", b"") != bind("", b"a")
