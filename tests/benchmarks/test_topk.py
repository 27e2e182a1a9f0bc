"""The top-k scenario: what it takes for right, what its competitors answer, and a whole run."""

from __future__ import annotations

import importlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp
from benchmarks.harness.results import Results
from benchmarks.harness.scenario import UnavailableError, WrongResultError
from benchmarks.topk.bare_product import Competitor as BareProduct
from benchmarks.topk.problem import Problem
from benchmarks.topk.ranking import Ranking
from benchmarks.topk.reference import Reference, agree, rounding
from benchmarks.topk.scenario import GAUSSIAN, SCENARIO, Parameters
from benchmarks.topk.vectors import seen
from tests.benchmarks.test_similarity import bench

from recocore.ops import topk

if TYPE_CHECKING:
    from pathlib import Path

K = 5
N, M, F = 130, 700, 12
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "excluding": {"excluded": 20},
    "allowing": {"allowed": 0.1},
    "one by one": {"one_by_one": True},
}


def asked(**changed: Any) -> Parameters:
    return Parameters(GAUSSIAN, N, M, factors=F, k=K, **changed)


def prepared(folder: Path, **changed: Any) -> tuple[Problem, Reference]:
    inputs = SCENARIO.prepare(asked(**changed), folder, folder)
    assert inputs.expected is not None
    return Problem.load(inputs.files), Reference.load(inputs.expected)


def answered(problem: Problem) -> Ranking:
    """By a full sort in float64."""
    scores = problem.queries.astype(np.float64) @ problem.items.astype(np.float64).T
    if problem.allowed is not None:
        scores[:, np.setdiff1d(np.arange(M), problem.allowed)] = -np.inf
    if problem.excluded is not None:
        scores[problem.excluded.toarray() > 0] = -np.inf
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return Ranking(ids.astype(np.int32), np.take_along_axis(scores, ids, axis=1).astype(np.float32))


def test_parameters_print_themselves() -> None:
    names = [case.name for case in SCENARIO.cases]
    assert len(set(names)) == len(names)
    # The sizes are said by the facts.
    said = {(str(p), p.queries, p.items) for p in (case.parameters for case in SCENARIO.cases)}
    assert len(said) == len(names)


@pytest.mark.parametrize("changed", FILTERS.values(), ids=FILTERS)
def test_a_full_sort_is_right(tmp_path: Path, changed: dict[str, Any]) -> None:
    problem, reference = prepared(tmp_path, **changed)
    assert len(reference.rows) == N
    reference.check(answered(problem), problem)
    assert reference.largest_error(answered(problem), problem) < 1e-5
    agree(answered(problem), answered(problem), problem)


def test_the_reference_is_the_same_where_only_some_queries_are_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, every = prepared(tmp_path, excluded=20)
    monkeypatch.setattr("benchmarks.topk.reference._MAX_QUERIES", 17)
    monkeypatch.setattr("benchmarks.topk.reference._ITEMS", 64)
    some = Reference.of(problem, K)
    assert len(some.rows) == 17
    assert np.array_equal(some.ids, every.ids[some.rows])
    assert np.allclose(some.scores, every.scores[some.rows], rtol=1e-12)


