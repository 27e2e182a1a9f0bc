"""What a call pays for being known: the guard's decision, from headers to the handler of the method."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from recocore.service.logs import Pseudonyms
from recocore.service.observe.observer import CallObserver
from recocore.service.security.api_keys import create_key
from recocore.service.security.auditing import Auditing
from recocore.service.security.authenticator import Authenticator
from recocore.service.security.config import AuthConfig
from recocore.service.security.guard import Guard

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = "recocore.v1.RecommendationService"


def asked(*metadata: tuple[str, str]) -> Any:
    """What gRPC says of a call that has come."""
    return SimpleNamespace(method=f"/{SERVICE}/Recommend", invocation_metadata=metadata)


@pytest.fixture
def bearer() -> tuple[ed25519.Ed25519PrivateKey, str]:
    key = ed25519.Ed25519PrivateKey.generate()
    claims = {"iss": "i", "aud": "a", "sub": "shop", "exp": int(time.time()) + 86_400, "roles": ["caller"]}
    return key, jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "k"})


def guard(folder: Path, key: ed25519.Ed25519PrivateKey, *, is_on: bool = True) -> Guard:
    entry = {**jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k"}
    (folder / "jwks.json").write_text(json.dumps({"keys": [entry]}), encoding="ascii")
    config = AuthConfig(True, "", str(folder / "keys.json"), str(folder / "jwks.json"), "i", "a")
    names = Pseudonyms(b"key")
    made = Guard(
        config, Authenticator(config, names) if is_on else None, False, Auditing(None, 0), CallObserver(), names
    )

    async def answer(request: bytes, _: Any) -> bytes:
        return request

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Recommend": method}),))
    return made


@pytest.mark.parametrize("kind", ["without", "key", "token", "stranger", "wrong key"])
def test_a_decision(benchmark: Any, tmp_path: Path, bearer: Any, kind: str) -> None:
    text, _ = create_key(str(tmp_path / "keys.json"), "shop", ["caller"], now=time.time())
    private, token = bearer
    credentials: dict[str, tuple[tuple[str, str], ...]] = {
        "without": (),
        "key": (("x-api-key", text),),
        "token": (("authorization", f"Bearer {token}"),),
        "stranger": (),
        "wrong key": (("x-api-key", text[:-1] + "~"),),
    }
    metadata = (("user-agent", "grpc-python/1.85"), ("x-request-id", "0123456789abcdef"), *credentials[kind])
    details = asked(*metadata)
    benchmark(guard(tmp_path, private, is_on=kind != "without").service, details)


def test_a_token_for_the_first_time(benchmark: Any, tmp_path: Path, bearer: Any) -> None:
    create_key(str(tmp_path / "keys.json"), "shop", ["caller"], now=time.time())
    private, token = bearer
    made = guard(tmp_path, private)
    authenticator: Any = made._authenticator

    def first() -> None:
        authenticator._known.clear()
        made.service(asked(("authorization", f"Bearer {token}")))

    benchmark(first)
