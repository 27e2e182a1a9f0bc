"""`recocore fit` with the options of a long fit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recocore.data import EventBatch, Interactions, clean, hold_out
from recocore.index import Index
from recocore.models import ALS, Validation
from recocore.scoring import FactorScorer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def interactions(log: Path) -> Interactions:
    return Interactions.from_events(clean(EventBatch.from_parquet(log)).events)


def test_the_objective_of_each_epoch_is_shown(run: Run, log: Path, interactions: Interactions, tmp_path: Path) -> None:
    done = run("fit", log, "--factors", 8, "--iterations", 3, "--objective", "--out", tmp_path / "index")
    assert (done.returncode, done.stderr) == (0, "")
    model = ALS(factors=8, iterations=3).fit(interactions, track_objective=True)
    for report in model.history:
        assert f"{report.objective:,.1f}" in done.stdout
    assert "change" in done.stdout


def test_validation_finds_the_epochs_that_everything_is_fitted_for(
    run: Run, log: Path, interactions: Interactions, tmp_path: Path
) -> None:
    options = ("--factors", 8, "--iterations", 30, "--validate", 0.2, "--metric", "recall@10", "--patience", 2)
    done = run("fit", log, *options, "--out", tmp_path / "index", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    split = hold_out(interactions, 0.2)
    judged = ALS(factors=8, iterations=30).fit(split.train, validation=Validation(split.test, "recall@10", patience=2))
    assert summary["best_epoch"] == judged.best_epoch == summary["params"]["iterations"]
    assert [e["validation"] for e in summary["history"]] == [report.validation for report in judged.history]
    expected = ALS(factors=8, iterations=judged.best_epoch).fit(interactions)
    scorer = Index.load(tmp_path / "index").scorer
    assert isinstance(scorer, FactorScorer)
    np.testing.assert_array_equal(scorer.user_factors, expected.user_factors)
    np.testing.assert_array_equal(scorer.item_factors, expected.item_factors)
    shown = run("fit", log, *options, "--out", tmp_path / "again").stdout
    assert f"{judged.best_epoch} epochs ranked held-out pairs best (recall@10)" in shown


def test_a_checkpoint_is_gone_on_from(run: Run, log: Path, tmp_path: Path) -> None:
    for iterations in (2, 4):
        arguments = ("--factors", 8, "--iterations", iterations, "--checkpoint", tmp_path / "run")
        assert run("fit", log, *arguments, "--out", tmp_path / f"index-{iterations}").returncode == 0
    whole = run("fit", log, "--factors", 8, "--iterations", 4, "--out", tmp_path / "whole", "--json")
    assert json.loads(whole.stdout)["version"] == Index.load(tmp_path / "index-4").version
    other = run("fit", log, "--factors", 9, "--checkpoint", tmp_path / "run", "--out", tmp_path / "other")
    assert other.returncode == 1
    assert "is of another fit: factors was 8, is 9" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "itemknn", "--objective"], 2, "--objective is no parameter of itemknn"),
        (["--validate", "0.1", "--checkpoint", "run"], 2, "--checkpoint and --validate: expected one of them"),
        (["--validate", "1.5"], 2, "Invalid value for '--validate'"),
        (["--validate", "0.1", "--metric", "auc"], 1, "metric: expected NAME@K"),
        (["--memory-limit", "1"], 1, "more than memory_limit allows, 1 MB"),
    ],
)
def test_what_does_not_go_together_is_refused(
    run: Run, log: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    done = run("fit", log, *arguments, "--out", tmp_path / "index")
    assert done.returncode == code
    assert message in done.stderr
    assert not (tmp_path / "index").exists()
