"""Every method of every service, by descriptors: without, with a wrong, an expired and a low-role credential, and each role."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tests.service.registries import made_registry
from tests.service.security.certificates import write_private
from tests.service.security.secured import AUDIT_KEY, PSEUDONYM_KEY, Secured, serve
from tests.service.watched import until

from recocore.client import Client, ServiceError
from recocore.service.door.descriptors import Descriptors
from recocore.service.logs import Pseudonyms
from recocore.service.security.api_keys import create_key, revoke_key
from recocore.service.security.audit_chain import verify
from recocore.service.security.roles import AUDITED, BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.server_process import ServerProcess

EVERYBODY = frozenset(BUILT_IN)
_RECOMMENDATION = "recocore.v1.RecommendationService"
_MODEL = "recocore.v1.ModelService"
_EVENT = "recocore.v1.EventService"
_PRIVACY = "recocore.v1.PrivacyService"
_FRAUD = "recocore.v1.FraudService"
_PROFILE = "recocore.v1.ProfileService"

# Who may call what, written down a second time: a method without a row here fails, whatever the service's own table says.
WHO_MAY: dict[str, frozenset[str]] = {
    "grpc.health.v1.Health/Check": EVERYBODY,
    "grpc.health.v1.Health/List": EVERYBODY,
    "grpc.health.v1.Health/Watch": EVERYBODY,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": frozenset({"operator"}),
    f"{_RECOMMENDATION}/Recommend": frozenset({"caller"}),
    f"{_RECOMMENDATION}/SimilarItems": frozenset({"caller"}),
    f"{_RECOMMENDATION}/Score": frozenset({"caller"}),
    f"{_RECOMMENDATION}/BatchRecommend": frozenset({"caller"}),
    f"{_RECOMMENDATION}/StreamRecommend": frozenset({"caller"}),
    f"{_EVENT}/RecordEvents": frozenset({"writer"}),
    f"{_PRIVACY}/SetConsent": frozenset({"privacy"}),
    f"{_PRIVACY}/GetConsent": frozenset({"privacy"}),
    f"{_PRIVACY}/ExportUser": frozenset({"privacy"}),
    f"{_PRIVACY}/ForgetUser": frozenset({"privacy"}),
    f"{_FRAUD}/ScoreFraud": frozenset({"fraud"}),
    f"{_FRAUD}/BatchScoreFraud": frozenset({"fraud"}),
    f"{_FRAUD}/ReportOutcome": frozenset({"fraud", "fraud_analyst"}),
    f"{_FRAUD}/ListRules": frozenset({"fraud_analyst"}),
    f"{_FRAUD}/ActivateRules": frozenset({"fraud_analyst"}),
    f"{_FRAUD}/GetDecision": frozenset({"fraud_analyst"}),
    f"{_FRAUD}/ListRings": frozenset({"fraud_analyst"}),
    f"{_PROFILE}/GetProfile": frozenset({"profiler"}),
    f"{_PROFILE}/BatchGetProfiles": frozenset({"profiler"}),
    f"{_PROFILE}/UpdateProfile": frozenset({"writer"}),
    f"{_PROFILE}/MergeProfiles": frozenset({"writer"}),
    f"{_PROFILE}/UnmergeProfiles": frozenset({"writer"}),
    f"{_PROFILE}/ListTagDefinitions": frozenset({"profiler", "analyst"}),
    f"{_PROFILE}/ListSegments": frozenset({"profiler", "analyst"}),
    f"{_MODEL}/ListModels": frozenset({"analyst", "operator"}),
    f"{_MODEL}/GetModel": frozenset({"analyst", "operator"}),
    f"{_MODEL}/LoadModel": frozenset({"operator"}),
    f"{_MODEL}/UnloadModel": frozenset({"operator"}),
    f"{_MODEL}/SetAlias": frozenset({"operator"}),
    f"{_MODEL}/RollbackAlias": frozenset({"operator"}),
    f"{_MODEL}/RemoveAlias": frozenset({"operator"}),
}
OPEN = "grpc.health.v1.Health/Check"


def methods() -> dict[str, bool]:
    """Every method of every service by its full name, and whether its requests stream."""
    found = {}
    for method in Descriptors.installed().methods:
        found[method.rpc.removeprefix("/")] = bool(getattr(method, "streams", not method.path))
    for module in (health_pb2, reflection_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                found[f"{service.full_name}/{method.name}"] = bool(method.client_streaming)
    return found


METHODS = methods()


def test_every_method_has_a_row_and_every_row_a_method() -> None:
    assert set(WHO_MAY) == set(METHODS)
    table = {name: {role for role, rows in BUILT_IN.items() if name in rows} for name in METHODS}
    assert table == WHO_MAY
    assert {name for rows in BUILT_IN.values() for name in rows} <= set(METHODS)
    assert set(METHODS) >= AUDITED


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    return Secured.make(tmp_path_factory.mktemp("secured"), *sorted(EVERYBODY))


@pytest.fixture(scope="module")
def server(secured: Secured) -> Iterator[ServerProcess]:
    registry, _ = made_registry(secured.folder / "models")
    models = {"registry": str(registry.path), "control": True, "poll_seconds": 0.05}
    with serve(secured.config(models=models, audit={"denials_per_second": 1_000})) as server:
        yield server


@pytest.fixture(scope="module")
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def status(channel: grpc.Channel, name: str, *credential: tuple[str, str], id_: str = "") -> tuple[str, str, Any]:
    """Status, message and trailing metadata of a call without content; a stream is left after its first answer."""
    metadata = (*credential, *((("x-request-id", id_),) if id_ else ()))
    raw: Any
    if METHODS[name]:
        raw = channel.stream_stream(f"/{name}")
        call = raw(iter([b""]), timeout=20, metadata=metadata)
    else:
        # Read as a stream, a call of one answer looks the same.
        raw = channel.unary_stream(f"/{name}")
        call = raw(b"", timeout=20, metadata=metadata)
    try:
        for _ in call:
            call.cancel()
            return "OK", "", ()
    except grpc.RpcError:
        pass
    return call.code().name, call.details(), call.trailing_metadata()


def refused_credentials(secured: Secured) -> dict[str, tuple[tuple[str, str], ...]]:
    """All the ways in which a caller has no good credentials."""
    issuer, key = secured.issuer, secured.keys["caller"]
    head, payload, signature = issuer.token("caller").split(".")
    flipped = "A" if signature[0] != "A" else "B"
    return {
        "none": (),
        "an empty key": (("x-api-key", ""),),
        "a wrong key": (("x-api-key", key[:-1] + ("A" if key[-1] != "A" else "E")),),
        "a key that nobody has": (("x-api-key", "rk_0123456789ab_" + "x" * 43),),
        "a changed token": (("authorization", f"Bearer {head}.{payload}.{flipped}{signature[1:]}"),),
        "an expired token": (("authorization", f"Bearer {issuer.token('caller', seconds=-5)}"),),
        "a token for another service": (("authorization", f"Bearer {issuer.token('caller', aud='other')}"),),
        "another scheme": (("authorization", "Basic YW5uOmFubg=="),),
        "two of them": (("x-api-key", key), ("authorization", f"Bearer {issuer.token('caller')}")),
    }


@pytest.mark.parametrize("name", sorted(METHODS))
def test_without_good_credentials_nothing_answers(name: str, secured: Secured, channel: grpc.Channel) -> None:
    told = set()
    for number, (kind, credential) in enumerate(refused_credentials(secured).items()):
        id_ = f"{name.replace('/', '-').replace('.', '_')[-50:]}-{number}"
        code, message, trailing = status(channel, name, *credential, id_=id_)
        if name == OPEN:
            assert code == "OK", kind
            continue
        assert code == "UNAUTHENTICATED", kind
        details = status_pb2.Status.FromString(dict(trailing)["grpc-status-details-bin"])
        info, about = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()
        assert details.details[0].Unpack(info)
        assert details.details[1].Unpack(about)
        assert about.request_id == id_
        told.add((message, info.reason, len(details.details)))

        def written(id_: str = id_) -> bool:
            return any(line.get("request_id") == id_ for line in secured.lines())

        until(written)
        [line] = [line for line in secured.lines() if line.get("request_id") == id_]
        assert (line["event"], line["method"]) == ("denied", f"/{name}")
        assert line["reason"] == ("no_credential" if kind == "none" else "bad_credential")
    # Whatever was wrong, all are told the same.
    assert len(told) == (0 if name == OPEN else 1)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_opens_its_methods_and_no_others(role: str, secured: Secured, channel: grpc.Channel) -> None:
    credentials = [("x-api-key", secured.keys[role]), ("authorization", f"Bearer {secured.issuer.token(role)}")]
    for name in sorted(METHODS):
        for credential in credentials:
            id_ = f"{role}-{credential[0]}-{name.rpartition('/')[2]}"
            code, message, _ = status(channel, name, credential, id_=id_)
            allowed = name == OPEN or role in WHO_MAY[name]
            assert (code != "PERMISSION_DENIED") == allowed, (name, code, message)
            assert code != "UNAUTHENTICATED"

    denied = {f"/{name}" for name in METHODS if role not in WHO_MAY[name] and name != OPEN}
    who = {Pseudonyms(PSEUDONYM_KEY).of(name) for name in (f"key:{role}", "token:ann")}

    def lines() -> list[dict[str, Any]]:
        return [line for line in secured.lines() if line.get("request_id", "").startswith(f"{role}-")]

    until(lambda: {line["method"] for line in lines() if line["event"] == "denied"} == denied)
    for line in lines():
        assert line["caller"] in who
        assert line["event"] != "denied" or line["reason"] == "no_role"
    # What changes the service is written down before and after, with its outcome.
    changed = {f"/{name}" for name in AUDITED if role in WHO_MAY[name]}

    def written(event: str) -> bool:
        return {line["method"] for line in lines() if line["event"] == event} == changed

    until(lambda: written("begins") and written("ended"))
    # This service has no model of fraud.
    told = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}
    assert all(line["status"] in told for line in lines() if line["event"] == "ended")


def test_what_does_not_exist_is_denied_like_what_may_not_be_called(secured: Secured, channel: grpc.Channel) -> None:
    def code(*metadata: tuple[str, str]) -> str:
        raw: Any = channel.unary_unary("/recocore.v1.Nothing/Such")
        return str(raw.future(b"", timeout=20, metadata=metadata).code().name)

    assert code() == "UNAUTHENTICATED"
    assert code(("x-api-key", secured.keys["operator"])) == "PERMISSION_DENIED"
    until(lambda: any(line.get("method") == "unknown" for line in secured.lines()))


def test_a_success_is_written_down_with_the_id_that_the_caller_sees(secured: Secured, channel: grpc.Channel) -> None:
    from recocore.v1 import model_service_pb2 as v1  # noqa: PLC0415

    raw: Any = channel.unary_unary("/recocore.v1.ModelService/SetAlias")
    request = v1.SetAliasRequest(alias="canary", version="stable").SerializeToString()
    metadata = (("x-api-key", secured.keys["operator"]), ("x-request-id", "move-1"))
    raw(request, timeout=20, metadata=metadata)
    until(lambda: sum(line.get("request_id") == "move-1" for line in secured.lines()) == 2)
    begins, ended = (line for line in secured.lines() if line.get("request_id") == "move-1")
    assert (begins["event"], ended["event"], ended["status"]) == ("begins", "ended", "OK")
    assert begins["caller"] == Pseudonyms(PSEUDONYM_KEY).of("key:operator")
    # Neither the caller's address nor its name stands there.
    text = "".join(path.read_text(encoding="ascii") for path in secured.audit.glob("*.jsonl"))
    assert "127.0.0.1" not in text
    assert "key:operator" not in text


def test_keys_come_and_go_while_it_serves(secured: Secured, server: ServerProcess) -> None:
    file = str(secured.folder / "keys.json")
    old, first = create_key(file, "shop", ["caller"], now=time.time())

    def works(key: str) -> bool:
        with Client(server.address, timeout=20, retries=0, api_key=key) as client:
            try:
                client.recommend("user-00")
            except ServiceError as error:
                if error.status == "UNAUTHENTICATED":
                    return False
                raise
        return True

    until(lambda: works(old))
    new, _ = create_key(file, "shop", ["caller"], now=time.time())
    until(lambda: works(new))
    assert works(old)
    revoke_key(file, first.id)
    until(lambda: not works(old))
    assert works(new)
    # A file that cannot be used changes nothing.
    content = (secured.folder / "keys.json").read_bytes()
    write_private(secured.folder / "keys.json", b"{")
    until(lambda: any("cannot be used" in record["event"] for record in server.records()))
    assert works(new)
    write_private(secured.folder / "keys.json", content)


def test_a_stream_ends_with_the_token_that_opened_it(secured: Secured, server: ServerProcess) -> None:
    from recocore.v1 import recommendation_service_pb2 as v1  # noqa: PLC0415
    from recocore.v1 import recommendation_service_pb2_grpc as stubs  # noqa: PLC0415

    token = secured.issuer.token("caller", seconds=2)
    ends = time.time() + 2

    def requests() -> Iterator[v1.StreamRecommendRequest]:
        yield v1.StreamRecommendRequest(user_ids=["user-00"], template=v1.RecommendRequest(page_size=1))
        while True:  # only the first message has the template
            yield v1.StreamRecommendRequest(user_ids=["user-00"])

    with grpc.insecure_channel(server.address) as channel:
        metadata = (("authorization", f"Bearer {token}"),)
        answers = stubs.RecommendationServiceStub(channel).StreamRecommend(requests(), timeout=20, metadata=metadata)
        assert next(answers).rows
        with pytest.raises(grpc.RpcError) as caught:
            list(answers)
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert time.time() >= ends - 1


def test_the_chain_is_whole_and_the_log_has_its_anchors(secured: Secured, server: ServerProcess) -> None:
    with Client(server.address, timeout=20, retries=0) as client, pytest.raises(ServiceError):
        client.recommend("user-00")
    until(lambda: bool(server.events("audit anchor")))
    anchors = [(line["chain"], line["number"], line["hash"]) for line in server.events("audit anchor")]
    verdicts = verify(secured.audit, AUDIT_KEY, anchors)
    assert [verdict.chain for verdict in verdicts] == ["worker-0", "worker-1"]
    anchored = [verdict.anchored or 0 for verdict in verdicts]  # which worker had the calls is for the system to say
    assert max(anchored) > 0
    assert all(verdict.end.number >= number for verdict, number in zip(verdicts, anchored, strict=True))


def test_the_log_calls_callers_by_pseudonyms_and_mixes_none_up(secured: Secured, server: ServerProcess) -> None:
    raw: Any
    with grpc.insecure_channel(server.address) as channel:
        raw = channel.unary_unary(f"/{_RECOMMENDATION}/Recommend")
        credentials = {
            "key:caller": ("x-api-key", secured.keys["caller"]),
            "token:eve": ("authorization", f"Bearer {secured.issuer.token('caller', subject='eve')}"),
        }
        # All at once, so that their tasks take turns on the event loop.
        calls = [
            raw.future(b"", timeout=20, metadata=(credential, ("x-request-id", f"mixed-{name[:3]}-{number}")))
            for number in range(40)
            for name, credential in credentials.items()
        ]
        assert {call.code().name for call in calls} == {"INVALID_ARGUMENT"}

    def mixed() -> list[dict[str, Any]]:
        return [record for record in server.events("call") if record["request_id"].startswith("mixed-")]

    until(lambda: len(mixed()) == 80)
    who = {name[:3]: Pseudonyms(PSEUDONYM_KEY).of(name) for name in credentials}
    assert all(record["caller"] == who[record["request_id"].split("-")[1]] for record in mixed())
    assert "key:caller" not in server.log()
