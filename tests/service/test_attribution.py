from __future__ import annotations

import base64
import re
import struct
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore.errors import InvalidArgumentError
from recocore.service.attribution import Attribution, decode, encode

REQUEST_IDS = st.text("ABCabc019_-", min_size=1, max_size=64)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TOKEN = encode(Attribution("als-7", "request-1", datetime(2026, 5, 6, tzinfo=UTC)))


@given(TEXTS, REQUEST_IDS, TIMES, TEXTS, TEXTS)
def test_decode_gives_back_what_encode_took(
    model: str, request_id: str, issued_at: datetime, experiment: str, variant: str
) -> None:
    token = encode(Attribution(model, request_id, issued_at, experiment, variant))
    found = decode(token)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert (found.served_model, found.request_id) == (model, request_id)
    assert (found.experiment, found.variant) == (experiment, variant)
    assert timedelta(0) <= issued_at - found.issued_at < timedelta(milliseconds=1)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AZaz09-_"))
def test_one_changed_character_is_noticed(position: int, character: str) -> None:
    damaged = TOKEN[:position] + character + TOKEN[position + 1 :]
    unused_bits = base64.urlsafe_b64decode(damaged + "==") == base64.urlsafe_b64decode(TOKEN + "==")
    if unused_bits:
        assert decode(damaged) == decode(TOKEN)
    else:
        with pytest.raises(InvalidArgumentError, match="attribution_token is damaged"):
            decode(damaged)


@given(st.text(max_size=200))
def test_any_text_is_refused_or_decoded(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        decode(text)
    assert caught.value.field == "attribution_token"


@pytest.mark.parametrize("cut", range(len(TOKEN)))
def test_a_shortened_token_is_refused(cut: int) -> None:
    with pytest.raises(InvalidArgumentError):
        decode(TOKEN[:cut])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (struct.pack(">BQB", 4, 0, 0), "has format 4, this version knows formats 1 to 3"),
        (struct.pack(">BQ", 1, 0), "is damaged"),
        (struct.pack(">BQ", 2, 0), "is damaged"),
        (struct.pack(">BQ", 2, 0) + b"\0\0" * 3, "is damaged"),
        (struct.pack(">BQ", 2, 0) + b"\0\0" * 5, "is damaged"),
        (struct.pack(">BQ", 2, 0) + b"\0\0" * 3 + b"\0", "is damaged"),
        (struct.pack(">BQ", 2, 0) + b"\0\0" * 3 + b"\0\2a", "is damaged"),
        (struct.pack(">BQB", 1, 2**64 - 1, 0), "is damaged"),
        (struct.pack(">BQB", 1, 0, 1) + b"\xff", "is damaged"),
        (struct.pack(">BQB", 1, 0, 0) + b"\xff", "is damaged"),
    ],
)
def test_a_token_with_a_good_checksum_is_still_checked(body: bytes, message: str) -> None:
    token = base64.urlsafe_b64encode(body + struct.pack(">I", zlib.crc32(body))).decode()
    with pytest.raises(InvalidArgumentError, match=message):
        decode(token)


def test_a_very_long_token_is_refused_unread() -> None:
    with pytest.raises(InvalidArgumentError, match="has 5000 characters, at most 1024"):
        decode("A" * 5000)


def test_a_token_of_format_1_is_still_read() -> None:
    # Written by the version before experiments, of Attribution("als-7", "request-1", 2026-05-06 UTC).
    body = struct.pack(">BQB", 1, 1_778_025_600_000, 9) + b"request-1als-7"
    token = base64.urlsafe_b64encode(body + struct.pack(">I", zlib.crc32(body))).rstrip(b"=").decode()
    assert decode(token) == Attribution("als-7", "request-1", datetime(2026, 5, 6, tzinfo=UTC), "", "")
