"""The whole path: a model is fitted, saved, served by a process that maps it, and answers as it does in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recocore import Index, Interactions
from recocore.client import Client, ServiceError
from recocore.models import ALS, ItemKNN
from tests.service.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module", params=["als", "itemknn"])
def index(request: pytest.FixtureRequest) -> Index:
    """30 users with text ids, 20 items with integer ids."""
    rng = np.random.default_rng(3)
    users = [f"user-{number:02}" for number in rng.integers(0, 30, 240)]
    log = Interactions.from_coo(users, np.minimum(rng.geometric(0.15, 240), 20) * 10)
    model = ALS(factors=4, iterations=3, seed=1) if request.param == "als" else ItemKNN(k=8)
    return Index.build(model.fit(log), log)


@pytest.fixture(scope="module")
def saved(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "index"
    index.save(path)
    return path


@pytest.fixture(scope="module")
def served(saved: Path) -> Iterator[Client]:
    with ServerProcess.serve(saved) as server, Client(server.address, timeout=20) as client:
        yield client


def test_served_rankings_are_those_in_memory(index: Index, served: Client) -> None:
    for user in ("user-00", "user-17", "nobody"):
        answer = served.recommend(user, 15, explain=True)
        (expected,) = index.recommend([user], 15, explain=5)
        assert [
            (item.item_id, item.score, item.source, [(reason.item_id, reason.weight) for reason in item.reasons])
            for item in answer.items
        ] == [
            (
                str(item.item_id),
                item.score,
                item.source,
                [(str(reason.item_id), pytest.approx(reason.weight, rel=1e-6)) for reason in item.reasons],
            )
            for item in expected.items
        ]
        assert answer.fallback_used == expected.fallback_used
        assert answer.served_model == index.version
        assert answer.missing_ids == (("nobody",) if user == "nobody" else ())


def test_a_known_user_gets_reasons(served: Client) -> None:
    items = served.recommend("user-00", 3, explain=True).items
    assert any(item.reasons for item in items)


def test_integer_ids_travel_as_text(index: Index, served: Client) -> None:
    answer = served.recommend("user-00", candidate_item_ids=["10", "20", "20.0", "+10"], seen_policy="include")
    assert {item.item_id for item in answer.items} <= {"10", "20"}
    assert answer.missing_ids == ("20.0", "+10")
    scores = served.score("user-00", ["30", "10", "nix"])
    assert list(scores.scores.values()) == index.score("user-00", [30, 10]).scores.tolist()
    assert (list(scores.scores), scores.missing_ids) == (["30", "10"], ("nix",))


def test_similar_items_are_those_in_memory(index: Index, served: Client) -> None:
    answer = served.similar_items(["10"], 5)
    (expected,) = index.similar_items([10], 5)
    assert [(item.item_id, item.score) for item in answer.items] == [
        (str(item.item_id), item.score) for item in expected.items
    ]


def test_workers_share_a_port_and_drain_together(saved: Path, index: Index) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        answers = []
        for _ in range(8):
            with Client(server.address, timeout=20) as client:
                answers.append(client.recommend("user-00").items)
        assert answers == [answers[0]] * 8
        server.terminate()
        assert server.wait() == 0, server.log()
        assert len([record for record in server.records() if record["event"] == "stopped"]) == 2


def test_a_dead_worker_ends_the_service(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        children = _children(server.process.pid)
        os.kill(children[-1], signal.SIGKILL)
        assert server.wait() != 0
        assert "InternalError: a worker ended with exit code -9" in server.log()


def test_workers_do_not_outlive_their_parent(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        children = _children(server.process.pid)
        assert len(children) >= 2
        server.terminate(signal.SIGKILL)
        server.wait()
        with Client(server.address, retries=0) as client:
            deadline = time.monotonic() + 20
            while True:
                try:
                    client.recommend("user-00")
                except ServiceError as error:
                    if error.status == "UNAVAILABLE":
                        break
                assert time.monotonic() < deadline
                time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_index_is_refused(tmp_path: Path, workers: int) -> None:
    code = f"from recocore.service import serve\nserve({str(tmp_path / 'none')!r}, port=0, workers={workers})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "NotFoundError" in done.stderr


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]
