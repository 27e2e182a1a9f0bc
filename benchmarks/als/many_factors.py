"""How well ALS ranks with many factors and weights by popularity, tuned with few factors.

    python -m benchmarks.als.many_factors DATA [--only SET] [--trials N] [--seeds N] [--epochs N] [--search 256]
        [--factors 256,1024] [--out FILE]

Parameters are searched in terms that mean the same at any number of factors (`recocore.models.als_scale`, and the power of
`recocore.models.popularity_weights`), by nDCG@20 on a part held out of the training part, in successive halving. The best are
then fitted to the whole training part with each number of factors and reported on the test part, over several seeds. Epochs are
few: with 512 factors 8 of them were worse on gowalla's held-out part than 6, and 16 worse again.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.als.quality import REDUCTION, Row, judged_users, keep, report, table
from benchmarks.datasets import DATASETS
from recocore.evaluation import evaluate
from recocore.models import ALS, popularity_weights
from recocore.models.als_scale import DataScale
from recocore.models.tuning import halvings

if TYPE_CHECKING:
    from recocore import Interactions
    from recocore.data import Split


@dataclass(frozen=True, slots=True)
class Terms:
    """Parameters in terms of the data; the defaults are those of `ALS`.

    Attributes:
        unseen: what all unseen pairs weigh together over what the seen ones do.
        pull: the lambdas in bars.
        nu: of `ALS`.
        power: of `popularity_weights`.
    """

    unseen: float = 15.0
    pull: float = 1.0
    nu: float = 1.0
    power: float = 0.0

    def fit(self, interactions: Interactions, factors: int, epochs: int, seed: int = 0) -> ALS:
        """A model with these parameters."""
        weights = popularity_weights(interactions, self.power) if self.power else None
        scale = DataScale(interactions.matrix, weights)
        alpha0 = scale.alpha0(self.unseen)
        regularization = scale.regularization(self.pull, alpha0, self.nu)
        model = ALS(factors, regularization, alpha0, self.nu, iterations=epochs, seed=seed)
        return model.fit(interactions, weights=weights)


def drawn(count: int, seed: int) -> list[Terms]:
    """Terms that cover what was good on gowalla evenly, after the defaults and what was best there by hand."""
    rng = np.random.default_rng(seed)
    points = np.stack([(rng.permutation(count) + rng.random(count)) / count for _ in range(4)], axis=1)
    low, high = np.array([np.log(20), np.log(0.7), 0.75, 0.0]), np.array([np.log(120), np.log(4), 1.0, 0.5])
    found = [low + point * (high - low) for point in points]
    terms = [Terms(float(np.exp(one[0])), float(np.exp(one[1])), float(one[2]), float(one[3])) for one in found]
    return [Terms(), Terms(unseen=60, pull=2, power=0.3), *terms[2:]][:count]


def search(split: Split, count: int, factors: int, most: int) -> tuple[Terms, float]:
    """The best terms on what is held out, and the seconds that this took."""
    started = time.monotonic()
    users = judged_users(split)
    alive = drawn(count, seed=0)
    for left, epochs in halvings(count, most, REDUCTION):
        alive = alive[:left]
        values = [
            evaluate(terms.fit(split.train, factors, epochs), split.test, k=20, metrics=["ndcg"], users=users)[
                "ndcg@20"
            ]
            for terms in alive
        ]
        alive = [alive[place] for place in np.argsort(-np.asarray(values), kind="stable")]
        print(f"  {len(values)} x {epochs} epochs, best {max(values):.4f} {alive[0]}", flush=True)
    return alive[0], time.monotonic() - started


def measure(
    name: str, data: Path, *, trials: int, seeds: int, epochs: int, searched: int, factors: tuple[int, ...]
) -> list[Row]:
    """A row for each number of factors."""
    dataset = DATASETS[name]
    split = dataset.read(data)
    terms, took = search(dataset.validate(split.train), trials, searched, epochs)
    rows = []
    for length in factors:
        fits = [terms.fit(split.train, length, epochs, seed) for seed in range(seeds)]
        seconds = sum(epoch.seconds for epoch in fits[-1].history)
        found = report(name, f"{length} factors", None, fits, split, took)
        objective = {"factors": length, "epochs": epochs, **asdict(terms), "fit_seconds": seconds}
        rows.append(Row(**{**asdict(found), "parameters": objective}))
        print(table(rows[-1:]), flush=True)
    return rows


def main() -> None:
    """Measure what was asked for, print the table and keep it."""
    parser = argparse.ArgumentParser(description="ALS's ranking quality with many factors.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=sorted(DATASETS), action="append", help="this data set; may be repeated")
    parser.add_argument("--trials", type=int, default=18)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--search", type=int, default=256, help="factors of the search")
    parser.add_argument("--factors", default="256,1024", help="lengths to report")
    parser.add_argument("--out", type=Path, help="JSON file to keep the rows in")
    arguments = parser.parse_args()
    factors = tuple(int(length) for length in arguments.factors.split(","))
    for name in arguments.only or ("gowalla", "amazon-beauty"):
        rows = measure(
            name,
            arguments.data,
            trials=arguments.trials,
            seeds=arguments.seeds,
            epochs=arguments.epochs,
            searched=arguments.search,
            factors=factors,
        )
        print(table(rows), flush=True)
        if arguments.out is not None:
            keep(arguments.out, name, rows, arguments.trials, arguments.epochs, ["recocore"])


if __name__ == "__main__":
    main()
