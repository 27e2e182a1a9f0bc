"""The whole path: a model is fitted, saved, served by a process that maps it, and answers as it does in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.client import Client
from recocore.models import ALS, ItemKNN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recocore import Index


@pytest.fixture(scope="module", params=["als", "itemknn"])
def index(request: pytest.FixtureRequest) -> Index:
    return small_index(ALS(factors=4, iterations=3, seed=1) if request.param == "als" else ItemKNN(k=8))


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
        assert [(item.item_id, item.score, item.source) for item in answer.items] == [
            (str(item.item_id), item.score, item.source) for item in expected.items
        ]
        for item, known in zip(answer.items, expected.items, strict=True):
            # Weights travel as float32.
            assert {reason.item_id: reason.weight for reason in item.reasons} == pytest.approx(
                {str(reason.item_id): reason.weight for reason in known.reasons}, rel=1e-6
            )
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
