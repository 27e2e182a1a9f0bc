"""A/B: who gets which variant, and that it stays so across workers, restarts and changed shares."""

from __future__ import annotations

import hashlib
import os
import signal
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs
from tests.service.callers import until
from tests.service.registries import made_registry
from tests.service.server_process import ServerProcess
from tests.service.test_workers import replaced

from recocore.errors import InvalidArgumentError
from recocore.service import ExperimentConfig
from recocore.service.attribution import decode
from recocore.service.hosting.config import Variant
from recocore.service.hosting.experiment import Split

if TYPE_CHECKING:
    from pathlib import Path

USERS = [f"customer-{number}" for number in range(20_000)]


def split(*shares: tuple[str, float], salt: str = "pepper") -> Split:
    return Split(ExperimentConfig("test", salt, {name: Variant(name, share) for name, share in shares}))


def place(user: str, salt: str = "pepper") -> float:
    return int.from_bytes(hashlib.sha256((salt + user).encode()).digest()[:8], "big") / 2**64


def test_variants_take_their_shares() -> None:
    shares = {"a": 0.1, "b": 0.25, "c": 0.65}
    found = Counter(map(split(*shares.items()).variant_of, USERS))
    # Pearson's statistic of three classes: 13.8 is passed by chance once in a thousand.
    statistic = sum((found[name] - len(USERS) * share) ** 2 / (len(USERS) * share) for name, share in shares.items())
    assert statistic < 13.8, found


def test_a_user_stands_where_the_hash_says() -> None:
    chosen = split(("a", 0.3), ("b", 0.7))
    for user in USERS[:2_000]:
        assert chosen.variant_of(user) == ("a" if place(user) < 0.3 else "b")


def test_another_salt_draws_anew() -> None:
    first, second = split(("a", 0.5), ("b", 0.5)), split(("a", 0.5), ("b", 0.5), salt="salt")
    same = sum(first.variant_of(user) == second.variant_of(user) for user in USERS)
    # Independent draws agree for half of the users; five standard deviations are 354.
    assert abs(same - len(USERS) / 2) < 354


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((("a", 0.1), ("b", 0.9)), (("a", 0.3), ("b", 0.7))),
        ((("a", 0.1), ("control", 0.8), ("b", 0.1)), (("a", 0.2), ("control", 0.5), ("b", 0.3))),
    ],
)
def test_changed_shares_move_only_those_who_must(before: Any, after: Any) -> None:
    old, new = split(*before), split(*after)
    moved = Counter((old.variant_of(user), new.variant_of(user)) for user in USERS)
    grown = {name for name, share in after if share > dict(before)[name]}
    shrunk = before[1][0]
    assert {pair for pair in moved if pair[0] != pair[1]} == {(shrunk, name) for name in grown}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"id": "x"}, "experiment.variants"),
        ({"id": "", "variants": {"a": {"alias": "stable", "share": 1.0}}}, "experiment.id"),
        ({"id": "x", "variants": {"a": {"alias": "stable", "share": 0.9}}}, "experiment.variants"),
        ({"id": "x", "variants": {"a": {"alias": "stable"}}}, "experiment.variants.a"),
        ({"id": "x", "variants": {"a": {"alias": "stable", "share": 0}}}, "experiment.variants.a.share"),
        ({"id": "x", "variants": {"a": {"alias": "stable", "share": True}}}, "experiment.variants.a.share"),
        ({"id": "x", "variants": {"a": {"alias": "Stable", "share": 1.0}}}, "experiment.variants.a.alias"),
        ({"id": "x", "variants": {"a b": {"alias": "stable", "share": 1.0}}}, "experiment.variants"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ExperimentConfig(**settings)
    assert caught.value.field == field


def test_a_user_keeps_the_variant_across_workers_and_restarts(tmp_path: Path) -> None:
    registry, versions = made_registry(tmp_path / "models")
    registry.set_alias("canary", versions[1])
    variants = {"control": {"alias": "stable", "share": 0.6}, "new": {"alias": "canary", "share": 0.4}}
    experiment = {"id": "ranking-7", "salt": "pepper", "variants": variants}
    users = USERS[:60]
    found: dict[str, set[tuple[str, str, str]]] = {user: set() for user in users}

    def ask_everybody(address: str) -> None:
        for _ in range(4):  # connections spread over the workers
            with grpc.insecure_channel(address) as channel:
                stub = stubs.RecommendationServiceStub(channel)
                for user in users:
                    answer = stub.Recommend(v1.RecommendRequest(user_id=user), timeout=20)
                    token = decode(answer.attribution_token)
                    arm = (answer.experiment.id, answer.experiment.variant)
                    assert (token.experiment, token.variant, token.served_model) == (*arm, answer.served_model)
                    score = stub.Score(v1.ScoreRequest(user_id="user-00", item_ids=["10"]), timeout=20)
                    assert score.experiment.id == "ranking-7"
                    found[user].add((*arm, answer.served_model))

    for _ in range(2):
        with ServerProcess.follow(registry.path, workers=2, experiment=experiment) as server:
            ask_everybody(server.address)
            pid = server.serving()[0]
            os.kill(pid, signal.SIGKILL)
            until(partial(replaced, server, pid))
            ask_everybody(server.address)
            server.terminate()
            assert server.wait() == 0
    for user in users:
        expected = ("control", versions[0]) if place(user) < 0.6 else ("new", versions[1])
        assert found[user] == {("ranking-7", *expected)}


def test_a_variant_may_be_forced_and_a_named_model_takes_no_part(tmp_path: Path) -> None:
    registry, versions = made_registry(tmp_path / "models")
    registry.set_alias("canary", versions[1])
    variants = {
        "control": {"alias": "stable", "share": 0.5},
        "new": {"alias": "canary", "share": 0.25},
        "later": {"alias": "not-yet", "share": 0.25},
    }
    experiment = {"id": "ranking-7", "variants": variants}
    with (
        ServerProcess.follow(registry.path, experiment=experiment) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = stubs.RecommendationServiceStub(channel)

        def ask(user: str = "user-00", **fields: Any) -> v1.RecommendResponse:
            answer: v1.RecommendResponse = stub.Recommend(v1.RecommendRequest(user_id=user, **fields), timeout=20)
            return answer

        for name, version in (("control", versions[0]), ("new", versions[1])):
            answer = ask(experiment_variant=name)
            assert (answer.experiment.id, answer.experiment.variant) == ("ranking-7", name)
            assert answer.served_model == version
        assert not ask(model=shared.ModelSpec(alias="stable")).HasField("experiment")
        batch = v1.BatchRecommendRequest(user_ids=["user-00"], template=v1.RecommendRequest())
        assert not stub.BatchRecommend(batch, timeout=20).rows[0].response.HasField("experiment")
        # A variant without a model yet: its users are served as everybody else, and are no part of it.
        user = next(user for user in USERS if place(user, "") >= 0.75)
        answer = ask(user)
        assert (answer.served_model, answer.HasField("experiment")) == (versions[0], False)
        with pytest.raises(grpc.RpcError) as caught:
            ask(experiment_variant="other")
        error: Any = caught.value
        assert error.details() == "experiment_variant: expected one of control, new, got 'other'"
