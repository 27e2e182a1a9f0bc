"""The similarity scenario: its matrices, what it takes for right, and a whole run."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from benchmarks.harness.process import ROOT
from benchmarks.harness.results import Results
from benchmarks.harness.scenario import UnavailableError, WrongResultError
from benchmarks.similarity.neighbors import Neighbors
from benchmarks.similarity.reference import Reference
from benchmarks.similarity.scenario import SCENARIO, Parameters

from benchmarks import matrices
from recocore.ops import similarity

SHARED = ROOT.parent / "shared" / "bench" / "interactions.py"
SCRIPT = Path(sys.executable).with_name("recocore")
K = 10


def digest(matrix: Any) -> str:
    parts = [matrix.indptr, matrix.indices, matrix.data]
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def test_a_matrix_is_what_its_name_says() -> None:
    made = matrices.popularity_matrix(200, 50, 2_000, seed=7)
    again = matrices.popularity_matrix(200, 50, 2_000, seed=7)
    assert digest(made) == digest(again)
    assert made.has_canonical_format
    assert set(made.data) == {1}
    assert set(matrices.weighted(made).data) == {1, 2, 3, 4, 5}


def test_the_matrices_are_those_that_figures_were_quoted_on() -> None:
    if not SHARED.is_file():
        pytest.skip(f"{SHARED} is absent: it is not part of the project")
    spec = importlib.util.spec_from_file_location("interactions", SHARED)
    assert spec is not None
    assert spec.loader is not None
    quoted = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(quoted)
    made, theirs = matrices.small_like(), quoted.small_like()
    assert digest(made) == digest(theirs)
    assert digest(matrices.weighted(made)) == digest(quoted.weighted(theirs))


def test_a_scaled_matrix_has_about_as_many_non_zeros() -> None:
    for asked in (100_000, 400_000):
        assert matrices.scaled(asked).nnz == pytest.approx(asked, rel=0.1)


def test_parameters_print_themselves() -> None:
    names = [case.name for case in SCENARIO.cases]
    assert len(set(names)) == len(names)
    assert len({str(case.parameters) for case in SCENARIO.cases}) == len(names)


@pytest.fixture(scope="module")
def items() -> Any:
    return matrices.popularity_matrix(400, 120, 5_000, seed=8).T.tocsr()


def test_recocores_own_answer_is_right(items: Any) -> None:
    found = Neighbors.from_csr(similarity(items, "cosine", k=K), K)
    Reference.of(items).check(found)
    assert Reference.of(items).largest_error(found) < 1e-6


def test_a_neighbor_of_itself_is_left_out(items: Any) -> None:
    alone = Neighbors.from_csr(similarity(items, "cosine", k=K), K)
    among = Neighbors.from_csr(similarity(items, "cosine", k=K + 1, include_self=True), K)
    assert np.array_equal(alone.ids, among.ids)


def spoiled(items: Any, how: str) -> Neighbors:
    right = Neighbors.from_csr(similarity(items, "cosine", k=K), K)
    ids, scores = right.ids.copy(), right.scores.copy()
    match how:
        case "a score":
            scores[:, 3] += 2e-5
        case "a neighbor":
            ids[:, 0] = (ids[:, 0] + 1) % items.shape[0]
        case "one missing":
            ids[:, -1], scores[:, -1] = -1, 0
        case "one twice":
            ids[:, 1] = ids[:, 0]
        case "not a number":
            scores[:, 0] = np.nan
    return Neighbors(ids, scores)


@pytest.mark.parametrize("how", ["a score", "a neighbor", "one missing", "one twice", "not a number"])
def test_a_wrong_answer_is_found(items: Any, how: str) -> None:
    with pytest.raises(WrongResultError):
        Reference.of(items).check(spoiled(items, how))


def test_a_wrong_row_outside_of_the_sample_is_found_beside_another_answer(items: Any, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    Neighbors.from_csr(similarity(items, "cosine", k=K), K).save(right)
    spoiled(items, "one missing").save(wrong)
    SCENARIO.agree(Parameters("tiny", k=K), right, right)
    with pytest.raises(WrongResultError, match="should be"):
        SCENARIO.agree(Parameters("tiny", k=K), wrong, right)


def test_the_work_is_the_multiply_adds_of_the_product(tmp_path: Path) -> None:
    inputs = SCENARIO.prepare(Parameters("tiny"), tmp_path, tmp_path)
    ones = sp.load_npz(inputs.files["matrix"]).astype(np.int64)
    assert inputs.work == (ones.T @ ones).sum()


def test_an_absent_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"gowalla/train\.parquet is not in the data folder"):
        SCENARIO.prepare(Parameters("gowalla"), tmp_path, tmp_path)


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    if not SCRIPT.exists():
        pytest.skip(f"{SCRIPT} is not there: the package is not installed in this environment")
    command = [str(SCRIPT), "bench", *map(str, arguments), "--folder", str(ROOT / "benchmarks")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)


def test_the_command_lists_the_scenarios(tmp_path: Path) -> None:
    listed = json.loads(bench("--json").stdout)
    assert "similarity" in [entry["scenario"] for entry in listed]
    assert "ml20m_like" in bench().stdout


def test_a_whole_run_through_the_command(tmp_path: Path) -> None:
    done = bench("similarity", "--case", "tiny", "--repeats", 2, "--threads", 1, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    found = Results.from_json(done.stdout)
    assert found == Results.from_json((tmp_path / "out" / "similarity.json").read_text(encoding="utf-8"))
    (case,) = found.cases
    assert case.ours is not None
    assert len(case.ours.times.seconds) == found.repeats == 2
    everyone = {entry.name for entry in case.timed} | {dropped.name for dropped in case.dropped}
    assert everyone == set(SCENARIO.competitors())
    # A peer that is not installed here is named; nothing else may be the reason.
    assert all(dropped.reason.endswith("is not installed") for dropped in case.dropped)
    page = (tmp_path / "out" / "similarity.html").read_text(encoding="utf-8")
    assert "Item similarity" in page
    assert str(tmp_path) not in page + done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["similarity.html", "similarity.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["juggling"], "expected one of als, anomaly, profiles, similarity, topk, got 'juggling'"),
        (["similarity", "--case", "huge"], "expected one of gowalla, ml20m_like"),
        (["similarity", "--threads", "9999"], "cores of this machine, got 9999"),
    ],
)
def test_what_is_not_understood_is_said_in_one_line(arguments: list[str], message: str) -> None:
    done = bench(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_outside_of_a_checkout_the_next_step_is_named(tmp_path: Path) -> None:
    if not SCRIPT.exists():
        pytest.skip(f"{SCRIPT} is not there: the package is not installed in this environment")
    done = subprocess.run([str(SCRIPT), "bench"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "recocore: error: benchmarks: there is no benchmark house here; run this in a checkout"
    )
    assert len(done.stderr.splitlines()) == 1
