"""The main paths through the real console script."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from recocore.client import Client
from recocore.data import CleaningRules, EventBatch, clean, split_by_time, synthetic_shop
from recocore.evaluation import evaluate
from recocore.index import Index
from recocore.models import ItemKNN, Popularity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def test_fit_says_what_it_read_set_aside_and_saved(run: Run, log: Path, tmp_path: Path) -> None:
    done = run("fit", log, "--model", "als", "--factors", 8, "--iterations", 2, "--out", tmp_path / "index")
    assert (done.returncode, done.stderr) == (0, "")
    report = clean(EventBatch.from_parquet(log)).report
    index = Index.load(tmp_path / "index")
    for text in (
        f"{report.rows_in:,}",
        "set aside: duplicate event id",
        "set aside: future time",
        "fitted als on",
        f"saved index {index.version}",
        f"next: recocore serve {tmp_path / 'index'}",
    ):
        assert text in done.stdout
    assert (index.model, index.params["factors"], index.params["iterations"]) == ("ALS", 8, 2)


def test_fit_prints_json_and_keeps_the_quarantine(run: Run, log: Path, tmp_path: Path) -> None:
    aside = tmp_path / "aside.parquet"
    done = run("fit", log, "--model", "popularity", "--out", tmp_path / "index", "--quarantine", aside, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    index = Index.load(tmp_path / "index")
    assert summary["version"] == index.version
    assert (summary["users"], summary["items"]) == (len(index.users), len(index.items))
    assert sum(summary["events"]["set_aside"].values()) == summary["events"]["rows"] - summary["events"]["sound"]
    reasons = pq.read_table(aside).column("reason").to_pylist()
    assert {reason: reasons.count(reason) for reason in set(reasons)} == summary["events"]["set_aside"]


def test_the_quarantine_is_never_written_over_the_log(run: Run, log: Path, tmp_path: Path) -> None:
    before = log.read_bytes()
    done = run("fit", log, "--model", "popularity", "--out", tmp_path / "index", "--quarantine", log)
    assert done.returncode == 1
    assert "quarantine: expected another file than the log" in done.stderr
    assert log.read_bytes() == before


def test_ids_are_shown_as_they_are(run: Run, tmp_path: Path) -> None:
    events = pa.table({"user_id": ["[/bold]", "ann", "ann"], "item_id": ["[red]tea", "[red]tea", "[/x]pot"]})
    pq.write_table(events, tmp_path / "log.parquet")
    assert run("fit", tmp_path / "log.parquet", "--model", "itemknn", "--out", tmp_path / "index").returncode == 0
    done = run("recommend", tmp_path / "index", "--user", "[/bold]", "--explain")
    assert done.returncode == 0, done.stderr
    for id_ in ("[/bold]", "[red]tea", "[/x]pot"):
        assert id_ in done.stdout


def test_csv_and_parquet_give_the_same_index(run: Run, tmp_path: Path) -> None:
    table = pa.table(
        {
            "customer": ["ann", "ann", "bob", "bob", "cid"],
            "sku": ["tea", "pot", "tea", "cup", "pot"],
            "what": ["view", "buy", "buy", "view", "view"],
            "at": [1_700_000_000, 1_700_000_100, 1_700_000_200, 1_700_000_300, 1_700_000_400],
            "browser": ["a", "b", "c", "d", "e"],
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "log.csv")
    versions = []
    for name in ("log.parquet", "log.csv"):
        out = tmp_path / f"{name}-index"
        done = run(
            *("fit", tmp_path / name, "--model", "itemknn", "--out", out, "--json"),
            *("--columns", "user_id=customer,item_id=sku", "--columns", "event_time=at,type=what"),
            *("--drop-unmapped", "--time-unit", "s", "--weights", "view=1,buy=4", "--half-life", "100s"),
        )
        assert done.returncode == 0, done.stderr
        versions.append(json.loads(done.stdout)["version"])
    assert versions[0] == versions[1]
    index = Index.load(tmp_path / "log.csv-index")
    pots = index.scorer.interactions.row(index.users.index_of("ann"))[1]
    # ann's pot: bought (4) three half-lives before the last event; her tea: seen (1) four before.
    assert sorted(pots.tolist()) == pytest.approx([1 / 16, 4 / 8])


def test_fit_does_not_replace_unless_told(run: Run, log: Path, index: Path, tmp_path: Path) -> None:
    done = run("fit", log, "--out", index)
    assert done.returncode == 1
    assert (
        "is not empty; choose another name, or overwrite the index there: overwrite=True (--overwrite)" in done.stderr
    )
    out = tmp_path / "index"
    for _ in range(2):
        done = run("fit", log, "--model", "popularity", "--out", out, "--overwrite")
        assert done.returncode == 0, done.stderr


def test_evaluate_measures_what_the_library_measures(run: Run, log: Path) -> None:
    done = run(
        "evaluate", log, "--model", "itemknn", "--neighbors", 20, "--k", "5,10", "--metrics", "recall,mrr", "--json"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [one["model"] for one in result["models"]] == ["itemknn", "popularity"]
    events = clean(EventBatch.from_parquet(log), CleaningRules(now=datetime.now(UTC))).events
    split = split_by_time(events, fraction=0.2)
    known = np.flatnonzero(np.diff(split.train.matrix.indptr))
    assert result["train"]["interactions"] == split.train.nnz
    for one, model in zip(result["models"], (ItemKNN(k=20), Popularity()), strict=True):
        wanted = evaluate(model.fit(split.train), split.test, k=[5, 10], metrics=["recall", "mrr"], users=known)
        assert {name: value["mean"] for name, value in one["metrics"].items()} == wanted.means


def test_evaluate_shows_models_beside_popularity(run: Run, log: Path) -> None:
    done = run("evaluate", log, "--model", "userknn", "--split", "leave-last", "--k", 10)
    assert (done.returncode, done.stderr) == (0, "")
    header = next(line for line in done.stdout.splitlines() if "popularity" in line)
    assert header.split() == ["userknn", "popularity"]
    assert "recall@10" in done.stdout
    assert "held out by leave-last" in done.stdout


def test_evaluate_takes_a_test_file(run: Run, tmp_path: Path) -> None:
    train = pa.table({"user_id": [1, 1, 2, 2, 3, 3], "item_id": [1, 2, 1, 2, 1, 3]})
    test = pa.table({"user_id": [1, 2, 9], "item_id": [3, 3, 1]})
    pq.write_table(train, tmp_path / "train.parquet")
    pq.write_table(test, tmp_path / "test.parquet")
    done = run(
        *("evaluate", tmp_path / "train.parquet", "--test", tmp_path / "test.parquet"),
        *("--model", "itemknn", "--k", 1, "--metrics", "recall", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 3 held-out events are of users or items that EVENTS lacks" in done.stderr
    result = json.loads(done.stdout)
    assert result["test"]["interactions"] == 2
    # Item 3 is the only one that users 1 and 2 have not had.
    assert [one["metrics"]["recall@1"]["mean"] for one in result["models"]] == [1.0, 1.0]


def test_recommend_answers_as_the_index_does(run: Run, index: Path) -> None:
    loaded = Index.load(index)
    user = loaded.users.id_of(3)
    blocked = loaded.items.id_of(int(loaded.popular.order[0]))
    done = run(
        "recommend", index, "--user", user, "--user", "nobody", "-k", 4, "--block", blocked, "--explain", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    lists = loaded.recommend([user, "nobody"], 4, block=[blocked], explain=3)
    assert json.loads(done.stdout) == [
        {
            "user_id": name,
            "items": [
                {
                    "item_id": item.item_id,
                    "score": item.score,
                    "source": item.source,
                    "reasons": [{"item_id": reason.item_id, "weight": reason.weight} for reason in item.reasons],
                }
                for item in ranked.items
            ],
            "fallback_used": ranked.fallback_used,
            "missing_ids": [],
        }
        for name, ranked in zip([user, "nobody"], lists, strict=True)
    ]


def test_recommend_shows_tables_and_names_the_unknown(run: Run, index: Path) -> None:
    user = Index.load(index).users.id_of(3)
    done = run("recommend", index, "--user", user, "--user", "nobody", "-k", 3, "--explain", "--block", "nothing")
    assert done.returncode == 0
    assert user in done.stdout
    assert "because of" in done.stdout
    assert "popular" in done.stdout
    assert done.stderr.splitlines() == [
        "recocore: item nothing is not in the index",
        "recocore: user nobody is not in the index; popular items instead",
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_answers_over_grpc_until_it_is_stopped(script: str, index: Path, workers: int) -> None:
    loaded = Index.load(index)
    user = loaded.users.id_of(3)
    with subprocess.Popen(
        [script, "serve", str(index), "--port", "0", "--workers", str(workers), "--log-level", "warning"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            with Client(json.loads(server.stdout.readline())["address"]) as client:
                client.wait_until_ready(20)
                answer = client.recommend(user, page_size=5, timeout=20)
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert [item.item_id for item in answer.items] == [item.item_id for item in loaded.recommend([user], 5)[0].items]
    assert answer.served_model == loaded.version


def test_tune_ends_with_the_command_that_fits_what_it_found(run: Run, log: Path, tmp_path: Path) -> None:
    arguments = ("tune", log, "--trials", 3, "--iterations", 4, "--factors", "4,8", "--metric", "recall@10")
    found = json.loads(run(*arguments, "--json").stdout)
    assert [len(trial["rungs"]) for trial in found["trials"]] == [2, 1, 1]
    values = [trial["rungs"][0]["value"] for trial in found["trials"]]
    assert values == sorted(values, reverse=True)
    best = found["trials"][0]
    assert {name: best[name] for name in ("factors", "alpha0")} == {
        name: found["parameters"][name] for name in ("factors", "alpha0")
    }
    done = run(*arguments, columns=120)
    assert done.returncode == 0, done.stderr
    assert "recall@10" in done.stdout
    line = done.stdout.splitlines()[-1]
    assert line.startswith(f"next: recocore fit {log} --model als --factors {best['factors']} ")
    fitted = run(*line.removeprefix("next: recocore ").replace("INDEX", str(tmp_path / "index")).split())
    assert fitted.returncode == 0, fitted.stderr
    assert Index.load(tmp_path / "index").params["alpha0"] == pytest.approx(best["alpha0"], rel=1e-4)


def test_tune_says_when_the_time_was_up(run: Run, log: Path) -> None:
    done = run("tune", log, "--trials", 5, "--iterations", 1, "--factors", 4, "--seconds", 0.000001)
    assert done.returncode == 0
    assert "the time was up before every trial had its fits" in done.stderr


def test_info_tells_what_computes(run: Run) -> None:
    done = run("info", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["isa"]["active"] in facts["isa"]["supported"]
    assert facts["threads"] >= 1
    assert {"numpy", "pyarrow", "grpcio", "protobuf"} <= facts["dependencies"].keys()
    assert None not in facts["dependencies"].values()
    assert f"active {facts['isa']['active']}" in run("info").stdout


def test_info_tells_what_an_index_holds(run: Run, index: Path) -> None:
    loaded = Index.load(index)
    facts = json.loads(run("info", index, "--json").stdout)
    assert facts["version"] == loaded.version
    assert facts["model"]["name"] == "ItemKNN"
    assert facts["counts"]["users"] == len(loaded.users)


@pytest.mark.parametrize("columns", [80, 120])
def test_demo_runs_the_whole_path(run: Run, columns: int) -> None:
    done = run("demo", "--events", 6_000, columns=columns)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("An event log, cleaned", "popularity", "ndcg@20", "A server on 127.0.0.1:", "because of", "Done in"):
        assert text in done.stdout
    too_long = [line for line in done.stdout.splitlines() if len(line) > columns]
    assert too_long == []


def test_demo_is_the_same_for_a_seed(run: Run) -> None:
    first, second = (
        [line for line in run("demo", "--events", 6_000, "--seed", 5).stdout.splitlines() if "@20" in line]
        for _ in range(2)
    )
    assert first == second
    assert len(first) == 5


def test_a_narrow_terminal_keeps_the_items(run: Run, log: Path, index: Path) -> None:
    user = str(pq.read_table(log).column("user_id").drop_null()[0])
    wide = json.loads(run("recommend", index, "--user", user, "-k", 3, "--json").stdout)
    done = run("recommend", index, "--user", user, "-k", 3, "--explain", columns=20)
    assert done.returncode == 0
    for item in wide[0]["items"]:
        assert str(item["item_id"]) in done.stdout


def test_fit_keeps_what_is_known_of_items(run: Run, log: Path, tmp_path: Path) -> None:
    shop = synthetic_shop(n_users=200, n_items=120, n_events=5_000, seed=3)
    catalogue = pa.table({"sku": shop.items["item_id"], "price": [1.0] * 120, "new": [True, False] * 60})
    pq.write_table(catalogue, tmp_path / "items.parquet")
    (tmp_path / "items.csv").write_text("item_id,season\np00000,spring\n", encoding="utf-8")
    fit = ("fit", log, "--model", "popularity", "--json", "--overwrite", "--out", tmp_path / "index")
    done = run(*fit)
    assert done.returncode == 0, done.stderr
    kinds = {"brand": "text", "category": "text", "currency": "text", "price": "number"}
    assert json.loads(done.stdout)["attributes"] == kinds
    done = run(*fit, "--items", tmp_path / "items.parquet", "--item-id", "sku")
    assert json.loads(done.stdout)["attributes"] == dict(sorted({**kinds, "new": "flag"}.items()))
    index = Index.load(tmp_path / "index")
    item = shop.items.to_pylist()[0]
    wanted = {"brand": item["brand"], "category": item["category"], "new": True, "price": 1.0}
    assert index.attributes_of([item["item_id"]], list(wanted)) == [wanted]
    done = run(*fit[:4], *fit[5:], "--items", tmp_path / "items.csv")
    assert (
        "attributes of items: brand (text), category (text), currency (text), price (number), season (text)"
        in " ".join(done.stdout.split())
    )
    done = run(*fit, "--items", tmp_path / "items.parquet")
    assert done.returncode != 0
    assert "items: expected a column item_id" in done.stderr
    assert "--item-id" in done.stderr
