"""Bearer tokens: which are good, and which keys are taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.service.security.certificates import AUDIENCE, ISSUER, Issuer

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.service.security.tokens import Token, TokenKeys

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, leeway: float = 0.0) -> TokenKeys:
    return TokenKeys.read(str(path), ISSUER, AUDIENCE, leeway)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "jwks.json")


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_good_token_says_who_and_what(issuer: Issuer) -> None:
    expires = int(time.time()) + 60
    text = issuer.token("caller", "writer", subject="shop", exp=expires)
    assert read(issuer.path).verify(text) == Token("shop", ("caller", "writer"), float(expires))
    assert read(issuer.path, 5.0).verify(text) == Token("shop", ("caller", "writer"), expires + 5.0)
    assert read(issuer.path).verify(issuer.token("caller", aud=["other", AUDIENCE])) is not None
    bare = read(issuer.path).verify(issuer.token(roles=None))
    assert bare is not None
    assert (bare.subject, bare.roles) == ("ann", ())
    assert bare.expires == pytest.approx(time.time() + 300, abs=5)


@pytest.mark.parametrize(
    "claims",
    [
        {"seconds": -1},
        {"nbf": int(time.time()) + 86_400},
        {"iat": int(time.time()) + 86_400},
        {"aud": "other"},
        {"aud": None},
        {"iss": "https://other.example"},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {"sub": None},
        {"sub": 7},
        {"kid": "other"},
        {"roles": "caller"},
        {"roles": [1]},
    ],
)
def test_what_a_token_has_to_say(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert read(issuer.path).verify(issuer.token(**claims)) is None


def test_the_leeway_is_for_clocks(issuer: Issuer) -> None:
    text = issuer.token("caller", seconds=-3)
    assert read(issuer.path).verify(text) is None
    assert read(issuer.path, 30.0).verify(text) is not None


def test_a_token_does_not_choose_its_algorithm(issuer: Issuer) -> None:
    good = issuer.token("caller")
    _, payload, signature = good.split(".")
    keys = read(issuer.path)
    assert keys.verify(good) is not None
    for algorithm in ("none", "None", "HS256", "ES256", "RS256", "EdDSA "):
        head = encoded({"alg": algorithm, "kid": issuer.kid, "typ": "JWT"})
        assert keys.verify(f"{head}.{payload}.") is None
        assert keys.verify(f"{head}.{payload}.{signature}") is None
    # The public key as the secret of a shared-key signature: the oldest trick.
    form = (Encoding.Raw, PublicFormat.Raw)
    secret = issuer.key.public_key().public_bytes(*form)
    head = encoded({"alg": "HS256", "kid": issuer.kid})
    digest = hmac.digest(secret, f"{head}.{payload}".encode(), hashlib.sha256)
    assert keys.verify(f"{head}.{payload}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}") is None


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "ü.ü.ü", "e30.e30.", "x" * 9_000, "\ud800"])
def test_what_is_no_token_is_not_good(issuer: Issuer, text: str) -> None:
    assert read(issuer.path).verify(text) is None


def test_a_token_of_another_issuer_with_the_same_key_id_is_not_good(issuer: Issuer, tmp_path: Path) -> None:
    other = Issuer(tmp_path / "other.json")
    assert read(issuer.path).verify(other.token("caller")) is None


def test_keys_of_every_kind_and_several_at_once(issuer: Issuer, tmp_path: Path) -> None:
    curve, large = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65_537, 2048)
    entries = [
        issuer.public(),
        {**jwt.algorithms.ECAlgorithm.to_jwk(curve.public_key(), as_dict=True), "kid": "curve", "use": "sig"},
        {**jwt.algorithms.RSAAlgorithm.to_jwk(large.public_key(), as_dict=True), "kid": "large", "alg": "RS256"},
    ]
    path = tmp_path / "several.json"
    path.write_text(json.dumps({"keys": entries}), encoding="ascii")
    keys = read(path)
    assert len(keys) == 3
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 60}
    for key, algorithm, kid in ((issuer.key, "EdDSA", "first"), (curve, "ES256", "curve"), (large, "RS256", "large")):
        assert keys.verify(jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})) is not None
    assert keys.verify(jwt.encode(body, curve, algorithm="ES256", headers={"kid": "first"})) is None
    assert keys.verify(jwt.encode(body, large, algorithm="PS256", headers={"kid": "large"})) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kid": None}, r"keys\[0\].kid: expected an id"),
        ({"kid": ""}, r"keys\[0\].kid: expected an id"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "expected an Ed25519, P-256 or RSA key, got kty 'oct'"),
        ({"crv": "Ed448"}, "expected an Ed25519, P-256 or RSA key, got kty 'OKP', crv 'Ed448'"),
        ({"alg": "HS256"}, "expected a key that signs with EdDSA"),
        ({"use": "enc"}, "expected a key that signs with EdDSA"),
        ({"d": "AAAA"}, "expected a public key, got a private one"),
        ({"x": "AAAA"}, "expected a key, got"),
    ],
)
def test_a_key_that_is_not_taken_is_named(issuer: Issuer, change: dict[str, Any], said: str) -> None:
    issuer.path.write_text(json.dumps({"keys": [{**issuer.public(), **change}]}), encoding="ascii")
    with pytest.raises(InvalidArgumentError, match=said) as caught:
        read(issuer.path)
    assert caught.value.field == "auth.jwt_keys_file"
    assert "c2VjcmV0" not in str(caught.value)


def test_a_small_rsa_key_and_a_twin_are_refused(issuer: Issuer) -> None:
    issuer.path.write_text(json.dumps({"keys": [issuer.public()] * 2}), encoding="ascii")
    with pytest.raises(InvalidArgumentError, match=r"keys\[1\].kid: expected an id that no other key has, got 'first'"):
        read(issuer.path)
    small = rsa.generate_private_key(65_537, 1024).public_key()
    entry = {**jwt.algorithms.RSAAlgorithm.to_jwk(small, as_dict=True), "kid": "small"}
    issuer.path.write_text(json.dumps({"keys": [entry]}), encoding="ascii")
    with pytest.raises(InvalidArgumentError, match="expected at least 2048 bits, got 1024"):
        read(issuer.path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": 1}', '{"keys": [1]}', "\xff"])
def test_what_is_no_key_set_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "jwks.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InvalidArgumentError, match="expected a JSON Web Key Set"):
        read(tmp_path / "jwks.json")
    with pytest.raises(NotFoundError, match="there is no such file"):
        read(tmp_path / "none.json")


def test_a_key_set_that_others_may_write_is_refused(issuer: Issuer) -> None:
    issuer.path.chmod(0o666)
    with pytest.raises(InvalidArgumentError, match="expected a file closed to others, got mode 0666; chmod go-w"):
        read(issuer.path)
