"""The anomaly scenario: what it takes for right, and a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.anomaly.detecting import ECOD, FOREST, HBOS
from benchmarks.anomaly.scenario import SCENARIO, Parameters, auc
from benchmarks.harness.results import Results
from benchmarks.harness.scenario import WrongResultError
from sklearn.metrics import roc_auc_score
from tests.benchmarks.test_similarity import bench

from recocore import fraud

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import AnyArray


def test_parameters_print_themselves() -> None:
    names = [case.name for case in SCENARIO.cases]
    assert len(set(names)) == len(names)
    assert "one a call" in str(Parameters(ECOD, one_by_one=True))


def test_the_area_under_the_curve_is_scikit_learns_ties_and_all() -> None:
    random = np.random.default_rng(0)
    scores, labels = random.integers(0, 9, 200).astype(float), random.random(200) < 0.3
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("detector", [ECOD, HBOS, FOREST])
def test_right_scores_pass_and_wrong_ones_are_found(detector: str, tmp_path: Path) -> None:
    parameters = Parameters(detector, 1_000, 4, 300)
    inputs = SCENARIO.prepare(parameters, tmp_path, tmp_path)
    fitted, rows = (np.load(inputs.files[name]) for name in ("fitted", "rows"))
    made = {ECOD: fraud.ECOD("pyod"), HBOS: fraud.HBOS(), FOREST: fraud.IsolationForest()}
    right = made[detector].fit(fitted).score(rows)
    result = tmp_path / "recocore.result"

    def saved(scores: AnyArray) -> Path:
        with result.open("wb") as file:
            np.save(file, scores)
        return result

    SCENARIO.check(parameters, inputs, saved(right))
    for wrong in (right[:-1], np.full_like(right, np.nan), -right):
        with pytest.raises(WrongResultError):
            SCENARIO.check(parameters, inputs, saved(wrong))
    if detector != FOREST:
        spoiled = right.copy()
        spoiled[3] += 1e-6
        with pytest.raises(WrongResultError, match="differ"):
            SCENARIO.check(parameters, inputs, saved(spoiled))


def test_a_whole_run_through_the_command(tmp_path: Path) -> None:
    done = bench(
        "anomaly", "--case", "tiny_forest", "--repeats", 2, "--threads", 1, "--out", tmp_path / "out", "--json"
    )
    assert done.returncode == 0, done.stderr
    (case,) = Results.from_json(done.stdout).cases
    assert case.ours is not None
    assert {entry.name for entry in case.timed} == {"recocore", "scikit-learn"}
