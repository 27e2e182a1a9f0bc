"""ModelService over a socket: every method, every status, and what callers of the models see meanwhile."""

from __future__ import annotations

import os
import random
import signal
from datetime import UTC
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from recocore.v1 import model_service_pb2 as v1
from recocore.v1 import model_service_pb2_grpc as stubs
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as ranking
from recocore.v1 import recommendation_service_pb2_grpc as ranking_stubs
from tests.service.callers import Callers, until
from tests.service.random_messages import mutated
from tests.service.registries import damage_version, made_registry
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.models import Popularity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from recocore.registry import Registry


class Served:
    """A service under control, with its registry."""

    def __init__(self, server: ServerProcess, registry: Registry, versions: list[str], channel: grpc.Channel) -> None:
        self.server, self.registry, self.versions, self.channel = server, registry, versions, channel
        self.stub = stubs.ModelServiceStub(channel)

    def model(self, version: str) -> v1.Model:
        found: v1.Model = self.stub.GetModel(v1.GetModelRequest(name=version), timeout=20).model
        return found

    def answer_of(self, version: str) -> str:
        request = ranking.RecommendRequest(user_id="user-00", model=shared.ModelSpec(version=version))
        try:
            answer = ranking_stubs.RecommendationServiceStub(self.channel).Recommend(request, timeout=20)
        except grpc.RpcError as caught:
            error: Any = caught
            return str(error.code().name)
        return str(answer.served_model)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    registry, versions = made_registry(tmp_path / "models")
    # The folder is hardly looked at: what happens is this service's doing.
    settings: dict[str, Any] = {"control": True, "keep_seconds": 3600}
    with (
        ServerProcess.follow(registry.path, workers=2, poll_seconds=3600, models=settings) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield Served(server, registry, versions, channel)


def refused(function: Callable[[], object]) -> tuple[str, str, str]:
    """Status, reason and message of a failed call."""
    with pytest.raises(grpc.RpcError) as caught:
        function()
    error: Any = caught.value
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return error.code().name, info.reason, error.details()


def test_it_lists_what_is_in_the_registry(served: Served) -> None:
    answer = served.stub.ListModels(v1.ListModelsRequest(), timeout=20)
    states = {model.version: model.state for model in answer.models}
    first, *others = served.versions
    assert states == {first: v1.MODEL_STATE_READY, **dict.fromkeys(others, v1.MODEL_STATE_UNLOADED)}
    model = next(model for model in answer.models if model.version == first)
    info = served.registry.get(first)
    assert (model.algorithm, list(model.aliases), model.pinned) == ("Popularity", ["stable"], False)
    assert (model.user_count, model.item_count) == (info.counts["users"], info.counts["items"])
    assert (model.size_bytes, model.create_time.ToDatetime(UTC)) == (info.bytes, info.created)
    generation = served.registry.aliases()["stable"].generation
    assert list(answer.aliases) == [v1.Alias(name="stable", version=first, etag=str(generation), served_version=first)]
    assert served.model("stable") == model


def test_a_loaded_version_answers_from_every_worker_until_it_is_unloaded(served: Served) -> None:
    version = served.versions[1]
    assert served.answer_of(version) == "FAILED_PRECONDITION"
    loaded = served.stub.LoadModel(v1.LoadModelRequest(version=version), timeout=20).model
    assert (loaded.version, loaded.state, loaded.pinned) == (version, v1.MODEL_STATE_READY, True)
    assert loaded.load_time.ToNanoseconds() > 0
    for _ in range(8):  # connections spread over the workers
        with grpc.insecure_channel(served.server.address) as channel:
            assert Served(served.server, served.registry, [], channel).answer_of(version) == version
    # Worker and memory of it may go, the pin stays.
    pid = served.server.serving()[0]
    os.kill(pid, signal.SIGKILL)
    until(lambda: len(served.server.serving()) == 2 and pid not in served.server.serving())
    with grpc.insecure_channel(served.server.address) as channel:
        again = Served(served.server, served.registry, [], channel)
        assert again.answer_of(version) == version
        unloaded = again.stub.UnloadModel(v1.UnloadModelRequest(version=version), timeout=20).model
        assert (unloaded.state, unloaded.pinned) == (v1.MODEL_STATE_UNLOADED, False)
        assert again.answer_of(version) == "FAILED_PRECONDITION"
        again.stub.UnloadModel(v1.UnloadModelRequest(version=version), timeout=20)  # once more changes nothing


def test_an_alias_moves_when_every_worker_can_follow_and_no_call_fails(served: Served) -> None:
    _, second, third = served.versions
    with Callers(served.server.address, 4) as callers:
        etag = served.stub.ListModels(v1.ListModelsRequest(), timeout=20).aliases[0].etag
        moved = served.stub.SetAlias(v1.SetAliasRequest(alias="stable", version=second, etag=etag), timeout=20).alias
        assert (moved.name, moved.version, moved.served_version) == ("stable", second, second)
        callers.wait_for_answers(2)  # whatever was in flight is over
        assert callers.all_see(second)
        assert served.registry.resolve("stable") == second
        # Whoever still holds the old etag is told.
        stale = v1.SetAliasRequest(alias="stable", version=third, etag=etag)
        status, reason, _ = refused(lambda: served.stub.SetAlias(stale, timeout=20))
        assert (status, reason) == ("ABORTED", "CONFLICT")
        assert served.model(third).state == v1.MODEL_STATE_UNLOADED
        assert served.model(served.versions[0]).state == v1.MODEL_STATE_DRAINING
        back = served.stub.RollbackAlias(v1.RollbackAliasRequest(alias="stable", etag=moved.etag), timeout=20).alias
        assert back.served_version == served.versions[0]
        callers.wait_for_answers(2)
        assert callers.all_see(served.versions[0])
    assert set(callers.counts()) == {"OK"}


def test_an_alias_may_be_made_and_removed(served: Served) -> None:
    made = served.stub.SetAlias(v1.SetAliasRequest(alias="canary", version="stable", etag="0"), timeout=20).alias
    assert made.version == served.versions[0]
    again = v1.SetAliasRequest(alias="canary", version=served.versions[1], etag="0")
    assert refused(lambda: served.stub.SetAlias(again, timeout=20))[:2] == ("ABORTED", "CONFLICT")
    served.stub.RemoveAlias(v1.RemoveAliasRequest(alias="canary", etag=made.etag), timeout=20)
    assert set(served.registry.aliases()) == {"stable"}
    back = served.stub.RollbackAlias(v1.RollbackAliasRequest(alias="canary"), timeout=20).alias
    assert back.served_version == served.versions[0]


def test_a_damaged_version_is_refused_and_says_why(served: Served) -> None:
    version = served.versions[1]
    damage_version(served.registry, version)
    for call in (
        lambda: served.stub.LoadModel(v1.LoadModelRequest(version=version), timeout=20),
        lambda: served.stub.SetAlias(v1.SetAliasRequest(alias="stable", version=version), timeout=20),
    ):
        status, reason, message = refused(call)
        assert (status, reason) == ("FAILED_PRECONDITION", "MODEL_FAILED")
        assert version in message
    model = served.model(version)
    assert (model.state, model.failure.code) == (v1.MODEL_STATE_FAILED, code_pb2.DATA_LOSS)
    assert "SHA-256" in model.failure.message
    assert served.registry.resolve("stable") == served.versions[0]
    assert served.answer_of(served.versions[0]) == served.versions[0]


def test_what_cannot_be_done_is_refused(served: Served) -> None:
    stub, first = served.stub, served.versions[0]
    none = "0" * 12
    for call, expected in (
        (lambda: stub.GetModel(v1.GetModelRequest(name=none), timeout=20), ("NOT_FOUND", "NOT_FOUND")),
        (lambda: stub.LoadModel(v1.LoadModelRequest(version=none), timeout=20), ("NOT_FOUND", "NOT_FOUND")),
        (lambda: stub.LoadModel(v1.LoadModelRequest(version="stable"), timeout=20), ("NOT_FOUND", "NOT_FOUND")),
        (
            lambda: stub.LoadModel(v1.LoadModelRequest(version="../../etc"), timeout=20),
            ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ),
        (lambda: stub.LoadModel(v1.LoadModelRequest(), timeout=20), ("INVALID_ARGUMENT", "INVALID_ARGUMENT")),
        (
            lambda: stub.SetAlias(v1.SetAliasRequest(alias="Stable", version=first), timeout=20),
            ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ),
        (
            lambda: stub.SetAlias(v1.SetAliasRequest(alias="stable", version=first, etag="x"), timeout=20),
            ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ),
        (
            lambda: stub.UnloadModel(v1.UnloadModelRequest(version=first), timeout=20),
            ("FAILED_PRECONDITION", "IN_USE"),
        ),
        (
            lambda: stub.RemoveAlias(v1.RemoveAliasRequest(alias="stable"), timeout=20),
            ("FAILED_PRECONDITION", "IN_USE"),
        ),
        (lambda: stub.RemoveAlias(v1.RemoveAliasRequest(alias="none"), timeout=20), ("NOT_FOUND", "NOT_FOUND")),
        (lambda: stub.RollbackAlias(v1.RollbackAliasRequest(alias="stable"), timeout=20), ("NOT_FOUND", "NOT_FOUND")),
    ):
        assert refused(call)[:2] == expected
    raw: grpc.UnaryUnaryMultiCallable[bytes, bytes] = served.channel.unary_unary("/recocore.v1.ModelService/GetModel")
    assert refused(lambda: raw(b"\xff", timeout=20))[:2] == ("INVALID_ARGUMENT", "MALFORMED_REQUEST")


def test_without_leave_there_is_no_such_service(tmp_path: Path) -> None:
    registry, _ = made_registry(tmp_path / "models")
    with ServerProcess.follow(registry.path) as server, grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            stubs.ModelServiceStub(channel).ListModels(v1.ListModelsRequest(), timeout=20)
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_fixed_index_is_described_and_stays_as_it_is(tmp_path: Path) -> None:
    index = small_index(Popularity())
    index.save(tmp_path / "index")
    command = (
        "from recocore.service import ModelsConfig, serve\n"
        f"serve({str(tmp_path / 'index')!r}, port=0, models=ModelsConfig(control=True))"
    )
    with ServerProcess.code(command) as server, grpc.insecure_channel(server.address) as channel:
        stub = stubs.ModelServiceStub(channel)
        (model,) = stub.ListModels(v1.ListModelsRequest(), timeout=20).models
        assert (model.version, model.state) == (index.version, v1.MODEL_STATE_READY)
        for call in (
            lambda: stub.SetAlias(v1.SetAliasRequest(alias="stable", version=index.version), timeout=20),
            lambda: stub.RollbackAlias(v1.RollbackAliasRequest(alias="stable"), timeout=20),
        ):
            assert refused(call)[:2] == ("UNIMPLEMENTED", "UNSUPPORTED")


def test_no_message_crashes_or_hangs_it(served: Served) -> None:
    rng = random.Random("models")
    first, second, _ = served.versions
    valid = {
        "ListModels": v1.ListModelsRequest(),
        "GetModel": v1.GetModelRequest(name=first),
        "LoadModel": v1.LoadModelRequest(version=second),
        "UnloadModel": v1.UnloadModelRequest(version=second),
        "SetAlias": v1.SetAliasRequest(alias="canary", version=second, etag="1"),
        "RollbackAlias": v1.RollbackAliasRequest(alias="canary", etag="1"),
        "RemoveAlias": v1.RemoveAliasRequest(alias="canary", etag="1"),
    }
    allowed = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "ABORTED", "FAILED_PRECONDITION"}
    for method, message in valid.items():
        raw: grpc.UnaryUnaryMultiCallable[bytes, bytes] = served.channel.unary_unary(
            f"/recocore.v1.ModelService/{method}"
        )
        data = message.SerializeToString()
        messages = [rng.randbytes(rng.randint(0, 60)) if n % 4 == 0 else mutated(rng, data) for n in range(60)]
        for sent, call in [(sent, raw.future(sent, timeout=30)) for sent in messages]:
            assert call.code().name in allowed, (method, sent, call.details())
    assert served.answer_of(first) == first
    assert served.registry.resolve("stable") == first
