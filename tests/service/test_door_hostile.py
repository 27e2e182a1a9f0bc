"""Bodies and bytes that nobody sends by mistake: the door refuses them, and goes on."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from typing import TYPE_CHECKING

import pytest
from tests.service.http_calls import ask, connect, post

from recocore.service import limits

if TYPE_CHECKING:
    from tests.service.server_process import ServerProcess

MALFORMED = [
    b"",
    b" ",
    b"{",
    b'{"user_id": "a"',
    b'{"user_id": "a"} {}',
    b"{'user_id': 'a'}",
    b"[]",
    b'"even"',
    b"7",
    b"null",
    b'{"user_id": "a", "user_id": "b"}',
    b'{"user_id": "a", "userId": "b"}',
    b'{"user_id": 7}',
    b'{"user_id": ["a"]}',
    b'{"user_id": "\\ud800"}',
    b'{"user_id": "\xff"}',
    b'\xef\xbb\xbf{"user_id": "a"}',
    '{"user_id": "a"}'.encode("utf-16"),
    b'{"user_id": "a", "page_size": NaN}',
    b'{"user_id": "a", "page_size": -Infinity}',
    b'{"user_id": "a", "page_size": 1e999}',
    b'{"user_id": "a", "page_size": 2147483648}',
    b'{"user_id": "a", "page_size": 1' + b"0" * 4_000 + b"}",
    b'{"user_id": "a", "page_size": 1' + b"0" * 1_000_000 + b"}",
    b'{"user_id": "a", "page_size": 1.5}',
    b'{"user_id": "a", "page_size": true}',
    b'{"user_id": "a", "page_size": {}}',
    b'{"user_id": "a", "explain": 1}',
    b'{"user_id": "a", "seen_policy": "EXCLUDE"}',
    b'{"user_id": "a", "exclude_item_ids": "i00"}',
    b'{"user_id": "a", "exclude_item_ids": {"0": "i00"}}',
    b'{"user_id": "a", "exclude_item_ids": [null]}',
    b"[" * 1_000_000,
    b'{"user_id": ' * 300_000,
]


@pytest.mark.parametrize("body", MALFORMED, ids=[body[:30].decode("latin-1") for body in MALFORMED])
def test_a_body_that_is_no_request_is_refused(door: ServerProcess, body: bytes) -> None:
    answer = post(door.address, "/v1/recommend", body)
    assert (answer.status, answer.problem.code, answer.reason) == (400, 3, "MALFORMED_REQUEST")
    assert len(answer.body["message"]) < 300


@pytest.mark.parametrize("value", [b"[]", b'""', b"[{}]", b"7", b"true"])
def test_a_message_inside_is_an_object(door: ServerProcess, value: bytes) -> None:
    answer = post(door.address, "/v1/batch-recommend", b'{"user_ids": ["a"], "template": ' + value + b"}")
    assert (answer.status, answer.reason) == (400, "MALFORMED_REQUEST")
    assert answer.body["message"].startswith("template: expected an object, got ")


def test_a_huge_name_is_not_repeated_in_full(door: ServerProcess) -> None:
    answer = post(door.address, "/v1/recommend", {"x" * 1_000_000: 1})
    assert (answer.status, answer.fields) == (400, ["x" * 64])


def test_mutated_bodies_are_answered(door: ServerProcess) -> None:
    rng = random.Random("bodies")
    valid = json.dumps(
        {"user_ids": ["even", "who"], "template": {"page_size": 2, "fallback": "FALLBACK_NONE"}}
    ).encode()
    pieces = [b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"-1", b"1e99", b"\\u0000", b"\xff", b'"template":']
    statuses = set()
    connection = connect(door.address)
    for _ in range(1_000):
        body = bytearray(valid)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(body))
            match rng.randrange(3):
                case 0:
                    body[at] ^= 1 << rng.randrange(8)
                case 1:
                    body[at:at] = rng.choice(pieces)
                case _:
                    del body[at : at + rng.randint(1, 5)]
        answer = ask(connection, "/v1/batch-recommend", bytes(body))
        statuses.add(answer.status)
        assert answer.status in {200, 400}, (body, answer)
        if answer.status == 400:
            assert answer.reason in {"MALFORMED_REQUEST", "INVALID_ARGUMENT"}, (body, answer)
    connection.close()
    assert statuses == {200, 400}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"4"),
        (b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"400"),
        (b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n", b"4"),
        (b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", b"4"),
        (b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", b"4"),
        (b"GET /healthz\x00 HTTP/1.1\r\nhost: x\r\n\r\n", b"4"),
        (
            b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n",
            b"413",
        ),
    ],
)
def test_bytes_that_are_no_http_are_refused(door: ServerProcess, sent: bytes, status: bytes) -> None:
    host, port = door.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(sent)
        with contextlib.suppress(OSError):  # it may have been refused, and closed, already
            connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65_536)
    assert not answer or answer.startswith(b"HTTP/1.1 " + status), answer
    assert post(door.address, "/v1/recommend", {"user_id": "even"}).status == 200


def test_a_body_in_chunks_is_counted_as_it_comes(door: ServerProcess) -> None:
    connection = connect(door.address)
    # Chunks have no length in front; the door stops reading in the middle, so that sending may fail.
    chunks = (b" " * 65_536 for _ in range(2 * limits.MAX_MESSAGE_BYTES // 65_536))
    connection.putrequest("POST", "/v1/recommend")
    connection.putheader("content-type", "application/json")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    try:
        for chunk in chunks:
            connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        connection.send(b"0\r\n\r\n")
        assert connection.getresponse().status == 413
    except ConnectionError:
        pass
    finally:
        connection.close()
    assert post(door.address, "/v1/recommend", {"user_id": "even"}).status == 200


def test_a_body_that_does_not_come_ends_with_the_deadline(door: ServerProcess) -> None:
    connection = connect(door.address)
    connection.putrequest("POST", "/v1/recommend")
    for name, value in (("content-type", "application/json"), ("content-length", "1000"), ("x-timeout-ms", "200")):
        connection.putheader(name, value)
    connection.endheaders(b'{"user_id":')
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    assert (response.status, body["code"]) == (504, 4)
    assert "before the body had come" in body["message"]
