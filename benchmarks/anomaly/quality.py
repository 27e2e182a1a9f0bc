"""ROC-AUC and average precision of every detector on the ADBench tables, beside pyod's, scikit-learn's and river's.

    python -m benchmarks.anomaly.quality DATA [--only NAME ...] [--seeds 3] [--json FILE]

Each detector is fitted on the whole table without labels and scores it, as ADBench does; random ones with several
seeds, of which the mean is taken. river's trees get features scaled to [0, 1], which they ask for, and like ours read
the table as a stream and then score it. MCD runs on tables of at most 200 features. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from recocore import fraud
from recocore.types import AnyArray, Float64Array

Scores = Callable[[Float64Array, int], AnyArray]

_MOST_MCD_FEATURES = 200


def _ours(make: Callable[[int], fraud.Detector]) -> Scores:
    return lambda X, seed: make(seed).fit(X).score(X)


def _pyod(name: str, seeded: bool = False) -> Scores:
    def scores(X: Float64Array, seed: int) -> AnyArray:
        module = __import__(f"pyod.models.{name.lower()}", fromlist=[name])
        model = getattr(module, name)(**({"random_state": seed} if seeded else {}))
        return np.asarray(model.fit(X).decision_scores_)

    return scores


def _scikit_learn(X: Float64Array, seed: int) -> AnyArray:
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(X)
    return -np.asarray(forest.score_samples(X))


def _river(X: Float64Array, seed: int) -> AnyArray:
    from river.anomaly import HalfSpaceTrees  # noqa: PLC0415

    low, high = X.min(axis=0), X.max(axis=0)
    scaled = (X - low) / np.where(high > low, high - low, 1)
    rows = [dict(enumerate(row)) for row in scaled.tolist()]
    trees: Any = HalfSpaceTrees(n_trees=25, height=8, window_size=_window(X), seed=seed)
    for row in rows:
        trees.learn_one(row)
    return np.array([trees.score_one(row) for row in rows])


def _window(X: Float64Array) -> int:
    return min(250, len(X))


# Ours by name, whom it is held against, and whether seeds matter.
DETECTORS: dict[str, tuple[Scores, str, Scores | None, bool]] = {
    "ECOD(pyod)": (_ours(lambda seed: fraud.ECOD("pyod")), "pyod", _pyod("ECOD"), False),
    "ECOD(paper)": (_ours(lambda seed: fraud.ECOD()), "", None, False),
    "HBOS": (_ours(lambda seed: fraud.HBOS()), "pyod", _pyod("HBOS"), False),
    "HBOS(dynamic)": (_ours(lambda seed: fraud.HBOS(bins="dynamic")), "", None, False),
    "IsolationForest": (_ours(lambda seed: fraud.IsolationForest(seed=seed)), "scikit-learn", _scikit_learn, True),
    "MCD": (_ours(lambda seed: fraud.MCD(seed=seed)), "pyod", _pyod("MCD", seeded=True), False),
    "HalfSpaceTrees": (
        lambda X, seed: fraud.HalfSpaceTrees(window=_window(X), seed=seed).fit(X).score(X),
        "river",
        _river,
        True,
    ),
}


def measure(path: Path, seeds: int, detectors: list[str]) -> dict[str, dict[str, tuple[float, float] | None]]:
    """(ROC-AUC, average precision) of ours and of theirs by detector; None where one does not run or gives NaN."""
    with np.load(path) as table:
        X, y = np.ascontiguousarray(table["X"], np.float64), table["y"]
    row: dict[str, dict[str, tuple[float, float] | None]] = {}
    for name in detectors:
        ours, _, theirs, seeded = DETECTORS[name]
        if name == "MCD" and X.shape[1] > _MOST_MCD_FEATURES:
            continue
        draws = range(seeds if seeded else 1)
        row[name] = {"ours": _mean(ours, X, y, draws)}
        if theirs is not None:
            row[name]["theirs"] = _mean(theirs, X, y, draws)
    return row


def _mean(scores: Scores, X: Float64Array, y: AnyArray, draws: range) -> tuple[float, float] | None:
    found = []
    for seed in draws:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                values = scores(X, seed)
            except ValueError:
                return None
        if not np.isfinite(values).all():
            return None
        found.append((float(roc_auc_score(y, values)), float(average_precision_score(y, values))))
    return statistics.mean(auc for auc, _ in found), statistics.mean(ap for _, ap in found)


def table(rows: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The means over tables on which both run, as Markdown."""
    lines = ["| detector | tables | ROC-AUC | AP | beside | ROC-AUC | AP |", "|---|---|---|---|---|---|---|"]
    for name, (_, peer, theirs, _) in DETECTORS.items():
        pairs = [row[name] for row in rows.values() if name in row and row[name]["ours"] is not None]
        if theirs is not None:
            pairs = [pair for pair in pairs if pair.get("theirs") is not None]
        if not pairs:
            continue
        ours = np.mean([pair["ours"] for pair in pairs], axis=0)
        said = f"| {name} | {len(pairs)} | {ours[0]:.4f} | {ours[1]:.4f} |"
        if theirs is None:
            lines.append(said + " | | |")
        else:
            other = np.mean([pair["theirs"] for pair in pairs], axis=0)
            lines.append(said + f" {peer} | {other[0]:.4f} | {other[1]:.4f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*", help="parts of table names")
    parser.add_argument("--detectors", nargs="*", choices=list(DETECTORS), default=list(DETECTORS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    paths = sorted((asked.data / "adbench").glob("*.npz"))
    if asked.only:
        paths = [path for path in paths if any(part in path.stem for part in asked.only)]
    if not paths:
        parser.error(f"{asked.data / 'adbench'}: expected the ADBench tables as .npz, found none")
    rows = {path.stem: measure(path, asked.seeds, asked.detectors) for path in paths}
    print(table(rows))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
