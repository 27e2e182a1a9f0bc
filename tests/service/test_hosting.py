"""A service that follows a registry: swaps under load, refusals, versions that stay for those who name them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs
from tests.service.callers import Callers, until
from tests.service.registries import damage_version, made_registry
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.client import Client
from recocore.models import Popularity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recocore.registry import Registry

SWAPS = int(os.environ.get("RECOCORE_SWAPS", "10"))


@pytest.fixture
def made(tmp_path: Path) -> tuple[Registry, list[str]]:
    return made_registry(tmp_path / "models")


@pytest.fixture
def registry(made: tuple[Registry, list[str]]) -> Registry:
    return made[0]


@pytest.fixture
def versions(made: tuple[Registry, list[str]]) -> list[str]:
    return made[1]


def serves(client: Client, version: str) -> bool:
    return client.recommend("user-00").served_model == version


def ask(channel: grpc.Channel, **fields: Any) -> v1.RecommendResponse:
    request = v1.RecommendRequest(user_id="user-00", **fields)
    answer: v1.RecommendResponse = stubs.RecommendationServiceStub(channel).Recommend(request, timeout=20)
    return answer


def is_refused(channel: grpc.Channel, **fields: Any) -> bool:
    try:
        ask(channel, **fields)
    except grpc.RpcError:
        return True
    return False


def refusal(channel: grpc.Channel, **fields: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, **fields)
    error: Any = caught.value
    return f"{error.code().name}: {error.details()}"


@pytest.fixture
def served(registry: Registry) -> Iterator[tuple[ServerProcess, Client, grpc.Channel]]:
    with (
        ServerProcess.follow(registry.path, workers=2) as server,
        Client(server.address, timeout=20, retries=0) as client,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield server, client, channel


@pytest.mark.timeout(120 + 10 * SWAPS)
def test_no_call_fails_while_models_are_swapped(
    registry: Registry, versions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with ServerProcess.follow(registry.path, workers=2) as server:
        with Callers(server.address) as steady:
            steady.wait_for_answers(100)
        with Callers(server.address) as callers:
            for swap in range(SWAPS):
                target = versions[(swap + 1) % len(versions)]
                registry.set_alias("stable", target)
                until(partial(callers.all_see, target))
        server.terminate()
        assert server.wait() == 0, server.log()
    with capsys.disabled():
        p99 = [round(run.percentile(0.99), 2) for run in (steady, callers)]
        print(f"\n{SWAPS} swaps: {dict(callers.counts())}, p99 {p99[0]} ms steady, {p99[1]} ms while swapping")
    assert set(callers.counts()) == {"OK"}
    assert {outcome.model for outcome in callers.outcomes} <= set(versions)


def test_a_damaged_version_is_refused_while_the_old_one_serves(
    registry: Registry, versions: list[str], served: tuple[ServerProcess, Client, grpc.Channel]
) -> None:
    server, _, channel = served
    registry.set_alias("canary", versions[1])
    until(lambda: any(record["alias"] == "canary" for record in server.events("alias moves")))
    # What nobody has read yet is damaged behind the registry's back, once stable points to it.
    with Callers(server.address, 4) as callers:
        moved = registry.path / "moved"
        shutil.copytree(registry.path / "versions" / versions[2], moved)
        os.kill(server.process.pid, signal.SIGSTOP)
        registry.set_alias("stable", versions[2])
        damage_version(registry, versions[2])
        os.kill(server.process.pid, signal.SIGCONT)
        until(lambda: server.events("model is refused"))
        callers.wait_for_answers(10)
        assert callers.all_see(versions[0])
        # Mended and published again, it is taken up.
        registry.publish(moved)
        until(lambda: callers.all_see(versions[2]))
    (refused, *_) = server.events("model is refused")
    assert (refused["model"], refused["status"]) == (versions[2], "DATA_LOSS")
    assert "SHA-256" in refused["reason"]
    assert set(callers.counts()) == {"OK"}
    assert ask(channel, model=shared.ModelSpec(alias="canary")).served_model == versions[1]


def test_a_rollback_in_the_registry_is_followed(
    registry: Registry, versions: list[str], served: tuple[ServerProcess, Client, grpc.Channel]
) -> None:
    _, client, _ = served
    registry.set_alias("stable", versions[1])
    until(lambda: serves(client, versions[1]))
    registry.rollback("stable")
    until(lambda: serves(client, versions[0]))


def test_a_version_that_an_alias_left_stays_for_those_who_name_it(registry: Registry, versions: list[str]) -> None:
    with (
        ServerProcess.follow(registry.path, models={"keep_seconds": 3600.0}) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        old = shared.ModelSpec(version=versions[0])
        answer = ask(channel, model=old)
        registry.set_alias("stable", versions[1])
        until(lambda: ask(channel).served_model == versions[1])
        assert list(ask(channel, model=old).items) == list(answer.items)
        registry.remove(versions[0])  # its files are gone, its pages are not
        assert list(ask(channel, model=old).items) == list(answer.items)


def test_a_version_that_an_alias_left_long_ago_is_unloaded(registry: Registry, versions: list[str]) -> None:
    with (
        ServerProcess.follow(registry.path, models={"keep_seconds": 0.1}) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        registry.set_alias("stable", versions[1])
        until(lambda: server.events("model is unloaded"))
        old = shared.ModelSpec(version=versions[0])
        until(lambda: not _answers(channel, old))
        assert refusal(channel, model=old).startswith("FAILED_PRECONDITION: model.version: ")


def _answers(channel: grpc.Channel, model: shared.ModelSpec) -> bool:
    try:
        ask(channel, model=model)
    except grpc.RpcError:
        return False
    return True


def test_a_request_may_name_an_alias_or_a_version(
    registry: Registry, versions: list[str], served: tuple[ServerProcess, Client, grpc.Channel]
) -> None:
    server, _, channel = served
    registry.set_alias("canary", versions[1])
    until(lambda: len(server.events("alias moves")) == 1)
    stub = stubs.RecommendationServiceStub(channel)
    for spec, version in (
        (shared.ModelSpec(alias="canary"), versions[1]),
        (shared.ModelSpec(version=versions[1]), versions[1]),
        (shared.ModelSpec(alias="stable"), versions[0]),
        (None, versions[0]),
    ):
        assert ask(channel, model=spec).served_model == version
        similar = v1.SimilarItemsRequest(item_ids=["10"], model=spec)
        if version != versions[0]:  # the first ranks by popularity alone
            assert stub.SimilarItems(similar, timeout=20).served_model == version
        score = v1.ScoreRequest(user_id="user-00", item_ids=["10"], model=spec)
        assert stub.Score(score, timeout=20).served_model == version
        batch = v1.BatchRecommendRequest(user_ids=["user-00"], template=v1.RecommendRequest(model=spec))
        assert stub.BatchRecommend(batch, timeout=20).rows[0].response.served_model == version
    assert refusal(channel, model=shared.ModelSpec(alias="none")) == (
        "NOT_FOUND: model.alias: expected one of canary, stable, got 'none'"
    )
    assert refusal(channel, model=shared.ModelSpec(version=versions[2])).startswith("FAILED_PRECONDITION")
    assert refusal(channel, experiment_variant="x") == "NOT_FOUND: experiment_variant: expected one of none, got 'x'"
    assert "beside `model`" in refusal(channel, experiment_variant="x", model=shared.ModelSpec(alias="stable"))


def test_a_fixed_index_answers_by_its_version(tmp_path: Path) -> None:
    index = small_index(Popularity())
    index.save(tmp_path / "index")
    with ServerProcess.serve(tmp_path / "index") as server, grpc.insecure_channel(server.address) as channel:
        assert ask(channel, model=shared.ModelSpec(version=index.version)).served_model == index.version
        assert refusal(channel, model=shared.ModelSpec(version="0" * 12)).startswith("FAILED_PRECONDITION")


def test_a_removed_alias_is_gone_and_the_default_one_goes_on(
    registry: Registry, versions: list[str], served: tuple[ServerProcess, Client, grpc.Channel]
) -> None:
    server, client, channel = served
    registry.set_alias("canary", versions[1])
    until(lambda: len(server.events("alias moves")) == 1)
    registry.remove_alias("canary")
    registry.remove_alias("stable")
    until(lambda: server.events("the default alias is gone from the registry; its last version goes on serving"))
    # Workers hear of it a moment after the log does.
    until(lambda: is_refused(channel, model=shared.ModelSpec(alias="canary")))
    assert refusal(channel, model=shared.ModelSpec(alias="canary")).startswith("NOT_FOUND")
    assert serves(client, versions[0])
    registry.set_alias("stable", versions[2])
    until(lambda: serves(client, versions[2]))


def test_a_new_worker_has_what_the_others_have(registry: Registry, versions: list[str]) -> None:
    with ServerProcess.follow(registry.path) as server:
        registry.set_alias("canary", versions[1])
        until(lambda: len(server.events("alias moves")) == 1)
        for _ in range(2):  # the one that stood by through the change, and one that came after it
            until(lambda: len(server.children()) == 2)
            until(lambda: len(server.events("model is ready")) >= 4)
            (pid,) = server.serving()
            os.kill(pid, signal.SIGKILL)
            until(partial(_another_serves, server, pid))
            with grpc.insecure_channel(server.address) as channel:
                assert ask(channel, model=shared.ModelSpec(alias="canary")).served_model == versions[1]


def _another_serves(server: ServerProcess, pid: int) -> bool:
    serving = server.serving()  # looked at once: between two looks a worker may end
    return len(serving) == 1 and serving != [pid]


def test_sighup_has_it_look_at_once(registry: Registry, versions: list[str]) -> None:
    with (
        ServerProcess.follow(registry.path, poll_seconds=3600) as server,
        Client(server.address, timeout=20) as client,
    ):
        registry.set_alias("stable", versions[1])
        assert serves(client, versions[0])
        server.terminate(signal.SIGHUP)
        until(lambda: serves(client, versions[1]))


def test_recorded_requests_are_replayed_before_a_version_serves(registry: Registry, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text(
        '{"method": "Recommend", "request": {"user_id": "user-01", "page_size": 3, "model": {"alias": "old"}}}\n'
        '{"method": "SimilarItems", "request": {"itemIds": ["nobody knows it"]}}\n'
    )
    with ServerProcess.follow(registry.path, models={"recorded": str(recorded)}) as server:
        assert server.events("model is ready")


@pytest.mark.parametrize(
    ("models", "damaged", "message"),
    [
        ({"alias": "nix"}, False, "NotFoundError: models.alias: expected an alias of the registry (stable), got nix"),
        ({}, True, "CorruptError"),
        ({"recorded": "no/such/file"}, False, "models.recorded: there is no file no/such/file"),
    ],
)
def test_what_cannot_be_served_ends_the_start(
    registry: Registry, versions: list[str], models: dict[str, object], damaged: bool, message: str
) -> None:
    if damaged:
        damage_version(registry, versions[0])
    code = (
        "from recocore.service import ModelsConfig, serve\n"
        f"serve(port=0, models=ModelsConfig(**{ {'registry': str(registry.path), **models}!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_a_folder_that_is_no_registry_is_refused(tmp_path: Path) -> None:
    code = f"from recocore.service import ModelsConfig, serve\nserve(port=0, models=ModelsConfig({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "NotFoundError" in done.stderr
