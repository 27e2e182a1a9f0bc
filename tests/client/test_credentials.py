"""What a client shows, whom it trusts, and where it sends no secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recocore.client import Client
from recocore.client.credentials import CallCredentials, channel_credentials, stays_here
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct-horse-battery"


@pytest.mark.parametrize(
    "target",
    [
        "recocore.internal:50051",
        "10.0.0.1:50051",
        "localhost.example.com:1",
        "127.example.com:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "ipv6:[::2]:1",
        "dns:///recocore.internal:1",
        "dns://8.8.8.8/localhost:1",
        "xds:///localhost",
        "[::ffff:10.0.0.1]:1",
    ],
)
def test_secrets_go_to_no_other_machine_in_plain_text(target: str) -> None:
    assert not stays_here(target)
    for credential in ({"token": SECRET}, {"api_key": SECRET}, {"token": lambda: SECRET}):
        with pytest.raises(InvalidArgumentError, match="expected TLS or a loopback address") as caught:
            Client(target, **credential)
        assert SECRET not in str(caught.value)
    # Without a secret there is nothing to keep.
    Client(target).close()


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1:1", "localhost:1", "[::1]:1", "ipv4:127.0.0.1:1", "ipv6:[::1]:1", "unix:/run/x", "dns:///localhost:1"],
)
def test_this_machine_may_have_them(target: str) -> None:
    Client(target, api_key=SECRET).close()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"token": "a", "api_key": "b"}, "api_key"),
        ({"token": ""}, "token"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"api_key": "ü"}, "api_key"),
        ({"token": lambda: ""}, "token"),
        ({"token": 7}, "token"),
        ({"certificate": b"c"}, "key"),
        ({"key": b"k"}, "certificate"),
        ({"ca": "/none/ca.pem"}, "ca"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_repeated(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Client("127.0.0.1:1", **given)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_a_function_is_asked_before_each_call() -> None:
    tokens = iter(["probe", "one", "two"])
    credentials = CallCredentials(lambda: next(tokens), None)
    assert credentials.metadata() == (("authorization", "Bearer one"),)
    assert credentials.metadata() == (("authorization", "Bearer two"),)
    assert CallCredentials(None, "k").metadata() == (("x-api-key", "k"),)
    assert CallCredentials(None, None).metadata() == ()
    assert SECRET not in repr(CallCredentials(SECRET, None))


def test_files_and_pem_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"PEM")
    for ca in (b"PEM", tmp_path / "ca.pem", str(tmp_path / "ca.pem")):
        assert channel_credentials(ca, None, None) is not None
    assert channel_credentials(None, None, None) is None
