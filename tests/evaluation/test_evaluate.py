"""A model through `evaluate`: which users and lists it is asked for, and what comes back."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.evaluation import METRICS, evaluate, offline, ranking_metrics
from recocore.recommendations import Recommendations

if TYPE_CHECKING:
    from recocore.types import Float32Array, Int32Array

USERS, ITEMS = 50, 20


@dataclass
class Tabled:
    """Ranks by a table of scores, leaving out the training items; remembers what it was asked."""

    table: Float32Array
    interactions: Csr
    calls: list[tuple[list[int], int, bool]] = field(default_factory=list)

    @property
    def scorer(self) -> SimpleNamespace:
        return SimpleNamespace(interactions=self.interactions)

    def recommend(self, user_indices: Int32Array, k: int = 10, *, exclude_seen: bool = True) -> Recommendations:
        assert user_indices.dtype == np.int32
        self.calls.append((user_indices.tolist(), k, exclude_seen))
        scores = self.table[user_indices].copy()
        if exclude_seen:
            scores[self.interactions.rows(user_indices).to_scipy().toarray() > 0] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        ranked = np.take_along_axis(scores, order, axis=1)
        order[ranked == -np.inf] = -1
        missing = ((0, 0), (0, max(0, k - ITEMS)))
        return Recommendations(
            np.pad(order, missing, constant_values=-1), np.pad(ranked, missing, constant_values=-np.inf)
        )


def random_matrix(seed: int, density: float) -> Csr:
    return Csr.from_scipy(sp.random_array((USERS, ITEMS), density=density, random_state=seed, format="csr"))


@pytest.fixture
def train() -> Csr:
    return random_matrix(1, 0.2)


@pytest.fixture
def test_matrix() -> Csr:
    return random_matrix(2, 0.1)


@pytest.fixture
def model(train: Csr) -> Tabled:
    table = np.random.default_rng(0).integers(0, 30, (USERS, ITEMS)).astype(np.float32)
    return Tabled(table, train)


def test_equals_the_lists_of_the_model(model: Tabled, train: Csr, test_matrix: Csr) -> None:
    metrics = [m for m in METRICS if m != "intra_list_diversity"]
    result = evaluate(model, test_matrix, [3, 5], metrics)
    lists = model.recommend(np.arange(USERS, dtype=np.int32), ITEMS)
    expected = ranking_metrics(lists.ids, test_matrix, [3, 5], metrics, scores=lists.scores, train=train)
    assert dict(result.means) == dict(expected.means)
    assert dict(result.standard_errors) == dict(expected.standard_errors)


def test_asks_only_for_users_with_relevant_items(model: Tabled, test_matrix: Csr) -> None:
    result = evaluate(model, test_matrix, k=5)
    has_relevant = np.flatnonzero(np.diff(test_matrix.indptr)).tolist()
    assert model.calls == [(has_relevant, 5, True)]
    assert result.users.tolist() == has_relevant
    assert 0 < result.n_users < USERS


def test_restricts_to_the_users_asked_for(model: Tabled, test_matrix: Csr) -> None:
    everyone = evaluate(model, test_matrix, k=5)
    some = evaluate(model, test_matrix, k=5, users=np.arange(30)[::-1])
    kept = everyone.users < 30
    assert some.users.tolist() == everyone.users[kept].tolist()
    np.testing.assert_array_equal(some.per_user["ndcg@5"], everyone.per_user["ndcg@5"][kept])


def test_batches_change_nothing(model: Tabled, test_matrix: Csr, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = [m for m in METRICS if m != "intra_list_diversity"]
    whole = evaluate(model, test_matrix, [2, 4], metrics)
    told: list[float] = []
    model.calls.clear()
    monkeypatch.setattr(offline, "_ENTRIES_AT_A_TIME", 7 * ITEMS)
    pieces = evaluate(model, test_matrix, [2, 4], metrics, progress=told.append)
    assert dict(pieces.means) == dict(whole.means)
    assert [len(users) for users, _, _ in model.calls][:-1] == [7] * (len(model.calls) - 1)
    assert told == sorted(told)
    assert len(told) == len(model.calls) > 1
    assert told[-1] == 1.0


def test_an_exception_of_the_progress_callback_stops_it(model: Tabled, test_matrix: Csr) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, test_matrix, progress=stop)


def test_list_lengths(model: Tabled, test_matrix: Csr) -> None:
    evaluate(model, test_matrix, [3, 5])
    evaluate(model, test_matrix, 3, depth=8, ties="average")
    evaluate(model, test_matrix, 3, "auc")
    evaluate(model, test_matrix, ITEMS + 5)
    evaluate(model, test_matrix, 3, ties="average")
    assert [k for _, k, _ in model.calls] == [5, 8, ITEMS, ITEMS + 5, 4]


def test_a_longer_list_sees_ties_beyond_the_cutoff(train: Csr, test_matrix: Csr) -> None:
    flat = Tabled(np.ones((USERS, ITEMS), np.float32), train)
    short = evaluate(flat, test_matrix, 2, "recall", ties="average", exclude_seen=False)
    full = evaluate(flat, test_matrix, 2, "recall", ties="average", exclude_seen=False, depth=ITEMS)
    assert short.cut_ties == short.n_users
    assert full.cut_ties == 0
    np.testing.assert_allclose(full.per_user["recall@2"], 2 / ITEMS)


def test_takes_interactions_and_scipy(model: Tabled, test_matrix: Csr, train: Csr) -> None:
    plain = evaluate(model, test_matrix, 5, "novelty")
    wrapped = evaluate(model, SimpleNamespace(matrix=test_matrix), 5, "novelty", train=SimpleNamespace(matrix=train))
    scipy_test: Any = test_matrix.to_scipy()
    assert dict(plain.means) == dict(wrapped.means) == dict(evaluate(model, scipy_test, 5, "novelty").means)


def test_the_result_reads_and_serialises(model: Tabled, test_matrix: Csr) -> None:
    result = evaluate(model, test_matrix, [5, 10], ["recall", "auc", "gini"], exclude_seen=False)
    values = result.per_user["recall@5"]
    assert result["recall@5"] == pytest.approx(float(np.mean(values)))
    assert result.standard_errors["recall@5"] == pytest.approx(float(np.std(values, ddof=1) / np.sqrt(len(values))))
    assert list(result.means) == ["recall@5", "recall@10", "auc", "gini@5", "gini@10"]

    back = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert back["n_users"] == result.n_users
    assert back["exclude_seen"] is False
    assert back["metrics"]["recall@5"]["mean"] == result["recall@5"]
    assert back["metrics"]["gini@5"]["standard_error"] is None

    lines = str(result).splitlines()
    assert lines[0].split() == ["metric", "mean", "s.e."]
    assert [line.split()[0] for line in lines[1:-1]] == list(result.means)
    assert lines[-1] == f"{result.n_users} users"
    with pytest.raises(FrozenInstanceError):
        result.cut_ties = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 2.0


def test_one_user_has_no_standard_error(model: Tabled, test_matrix: Csr) -> None:
    user = int(np.flatnonzero(np.diff(test_matrix.indptr))[0])
    result = evaluate(model, test_matrix, 5, users=[user])
    assert result.to_dict()["metrics"]["recall@5"]["standard_error"] is None
    assert str(result).splitlines()[-1] == "1 user"


@pytest.mark.parametrize(
    ("change", "argument", "message"),
    [
        ({"metrics": 5}, "metrics", "expected a sequence of names, got 5"),
        ({"k": None}, "k", "expected a sequence of cutoffs, got None"),
        ({"metrics": ["recal"]}, "metrics", "expected names among recall, .*gini, got 'recal'"),
        ({"metrics": ["recall@20"]}, "metrics", "cutoffs go into k"),
        ({"metrics": []}, "metrics", "at least one"),
        ({"k": 0}, "k", r"cutoffs in \[1, 2\*\*31\), got 0"),
        ({"k": [5, -1]}, "k", "got -1"),
        ({"k": [2.5]}, "k", "got 2.5"),
        ({"k": []}, "k", "at least one"),
        ({"ties": "optimistic"}, "ties", "list or average, got 'optimistic'"),
        ({"gain": "squared"}, "gain", "linear or exponential"),
        ({"depth": 3}, "depth", "at least the largest cutoff, 5, got 3"),
        ({"test": Csr.empty((USERS, ITEMS))}, "test", "at least one entry above zero"),
        ({"test": Csr.from_coo([0], [0], [1.0], (USERS, ITEMS + 1))}, "test", "shape of the training matrix"),
        ({"test": [[1, 2]]}, "test", "Interactions, a Csr or a SciPy sparse matrix, got list"),
        ({"train": Csr.empty((1, 1))}, "test", "shape of the training matrix"),
        ({"train": "events.parquet"}, "train", "got str"),
        ({"users": [0, 0]}, "users", "each user once"),
        ({"users": [0, USERS]}, "users", rf"\[0, {USERS}\), got 0 to {USERS}"),
        ({"users": [0.5]}, "users", "1-d array of user indices"),
        ({"users": []}, "users", "1-d array of user indices"),
        ({"users": np.empty(0, np.int64)}, "users", "at least one with a relevant item"),
    ],
)
def test_names_the_argument_that_is_wrong(
    model: Tabled, test_matrix: Csr, change: dict[str, Any], argument: str, message: str
) -> None:
    arguments: dict[str, Any] = {"model": model, "test": test_matrix, "k": 5} | change
    with pytest.raises(InvalidArgumentError, match=rf"^{argument}: .*{message}") as caught:
        evaluate(**arguments)
    assert caught.value.field == argument


def test_refuses_columns_that_do_not_rise(model: Tabled) -> None:
    indptr = np.full(USERS + 1, 2, np.int64)
    indptr[:4] = 0
    falling = Csr(indptr, np.array([5, 3], np.int32), np.ones(2, np.float32), (USERS, ITEMS))
    with pytest.raises(InvalidArgumentError, match=r"^test: expected columns that rise .* in row 3"):
        evaluate(model, falling)


def test_refuses_lists_of_another_shape(test_matrix: Csr) -> None:
    class Short:
        def recommend(self, user_indices: Int32Array, k: int, *, exclude_seen: bool) -> Recommendations:
            shape = (len(user_indices), k - 1)
            return Recommendations(np.zeros(shape, np.int32), np.zeros(shape, np.float32))

    with pytest.raises(InvalidArgumentError, match=r"^model: expected recommend\(\) to return"):
        evaluate(Short(), test_matrix, 5)


@pytest.mark.parametrize(
    ("ids", "scores", "message"),
    [
        ([[0, 3]], None, r"ids: expected -1 or numbers in \[0, 3\), got 3 in the list of user 1"),
        ([[-2, 0]], None, "got -2 in the list of user 1"),
        ([[1, 1]], None, "item 1 again in the list of user 1"),
        ([[-1, 1]], None, "only -1 after a list's end, got 1 in the list of user 1"),
        ([[0, 1]], [[1.0, 2.0]], r"scores: expected numbers that never rise .* in the list of user 1"),
        ([[0, 1]], [[np.nan, np.nan]], "scores: expected numbers that never rise"),
    ],
)
def test_refuses_broken_lists(ids: Any, scores: Any, message: str) -> None:
    relevant = Csr.from_coo([1], [2], [1.0], (2, 3))  # user 0 has nothing relevant and is not looked at
    lists = np.array([[0, 1], *ids], np.int32)
    options: dict[str, Any] = {}
    if scores is not None:
        options = {"scores": np.array([[1.0, 0.0], *scores], np.float32), "ties": "average"}
    with pytest.raises(InvalidArgumentError, match=message):
        ranking_metrics(lists, relevant, 1, "recall", **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.zeros((1, 2))}, r"ids: expected int32 \(1, any\), got float64"),
        ({"ids": np.zeros((2, 2), np.int32)}, r"got int32 \(2, 2\)"),
        ({"ids": [[0, 1]]}, "got list"),
        ({"k": 3}, "k: expected at most the length of the lists, 2, got 3"),
        ({"scores": np.zeros((1, 2))}, r"scores: expected float32 \(1, 2\), got float64"),
        ({"ties": "average"}, "scores: expected float32 scores"),
    ],
)
def test_refuses_arrays_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "ids": np.array([[0, 1]], np.int32),
        "relevant": Csr.from_coo([0], [2], [1.0], (1, 3)),
        "k": 2,
    }
    with pytest.raises(InvalidArgumentError, match=message):
        ranking_metrics(**(arguments | change))


def test_refuses_exponential_gain_beyond_a_double() -> None:
    relevant = Csr.from_coo([0], [2], [2000.0], (1, 3))
    ids = np.array([[2]], np.int32)
    assert ranking_metrics(ids, relevant, 1, "ndcg_graded")["ndcg_graded@1"] == 1.0
    with pytest.raises(InvalidArgumentError, match=r"values up to 512 .* got 2000.* use linear gain"):
        ranking_metrics(ids, relevant, 1, "ndcg_graded", gain="exponential")
