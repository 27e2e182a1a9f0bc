"""Evaluate, fit and serve ALS and ItemKNN on real logs, and print the table that the README quotes.

    python benchmarks/real_data.py DATA [--only SET] [--json FILE]

DATA is a folder with gowalla, ml-latest-small and online-retail as Parquet. Every step is a `recocore` command, printed
as it is run; the last column is the median time of 200 calls of the Python client to a server process on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from recocore import Index
from recocore.client import Client

LOGS = {
    "gowalla": "$DATA/gowalla/train.parquet --columns user_id=user,item_id=item",
    "ml-latest-small": (
        "$DATA/ml-latest-small/ratings.parquet --columns user_id=user,item_id=item,event_time=timestamp "
        "--time-unit s --drop-unmapped"
    ),
    "online-retail": (
        "$DATA/online-retail/lines.parquet "
        "--columns user_id=CustomerID,item_id=StockCode,event_time=InvoiceDate,quantity=Quantity --timezone UTC --drop-unmapped"
    ),
}
SPLITS = {
    "gowalla": "--test $DATA/gowalla/test.parquet",
    "ml-latest-small": "--split time",
    "online-retail": "--split time",
}
MODELS = ("als", "itemknn")
CALLS = 200


def evaluate_command(name: str) -> str:
    """How a log's models are judged."""
    return f"recocore evaluate {LOGS[name]} {SPLITS[name]}"


def run(command: str) -> Any:
    """What a command prints as JSON; the command itself goes to standard error."""
    print(f"$ {command}", file=sys.stderr, flush=True)
    words = shlex.split(os.path.expandvars(command))
    words[0] = str(Path(sys.executable).with_name("recocore"))
    done = subprocess.run([*words, "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def served_milliseconds(index: str, users: list[str]) -> float:
    """The median time of a Recommend call over the users in turn."""
    recocore = str(Path(sys.executable).with_name("recocore"))
    command = [recocore, "serve", index, "--port", "0", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            with Client(json.loads(server.stdout.readline())["address"], timeout=10) as client:
                times = []
                for call in range(CALLS):
                    started = time.perf_counter()
                    answer = client.recommend(users[call % len(users)], page_size=10)
                    times.append(time.perf_counter() - started)
                    assert answer.items, "a known user gets recommendations"
        finally:
            server.terminate()
    return 1000 * statistics.median(times)


def measure(name: str, model: str, folder: Path) -> dict[str, Any]:
    """One row of the table, and the baseline's figures beside it."""
    judged = run(f"{evaluate_command(name)} --model {model}")
    figures = {entry["model"]: entry for entry in judged["models"]}
    index = str(folder / f"{name}-{model}")
    run(f"recocore fit {LOGS[name]} --model {model} --out {shlex.quote(index)}")
    loaded = Index.load(index)
    users = [str(user) for user in loaded.users.ids_of(range(0, len(loaded.users), max(1, len(loaded.users) // 50)))]
    metrics = figures[model]["metrics"]
    return {
        "data": name,
        "model": model,
        "recall@20": metrics["recall@20"]["mean"],
        "recall@20 s.e.": metrics["recall@20"]["standard_error"],
        "ndcg@20": metrics["ndcg@20"]["mean"],
        "popularity recall@20": figures["popularity"]["metrics"]["recall@20"]["mean"],
        "popularity ndcg@20": figures["popularity"]["metrics"]["ndcg@20"]["mean"],
        "users": figures[model]["n_users"],
        "fit seconds": figures[model]["fit_seconds"],
        "peak MiB": judged["peak_memory_bytes"] / 2**20,
        "served ms": served_milliseconds(index, users),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| data | model | users judged | recall@20 | nDCG@20 | popularity | fit, s | memory, MiB | served call, ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['data']} | {row['model']} | {row['users']:,} | {row['recall@20']:.4f} ± {row['recall@20 s.e.']:.4f} "
            f"| {row['ndcg@20']:.4f} | {row['popularity recall@20']:.4f} / {row['popularity ndcg@20']:.4f} "
            f"| {row['fit seconds']:.1f} | {row['peak MiB']:.0f} | {row['served ms']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description="The README's table on real data.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=sorted(LOGS), help="one data set")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    os.environ["DATA"] = str(arguments.data)
    with tempfile.TemporaryDirectory(prefix="recocore-real-data-") as folder:
        names = [arguments.only] if arguments.only else list(LOGS)
        rows = [measure(name, model, Path(folder)) for name in names for model in MODELS]
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