def spoiled(problem: Problem, how: str) -> Ranking:
    right = answered(problem)
    ids, scores = right.ids.copy(), right.scores.copy()
    match how:
        case "a score":
            scores[7, 3] = (scores[7, 2] + scores[7, 3]) / 2
        case "another item":
            ids[:, 0] = np.argmin(problem.queries @ problem.items.T, axis=1)
        case "the best missing":
            wider = np.argsort(-problem.queries @ problem.items.T, axis=1)[:, 1 : K + 1].astype(np.int32)
            ids, scores = wider, np.take_along_axis(problem.queries @ problem.items.T, wider, axis=1)
        case "one twice":
            ids[:, 1], scores[:, 1] = ids[:, 0], scores[:, 0]
        case "two exchanged":
            ids[:, [0, 1]] = ids[:, [1, 0]]
        case "another order":
            ids, scores = ids[:, ::-1], scores[:, ::-1]
        case "not a number":
            scores[3, 0] = np.nan
        case "no item":
            ids[3, -1] = -1
        case "too few":
            ids, scores = ids[:, :-1], scores[:, :-1]
    return Ranking(ids, scores)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("a score", "query 7: the score at rank 4 should be"),
        ("another item", "the score at rank 1 should be"),
        ("the best missing", "the score at rank 1 should be"),
        ("one twice", "has the same item twice"),
        ("two exchanged", "the score at rank"),
        ("another order", "is not in the order of the scores"),
        ("not a number", "query 3 has a score that is not finite"),
        ("no item", "query 3 names an item that is not there"),
        ("too few", r"expected ids and scores \(130, 5\)"),
    ],
)
def test_a_wrong_answer_is_found(tmp_path: Path, how: str, message: str) -> None:
    problem, reference = prepared(tmp_path)
    with pytest.raises(WrongResultError, match=message):
        reference.check(spoiled(problem, how), problem)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"excluded": 20}, "has an excluded item"), ({"allowed": 0.1}, "has an item that is not allowed")],
)
def test_what_may_not_come_back_is_found_in_every_row(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    problem, reference = prepared(tmp_path, **changed)
    nobody_sampled = replace(reference, rows=reference.rows[:0], ids=reference.ids[:0], scores=reference.scores[:0])
    with pytest.raises(WrongResultError, match=message):
        nobody_sampled.check(answered(replace(problem, excluded=None, allowed=None)), problem)


def test_equal_scores_may_come_in_any_order(tmp_path: Path) -> None:
    problem, _ = prepared(tmp_path)
    twins = Problem(problem.queries, np.vstack([problem.items[: M // 2]] * 2))
    reference, right = Reference.of(twins, 4), answered(twins)
    first, other = right.ids[:, :4], (right.ids[:, :4] + M // 2) % M
    for ids in (first, other):
        found = Ranking(ids.astype(np.int32), right.scores[:, :4])
        reference.check(found, twins)
        agree(found, Ranking(first, right.scores[:, :4]), twins)


def test_a_wrong_row_outside_of_the_sample_is_found_beside_another_answer(tmp_path: Path) -> None:
    problem, _ = prepared(tmp_path)
    right = answered(problem)
    for how in ("the best missing", "another item"):
        spoiled(problem, how).save(tmp_path / "wrong")
        right.save(tmp_path / "right")
        SCENARIO.agree(asked(), tmp_path / "right", tmp_path / "right")
        with pytest.raises(WrongResultError, match="should be"):
            SCENARIO.agree(asked(), tmp_path / "wrong", tmp_path / "right")


def test_float32_sums_stay_within_the_rounding_that_is_allowed() -> None:
    rng = np.random.default_rng(0)
    queries, items = (rng.lognormal(0, 2, (size, 300)).astype(np.float32) for size in (50, 80))
    problem = Problem(queries, items)
    sums = np.zeros((50, 80), np.float32)
    for column in range(300):  # one after another: the worst order there is
        sums += np.outer(problem.queries[:, column], problem.items[:, column])
    exact = problem.queries.astype(np.float64) @ problem.items.astype(np.float64).T
    assert (np.abs(sums - exact) <= rounding(problem)[:, None]).all()


def test_what_was_seen_scores_high_and_takes_best_items_away() -> None:
    rng = np.random.default_rng(0)
    queries, items = (rng.standard_normal((size, F), np.float32) for size in (1_100, 6_000))
    excluded = seen(queries, items, 100)
    assert excluded.has_canonical_format
    assert set(np.diff(excluded.indptr)) == {100}
    best, _ = topk(queries, items, 10)
    taken = sp.csr_matrix((np.ones(best.size), best.ravel(), np.arange(1_101) * 10), shape=excluded.shape)
    # Of the ten best, those among the 4,000 drawn.
    assert taken.multiply(excluded).nnz / 1_100 == pytest.approx(10 * 4_000 / 6_000, rel=0.1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # SWIG's types, at the import of faiss
@pytest.mark.parametrize("changed", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("name", SCENARIO.competitors())
def test_a_competitor_answers_what_is_asked(tmp_path: Path, name: str, changed: dict[str, Any]) -> None:
    if name == "usearch" and "excluded" in changed:
        pytest.skip("it cannot exclude, and takes no part in such cases")
    if name in {"faiss", "usearch"}:
        pytest.importorskip(name)
    inputs = SCENARIO.prepare(asked(**changed), tmp_path, tmp_path)
    module = importlib.import_module(SCENARIO.competitors()[name])
    competitor = module.Competitor(inputs.files, asdict(asked(**changed)), 1)
    competitor.save(competitor.run(), tmp_path / "result")
    SCENARIO.check(asked(**changed), inputs, tmp_path / "result")


@pytest.mark.parametrize("changed", FILTERS.values(), ids=FILTERS)
def test_the_work_and_that_of_the_roof_are_the_operations_of_the_product(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    inputs = SCENARIO.prepare(asked(**changed), tmp_path, tmp_path)
    items = M // 10 if "allowed" in changed else M
    assert inputs.work == BareProduct(inputs.files, asdict(asked(**changed)), 1).amount == 2 * N * items * F


def test_an_absent_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"gowalla/train\.parquet is not in the data folder"):
        SCENARIO.prepare(Parameters("gowalla"), tmp_path, tmp_path)


def test_a_whole_run_through_the_command(tmp_path: Path) -> None:
    done = bench("topk", "--case", "tiny", "--repeats", 2, "--threads", 1, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (case,) = Results.from_json(done.stdout).cases
    assert case.ours is not None
    assert case.roof is not None
    everyone = {entry.name for entry in case.timed} | {dropped.name for dropped in case.dropped}
    assert everyone == {"recocore", "faiss", "implicit", "usearch"}
    # A peer that is not installed here is named; nothing else may be the reason.
    assert all(dropped.reason.endswith("is not installed") for dropped in case.dropped)
    page = (tmp_path / "out" / "topk.html").read_text(encoding="utf-8")
    assert "the bare float32 product" in page
    assert "of the roof" in page
