"""What the guard hands on: who calls, to whoever counts and answers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from tests.service.security.secured import Secured

from recocore.service.contexts import Contexts
from recocore.service.logs import Pseudonyms
from recocore.service.observe.observer import CallObserver
from recocore.service.rate_limits import LimitsConfig, RateLimiter
from recocore.service.security.api_keys import revoke_key
from recocore.service.security.auditing import Auditing
from recocore.service.security.authenticator import Authenticator
from recocore.service.security.caller import ADMITTED, UnauthenticatedError
from recocore.service.security.config import AuthConfig, Security
from recocore.service.security.guard import Guard
from recocore.service.security.making import make_guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METHOD = "/recocore.v1.RecommendationService/Recommend"


def asked(guard: Guard, *metadata: tuple[str, str]) -> Any:
    """The handler for a call that has come with this metadata."""
    details: Any = SimpleNamespace(method=METHOD, invocation_metadata=metadata)
    return guard.service(details)


class Context:
    """As much of a call's context as is asked for its name."""

    def __init__(self, *metadata: tuple[str, str]) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    def time_remaining(self) -> float:
        return 5.0

    def peer(self) -> str:
        return "ipv4:10.0.0.7:5012"


class Denials(CallObserver):
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def denied(self, reason: str) -> None:
        self.reasons.append(reason)


@pytest.fixture(autouse=True)
def nobody_admitted() -> Iterator[None]:
    """Whom a guard lets in outside of a loop would otherwise stand for the callers of later tests."""
    before = ADMITTED.set(None)
    yield
    ADMITTED.reset(before)


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    return Secured.make(tmp_path, "caller", "writer")


def guarded(secured: Secured, observer: CallObserver) -> Guard:
    names = Pseudonyms(b"key")
    config = AuthConfig(enabled=True, api_keys_file=str(secured.folder / "keys.json"))
    guard = Guard(config, Authenticator(config, names), False, Auditing(None, 0), observer, names)

    async def answer(request: bytes, _: Any) -> bytes:
        return request

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    guard.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("recocore.v1.RecommendationService", {"Recommend": handler}),)
    )
    return guard


def test_limits_count_by_the_verified_name(secured: Secured) -> None:
    """Not by what the caller says of itself, nor by the address of the proxy that it comes through."""

    async def called() -> tuple[str, str]:
        key = ("x-api-key", secured.keys["caller"])
        assert asked(guarded(secured, CallObserver()), key, ("x-tenant", "vip")) is not None
        limits = LimitsConfig(rate=1, caller_metadata="x-tenant")
        contexts = Contexts(RateLimiter(limits))
        call = contexts.call(Context(key, ("x-tenant", "vip")), ADMITTED.get())  # type: ignore[arg-type]
        return call.caller, call.who

    assert asyncio.run(called()) == ("key:caller", Pseudonyms(b"key").of("key:caller"))

    async def stranger() -> tuple[str, str]:
        contexts = Contexts(RateLimiter(LimitsConfig(rate=1)))
        call = contexts.call(Context(), None)  # type: ignore[arg-type]
        return call.caller, call.who

    assert asyncio.run(stranger()) == ("ipv4:10.0.0.7", "")


def test_a_stream_asks_again_whether_it_may(secured: Secured) -> None:
    denials = Denials()

    async def revoked() -> None:
        guard = guarded(secured, denials)
        asked(guard, ("x-api-key", secured.keys["caller"]))
        admitted = ADMITTED.get()
        assert admitted is not None
        assert admitted.again().name == "key:caller"
        revoke_key(str(secured.folder / "keys.json"), "caller")
        assert guard._authenticator is not None
        await guard._authenticator.look()
        with pytest.raises(UnauthenticatedError):
            admitted.again()

    asyncio.run(revoked())
    assert denials.reasons == ["bad_credential"]


def test_without_leave_nothing_is_handed_out_and_the_reason_is_counted(secured: Secured) -> None:
    denials = Denials()
    guard = guarded(secured, denials)
    answering = asked(guard, ("x-api-key", secured.keys["caller"]))
    assert answering.unary_unary is not None
    credentials: list[tuple[tuple[str, str], ...]] = [
        (),
        (("x-api-key", "rk_x"),),
        (("x-api-key", secured.keys["writer"]),),
    ]
    for metadata in credentials:
        refusing = asked(guard, *metadata)
        # It reads no request: a stream of which nothing is taken.
        assert refusing.unary_unary is None
        assert refusing.stream_stream is not None
    # Counted when the caller is told, which nobody was here.
    assert denials.reasons == []


def test_without_settings_there_is_no_guard(secured: Secured) -> None:
    assert make_guard(Security(), None, CallObserver(), "worker-0") is None
    auth = AuthConfig(enabled=True, api_keys_file=str(secured.folder / "keys.json"))
    assert make_guard(Security(auth=auth), b"key", CallObserver(), "worker-0") is not None
