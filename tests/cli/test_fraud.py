"""`recocore fraud`: from simulated orders to decisions, a back-test, rings and the page."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.fraud.ledger.desks import rows
from tests.fraud.test_decision import fitted

from recocore.cli import main
from recocore.fraud.ledger import FraudDesk
from recocore.state import StateStore

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shop(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fraud") / "shop"
    done = run("fraud", "demo", folder, "--events", 4000)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def model(run: Run, shop: Path) -> Path:
    made = shop.parent / "model"
    done = run(
        "fraud", "fit", shop / "learn.parquet", "--labels", shop / "labels.csv",
        "--label-cut", "2026-02-12T00:00:00Z", "--out", made, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)["card"]
    assert 0 < card["fraud"] < card["labelled"]
    return made


def test_decisions_come_with_reasons_and_versions(run: Run, shop: Path, model: Path) -> None:
    out = shop.parent / "decisions.jsonl"
    done = run("fraud", "score", model, shop / "later.parquet", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert sum(said["decisions"].values()) == len(lines) == 4000
    assert all(line["reasons"] for line in lines)
    assert {line["model_version"] for line in lines} == {said["model"]}
    assert said["reasons"]["card_testing"] > 0
    assert "approve" in run("fraud", "score", model, shop / "later.parquet").stdout


def test_backtest_rings_and_settings(run: Run, shop: Path, tmp_path: Path) -> None:
    settings = tmp_path / "fraud.toml"
    settings.write_text(run("fraud", "settings").stdout)
    done = run(
        "fraud", "backtest", shop / "later.parquet", "--labels", shop / "labels.csv", "--settings", settings, "--json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["together"]["precision"] > 0.7
    assert report["together"]["blocked_value"] > 0
    shown = run("fraud", "backtest", shop / "later.parquet", "--labels", shop / "labels.csv").stdout
    assert all(word in shown for word in ("together", "precision", "recall", "blocked", "harmed"))  # in 80 columns
    assert "nan" not in shown
    found = json.loads(run("fraud", "rings", shop / "later.parquet", "--max-rings", 2, "--json").stdout)
    assert found
    assert all(name.startswith(("farm-", "tester-")) for ring in found for name in ring["accounts"])  # nobody honest
    assert "density" in run("fraud", "rings", shop / "later.parquet", "--entity", "device", columns=120).stdout


def test_the_report_is_one_page(run: Run, shop: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    labels = ("--labels", shop / "labels.csv")
    done = run("fraud", "report", model, shop / "later.parquet", *labels, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["summary"]["average_precision"] > 5 * figures["summary"]["prevalence"]
    page = out.read_text()
    for heading in ("Precision and recall", "Scores", "Top reasons", "Rings", "Rules", "Calibration"):
        assert f"<h2>{heading}</h2>" in page
    assert "<script" not in page
    assert "http://" not in page
    assert page.count("<svg") >= 6


def test_what_is_wrong_is_said_in_one_line(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('counters = ["count by user_id over 1h"]\n[[rules]]\nname = "a"\nwhen = "nothing > 1"\n')
    for arguments, message in (
        (("fit", shop / "learn.parquet", "--out", shop), "not there yet"),
        (("backtest", shop / "learn.parquet", "--settings", broken), "rules[0] (a): when: expected a column"),
        (("backtest", shop / "learn.parquet", "--settings", tmp_path / "none.toml"), "no file of settings"),
        (("fit", shop / "learn.parquet", "--out", tmp_path / "m", "--labels", shop / "learn.parquet"), "labels"),
        (("fit", shop / "learn.parquet", "--out", tmp_path / "m", "--labels", shop / "labels.csv", "--label-cut", "x"), "time"),
        (("score", tmp_path / "none", shop / "learn.parquet"), "there is no model of fraud here; `recocore fraud fit`"),
        (("rings", shop / "learn.parquet", "--entity", "session_id"), "which has event_id, event_time"),
    ):  # fmt: skip
        assert main(["fraud", *map(str, arguments)]) == 1, arguments
        said = capsys.readouterr().err
        assert message in said
        assert len(said.splitlines()) == 1


def test_a_log_is_backed_up_alone_and_with_the_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, events = fitted()
    with FraudDesk.open(tmp_path / "log", model) as desk:
        desk.score(rows(events[:50]))
        expected = desk.velocity.keys
    with StateStore.open(tmp_path / "state") as store:
        store.record([{"user_id": "ann", "item_id": "tea"}])

    def said(*line: object) -> str:
        capsys.readouterr()
        assert main([*map(str, line)]) == 0
        return capsys.readouterr().out

    log, both = tmp_path / "log", tmp_path / "both"
    alone = json.loads(said("fraud", "backup", log, tmp_path / "alone", "--json"))
    assert alone["fraud"]["copied"] == alone["fraud"]["files"] > 5
    again = json.loads(said("state", "backup", tmp_path / "state", both, "--fraud", log, "--json"))
    assert set(again) == {"state", "fraud"}
    assert "files are as they were written" in said("state", "verify", both)
    said("state", "restore", both, tmp_path / "state-2", "--fraud", tmp_path / "log-2")
    said("fraud", "restore", tmp_path / "alone", tmp_path / "log-3")
    for name in ("log-2", "log-3"):
        shutil.copy(tmp_path / "log.key", tmp_path / f"{name}.key")
        with FraudDesk.open(tmp_path / name, model) as desk:
            assert desk.velocity.keys == expected
            assert all(one.duplicate for one in desk.score(rows(events[:50])))
    assert main(["fraud", "backup", str(tmp_path / "none"), str(both)]) == 1
    assert "there is no log of fraud here" in capsys.readouterr().err
