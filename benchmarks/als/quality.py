"""How well ALS ranks on real data: by default, tuned, and against implicit and irspack tuned with the same budget.

    python -m benchmarks.als.quality DATA [--only SET] [--trials N] [--seeds N] [--factors 64,128] [--out FILE]

Each library gets the same trials (recocore's `SearchSpace`, in its own parameters), judged by nDCG@20 on a part held out of the
training part, in the same successive halving. The best trial is then fitted to the whole training part and reported on the
test part, over several seeds. implicit knows no nu: its trials have nu = 0 at the same pull. FILE gets one object a data
set, and keeps those of other sets.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from benchmarks.datasets import DATASETS
from benchmarks.harness.machine import this_machine
from benchmarks.harness.results import write
from recocore.evaluation import evaluate
from recocore.models import ALS, Popularity, SearchSpace
from recocore.models.als_scale import DataScale
from recocore.models.tuning import halvings
from recocore.scoring import FactorScorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.als.solution import Factors
    from recocore import Interactions
    from recocore.data import Split

EPOCHS = 16
REDUCTION = 3
LIBRARIES = {"recocore": "recocore", "irspack": "irspack_cg", "implicit": "implicit_cg"}
_MOST_JUDGED = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Parameters of the common objective."""

    factors: int
    regularization: float
    alpha0: float
    nu: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        data: the data set.
        model: the library and how its parameters were chosen.
        parameters: of the objective.
        recall: the mean recall@20 over users and seeds on the test part.
        ndcg: the mean nDCG@20.
        recall_error: standard error over users, of their means over seeds.
        ndcg_error: likewise.
        seed_spread: standard deviation of nDCG@20 over seeds.
        users: judged.
        seeds: fits.
        tuning_seconds: what the search took, on a machine that may have been busy.
    """

    data: str
    model: str
    parameters: dict[str, float]
    recall: float
    ndcg: float
    recall_error: float
    ndcg_error: float
    seed_spread: float
    users: int
    seeds: int
    tuning_seconds: float


class _Ready(ALS):
    """Factors from anywhere, ranked as recocore ranks."""

    def __init__(self, factors: Factors, interactions: Interactions) -> None:
        super().__init__(factors=factors.users.shape[1])
        users, items = (np.ascontiguousarray(side, np.float32) for side in (factors.users, factors.items))
        self._scorer = FactorScorer(interactions.matrix, users, items, np.empty(0))


class Library:
    """Fits a library's ALS to interactions."""

    def __init__(self, module: str, interactions: Interactions, folder: Path) -> None:
        self._competitor = importlib.import_module(f"benchmarks.als.competitor_{module}").Competitor
        self._interactions = interactions
        self._matrix = folder / f"{module}-{interactions.nnz}.npz"
        sp.save_npz(self._matrix, interactions.matrix.to_scipy(), compressed=False)

    def fit(self, choice: Choice, epochs: int, seed: int) -> _Ready:
        """Something that ranks."""
        parameters = {**asdict(choice), "epochs": epochs, "seed": seed, "traced": (), "flat_regularization": None}
        fitting = self._competitor({"matrix": self._matrix}, parameters, 2)
        return _Ready(fitting.factors_of(fitting.run()), self._interactions)


def trials_for(module: str, learned: Interactions, count: int, factors: tuple[int, ...]) -> list[Choice]:
    """The choices to try, the same for all libraries; number 0 is recocore's default where it is among the factors."""
    space = SearchSpace(factors=factors)
    drawn = [Choice(*found) for found in space.draw(learned.matrix, count, seed=0)]
    model = ALS()
    default = model.objective_for(learned)
    if model.factors in factors:
        drawn[0] = Choice(model.factors, default.regularization, default.alpha0, default.nu)
    return [_flat(choice, learned) for choice in drawn] if module.startswith("implicit") else drawn


def _flat(choice: Choice, learned: Interactions) -> Choice:
    """The same with nu = 0 and as strong a pull."""
    scale = DataScale(learned.matrix)
    bent = scale.regularization(1.0, choice.alpha0, choice.nu)
    pull = choice.regularization / bent
    return Choice(choice.factors, scale.regularization(pull, choice.alpha0, 0.0), choice.alpha0, 0.0)


def search(module: str, split: Split, count: int, factors: tuple[int, ...], folder: Path) -> tuple[Choice, float]:
    """The best choice on what is held out, and the seconds that this took."""
    started = time.monotonic()
    library = Library(module, split.train, folder)
    users = judged_users(split)
    alive = trials_for(module, split.train, count, factors)
    for left, epochs in halvings(count, EPOCHS, REDUCTION):
        alive = alive[:left]
        values = [
            evaluate(library.fit(choice, epochs, 0), split.test, k=20, metrics=["ndcg"], users=users)["ndcg@20"]
            for choice in alive
        ]
        order = np.argsort(-np.asarray(values), kind="stable")
        alive = [alive[position] for position in order]
        print(f"  {module}: {len(order)} x {epochs} epochs, best {max(values):.4f} {alive[0]}", flush=True)
    return alive[0], time.monotonic() - started


