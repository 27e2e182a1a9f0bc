"""From credentials to callers, and what is remembered of them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.security.certificates import AUDIENCE, ISSUER
from tests.service.security.secured import NOW, Secured

from recocore.errors import InvalidArgumentError
from recocore.service.logs import Pseudonyms
from recocore.service.security.api_keys import create_key, revoke_key
from recocore.service.security.authenticator import Authenticator, credential_of, names_of
from recocore.service.security.caller import UnauthenticatedError
from recocore.service.security.config import AuthConfig
from recocore.service.security.roles import BUILT_IN, read_roles

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    return Secured.make(tmp_path, "caller")


def authenticator(secured: Secured, clock: Any = time.time, **more: Any) -> Authenticator:
    config = AuthConfig(
        enabled=True,
        api_keys_file=str(secured.folder / "keys.json"),
        jwt_keys_file=str(secured.issuer.path),
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwt_leeway_seconds=0,
        **more,
    )
    return Authenticator(config, Pseudonyms(b"key"), clock)


def knows(found: Authenticator, credential: str) -> bool:
    try:
        found.by_credential(credential)
    except UnauthenticatedError:
        return False
    return True


def test_a_key_and_a_token_say_who_calls(secured: Secured) -> None:
    found = authenticator(secured)
    caller = found.by_credential(secured.keys["caller"])
    assert (caller.name, caller.pseudonym) == ("key:caller", Pseudonyms(b"key").of("key:caller"))
    assert caller.methods == {f"/{name}" for name in BUILT_IN["caller"]}
    for scheme in ("Bearer ", "bearer ", "BEARER  "):
        assert found.by_credential(scheme + secured.issuer.token("analyst", "nonsense")).name == "token:ann"
    assert found.by_credential(secured.keys["caller"]) is caller
    for wrong in (
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {secured.keys['caller']}",
        secured.issuer.token("caller"),
        "\ud800",
    ):
        assert not knows(found, wrong)


def test_what_expires_is_forgotten_at_its_moment(secured: Secured) -> None:
    clock = Clock()
    key, _ = create_key(str(secured.folder / "keys.json"), "short", ["caller"], NOW + 10, now=NOW)
    found = authenticator(secured, clock)
    assert knows(found, key)
    clock.now = NOW + 9.9
    assert knows(found, key)
    clock.now = NOW + 10
    assert not knows(found, key)


def test_what_is_not_good_yet_is_asked_about_again(secured: Secured) -> None:
    """A token from an issuer whose clock is ahead becomes good: it must not be refused for good."""
    clock = Clock()
    found = authenticator(secured, clock)
    key, _ = create_key(str(secured.folder / "keys.json"), "new", ["caller"], now=NOW)
    assert not knows(found, key)
    assert found._keys.look()  # the file is read, and nothing is forgotten
    assert not knows(found, key)
    clock.now += 6
    assert knows(found, key)


def test_a_change_of_a_file_counts_from_the_next_look(secured: Secured) -> None:
    found = authenticator(secured)
    key = secured.keys["caller"]
    assert knows(found, key)
    revoke_key(str(secured.folder / "keys.json"), "caller")
    assert knows(found, key)
    asyncio.run(found.look())
    assert not knows(found, key)


def test_memory_is_bounded(secured: Secured) -> None:
    found = authenticator(secured, cached=3)
    keys = [create_key(str(secured.folder / "keys.json"), f"c{n}", ["caller"], now=NOW)[0] for n in range(5)]
    asyncio.run(found.look())
    assert all(knows(found, key) for key in keys)
    assert len(found._known) == 3
    assert not any(knows(found, f"{keys[0]}{number}") for number in range(1_100))
    assert len(found._refused) == 1_024


def test_names_in_certificates_have_roles(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "roles.toml").write_text(
        '[roles]\nreader = ["a.B/C"]\n[certificates]\n"spiffe://shop/front" = ["reader", "writer"]\n"ops" = ["operator"]\n',
        encoding="utf-8",
    )
    found = authenticator(secured, roles_file=str(tmp_path / "roles.toml"))
    caller = found.by_certificate(("localhost", "spiffe://shop/front"))
    assert (caller.name, "/a.B/C" in caller.methods) == ("certificate:spiffe://shop/front", True)
    assert caller.methods == {"/a.B/C", *(f"/{name}" for name in BUILT_IN["writer"])}
    for names in ((), ("spiffe://shop",), ("SPIFFE://shop/front",)):
        with pytest.raises(UnauthenticatedError):
            found.by_certificate(names)


def test_a_common_name_counts_only_where_there_is_no_other() -> None:
    context = {
        "x509_common_name": [b"ops"],
        "x509_subject_alternative_name": [b"front.example", b"spiffe://shop/front"],
    }
    assert names_of(context) == ("front.example", "spiffe://shop/front")
    assert names_of({"x509_common_name": [b"ops"]}) == ("ops",)
    assert names_of({}) == ()


def test_a_call_has_one_credential() -> None:
    assert credential_of((("x-request-id", "1"), ("x-api-key", "k"))) == "k"
    assert credential_of((("authorization", "Bearer t"),)) == "Bearer t"
    assert credential_of(()) is None
    key, token, binary = ("x-api-key", "a"), ("authorization", "b"), ("x-api-key", b"a")
    for several in ((key, key), (key, token), (binary,)):
        with pytest.raises(UnauthenticatedError):
            credential_of(several)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[roles", "expected TOML"),
        ("[role]\n", r"expected the sections \[roles\] and \[certificates\], got \[role\]"),
        ("roles = 1\n", r"expected a section \[roles\], got 1"),
        ("[roles]\na = 'b'\n", "roles.a: expected a list of texts"),
        ("[roles]\na = [1]\n", "roles.a: expected a list of texts"),
        ("[roles]\na = ['Recommend']\n", "roles.a: expected methods as package.Service/Method, got 'Recommend'"),
        ("[roles]\na = ['/a.B/C']\n", "expected methods as package.Service/Method"),
        ("[roles]\na = ['a.B/*']\n", "expected methods as package.Service/Method"),
        ("[certificates]\nops = ['caler']\n", "certificates.ops: expected roles of analyst, .*got 'caler'"),
    ],
)
def test_a_wrong_file_of_roles_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "roles.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match=said) as caught:
        read_roles(str(tmp_path / "roles.toml"))
    assert caught.value.field == "auth.roles_file"


def test_a_role_of_the_file_takes_the_place_of_one_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "roles.toml").write_text("[roles]\ncaller = ['a.B/C']\n", encoding="utf-8")
    roles = read_roles(str(tmp_path / "roles.toml"))
    assert roles.paths(["caller"]) == {"/a.B/C"}
    assert roles.paths(["operator"]) == {f"/{name}" for name in BUILT_IN["operator"]}
    assert roles.paths(["nobody"]) == frozenset()
    (tmp_path / "roles.toml").chmod(0o666)
    with pytest.raises(InvalidArgumentError, match="closed to others"):
        read_roles(str(tmp_path / "roles.toml"))