def judged_users(split: Split) -> Any:
    """The users that a search asks about: some of those with held-out pairs, the same each time."""
    users = np.flatnonzero(np.diff(split.test.matrix.indptr))
    if len(users) > _MOST_JUDGED:
        users = np.sort(np.random.default_rng(0).choice(users, _MOST_JUDGED, replace=False))
    return users


def report(name: str, model: str, choice: Choice | None, fits: Sequence[Any], split: Split, took: float) -> Row:
    """The row of several seeds' fits."""
    judged = [evaluate(fit, split.test, k=20, metrics=["recall", "ndcg"]) for fit in fits]
    means = {key: np.mean([one.per_user[key] for one in judged], axis=0) for key in ("recall@20", "ndcg@20")}
    errors = {key: float(values.std(ddof=1) / np.sqrt(len(values))) for key, values in means.items()}
    return Row(
        name,
        model,
        {} if choice is None else asdict(choice),
        float(means["recall@20"].mean()),
        float(means["ndcg@20"].mean()),
        errors["recall@20"],
        errors["ndcg@20"],
        float(np.std([one["ndcg@20"] for one in judged], ddof=1)) if len(judged) > 1 else 0.0,
        judged[0].n_users,
        len(judged),
        took,
    )


def measure(
    name: str, data: Path, count: int, seeds: int, factors: tuple[int, ...], libraries: Sequence[str]
) -> list[Row]:
    """The rows of one data set."""
    dataset = DATASETS[name]
    split = dataset.read(data)
    tuning = dataset.validate(split.train)
    rows = [report(name, "popularity", None, [Popularity().fit(split.train)], split, 0.0)]
    found = ALS().objective_for(split.train)
    default = Choice(ALS().factors, found.regularization, found.alpha0, found.nu)
    fits: list[Any] = [ALS(seed=seed).fit(split.train) for seed in range(seeds)]
    rows.append(report(name, "recocore, default", default, fits, split, 0.0))
    print(table(rows[-1:]), flush=True)
    with tempfile.TemporaryDirectory(prefix="recocore-quality-") as folder:
        for library in libraries:
            module = LIBRARIES[library]
            choice, took = search(module, tuning, count, factors, Path(folder))
            whole = Library(module, split.train, Path(folder))
            fits = [whole.fit(choice, EPOCHS, seed) for seed in range(seeds)]
            rows.append(report(name, f"{library}, tuned", choice, fits, split, took))
            print(table(rows[-1:]), flush=True)
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| data | model | factors | recall@20 | nDCG@20 | over seeds |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.data} | {row.model} | {row.parameters.get('factors', '')} | {row.recall:.4f} ± {row.recall_error:.4f} "
        f"| {row.ndcg:.4f} ± {row.ndcg_error:.4f} | ± {row.seed_spread:.4f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure what was asked for, print the table and keep it."""
    parser = argparse.ArgumentParser(description="ALS's ranking quality on real data.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=sorted(DATASETS), action="append", help="this data set; may be repeated")
    parser.add_argument("--trials", type=int, default=18)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--factors", default="64,128", help="lengths to choose from")
    parser.add_argument("--libraries", default=",".join(LIBRARIES))
    parser.add_argument("--out", type=Path, help="JSON file to keep the rows in")
    arguments = parser.parse_args()
    factors = tuple(int(length) for length in arguments.factors.split(","))
    libraries = arguments.libraries.split(",")
    for name in arguments.only or DATASETS:
        rows = measure(name, arguments.data, arguments.trials, arguments.seeds, factors, libraries)
        print(table(rows), flush=True)
        if arguments.out is not None:
            keep(
                arguments.out,
                name,
                rows,
                arguments.trials,
                EPOCHS,
                [LIBRARIES[library].split("_")[0] for library in libraries],
            )


def keep(path: Path, name: str, rows: Sequence[Row], trials: int, epochs: int, packages: Sequence[str]) -> None:
    """Put the rows of a data set into a file, beside those of others."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[name] = {
        "split": DATASETS[name].about,
        "trials": trials,
        "epochs": epochs,
        "taken": datetime.now(UTC).date().isoformat(),
        "machine": asdict(this_machine()),
        "versions": {package: version(package) for package in packages},
        "rows": [asdict(row) for row in rows],
    }
    write(path, json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
