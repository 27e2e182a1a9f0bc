"""The scenario: its cases, and what is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from benchmarks.anomaly.detecting import ALPHA, BINS, ECOD, FOREST, HBOS, MCD, TOLERANCE
from benchmarks.anomaly.rows import rows_of
from benchmarks.harness.scenario import Case, Inputs, Scenario, WrongResultError

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import AnyArray, Float64Array

AUC = "ROC-AUC"
_FITTED = 200_000
# pyod takes seconds for a row, so four. Of four calls after a pause, a forest takes less than the interpreter, whose code
# has left the caches meanwhile: it is measured in as many as say something of the forest, and in four too.
_ALONE = 4
_ALONE_BY_FOREST = 200
# Anomalies of `rows` are plain to see: no detector of the cases ranks them worse than this.
_LEAST_AUC = 0.8
_SAMPLED = 50
# Against a count in NumPy: pyod sums logarithms of ratios in another order.
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Parameters:
    """One detector on one table.

    Attributes:
        detector: its kind.
        fitted: rows that it is fitted on.
        features: of each row.
        scored: rows that a run scores.
        one_by_one: a call for each.

    Example:
        >>> print(Parameters("ecod", 200_000, 20, 8, one_by_one=True))
        ecod fitted on 200,000 x 20, 8 rows scored one a call
    """

    detector: str
    fitted: int = _FITTED
    features: int = 20
    scored: int = _FITTED
    one_by_one: bool = False

    def __str__(self) -> str:
        how = "one a call" if self.one_by_one else "in one call"
        return f"{self.detector} fitted on {self.fitted:,} x {self.features}, {self.scored:,} rows scored {how}"


_ECOD = ("recocore", "recocore-paper", "pyod")
_FOREST = ("recocore", "scikit-learn")
_PYOD = ("recocore", "pyod")


class AnomalyScenario(Scenario[Parameters]):
    """Scoring rows by detectors of anomalies."""

    name: ClassVar[str] = "anomaly"
    title: ClassVar[str] = "Detectors of anomalies"
    about: ClassVar[str] = (
        "A detector is fitted before the run; a run scores rows in memory, in one call or one row a call. ECOD and HBOS have"
        " one right answer, recocore's and pyod's, which is counted out in NumPy for a sample of rows and then holds for all; "
        "recocore-paper is ECOD as its paper has it, with other scores. Forests and MCD are random: their scores have to rank "
        "the planted anomalies, and the area under the ROC curve stands in the table. Peers may use the same threads, for "
        "batches; for one row they are faster without."
    )
    work_unit: ClassVar[str] = "values"
    part: ClassVar[str | None] = "row"
    repeats: ClassVar[int] = 5
    cases = (
        Case("tiny", Parameters(ECOD, 3_000, 5, 200), when="named", competitors=_ECOD),
        Case("tiny_forest", Parameters(FOREST, 3_000, 5, 4_000), when="named", competitors=_FOREST),
        Case("ecod_one", Parameters(ECOD, scored=_ALONE, one_by_one=True), when="quick", competitors=_ECOD),
        Case(
            "forest_one",
            Parameters(FOREST, scored=_ALONE_BY_FOREST, one_by_one=True),
            when="quick",
            competitors=_FOREST,
        ),
        Case("forest_few", Parameters(FOREST, scored=_ALONE, one_by_one=True), competitors=_FOREST),
        Case("ecod", Parameters(ECOD), competitors=_ECOD),
        Case("forest", Parameters(FOREST), competitors=_FOREST),
        Case("hbos", Parameters(HBOS), competitors=_PYOD),
        Case("mcd", Parameters(MCD, fitted=20_000), competitors=_PYOD),
    )

    def prepare(self, parameters: Parameters, folder: Path, data: Path) -> Inputs:
        """Write the rows, and which of them are anomalous."""
        fitted, _ = rows_of(parameters.fitted, parameters.features, seed=0)
        rows, anomalous = rows_of(parameters.scored, parameters.features, seed=1)
        for name, array in (("fitted", fitted), ("rows", rows), ("anomalous", anomalous)):
            np.save(folder / f"{name}.npy", array)
        return Inputs(
            files={name: folder / f"{name}.npy" for name in ("fitted", "rows")},
            work=float(rows.size),
            facts={"fitted": len(fitted), "scored": len(rows), "features": parameters.features},
            expected=folder / "anomalous.npy",
            parts=parameters.scored if parameters.one_by_one else 1,
        )

    def check(self, parameters: Parameters, inputs: Inputs, result: Path) -> None:
        """Count a sample out, or see that anomalies are ranked."""
        assert inputs.expected is not None
        scores, anomalous = np.load(result), np.load(inputs.expected)
        if scores.shape != anomalous.shape or not np.isfinite(scores).all():
            raise WrongResultError(f"expected {anomalous.shape} finite scores, got {scores.shape}")
        if not parameters.one_by_one and auc(anomalous, scores) < _LEAST_AUC:
            raise WrongResultError(f"expected a ROC-AUC of {_LEAST_AUC}, got {auc(anomalous, scores):.3f}")
        if parameters.detector == HBOS:
            fitted, rows = np.load(inputs.files["fitted"]), np.load(inputs.files["rows"])
            wrong = np.abs(scores[:_SAMPLED] - hbos(fitted, rows[:_SAMPLED])).max()
            if wrong > _TOLERANCE:
                raise WrongResultError(f"scores differ from the histograms' by up to {wrong:g}")
        if parameters.detector == ECOD and result.stem != "recocore-paper":
            fitted, rows = np.load(inputs.files["fitted"]), np.load(inputs.files["rows"])
            expected = ecod(fitted, rows, _SAMPLED, alone=parameters.one_by_one)
            wrong = np.abs(scores[: len(expected)] - expected).max()
            if wrong > _TOLERANCE:
                raise WrongResultError(f"scores differ from counted tails by up to {wrong:g}")

    def agree(self, parameters: Parameters, result: Path, accepted: Path) -> None:
        """Compare all scores where there is one right answer."""
        if parameters.detector in {ECOD, HBOS} and "recocore-paper" not in {result.stem, accepted.stem}:
            wrong = np.abs(np.load(result) - np.load(accepted)).max()
            if wrong > _TOLERANCE:
                raise WrongResultError(f"scores differ from {accepted.stem}'s by up to {wrong:g}")

    def quality(self, parameters: Parameters, inputs: Inputs, result: Path) -> dict[str, float]:
        """The area under the ROC curve, of a batch."""
        assert inputs.expected is not None
        return {} if parameters.one_by_one else {AUC: auc(np.load(inputs.expected), np.load(result))}

    def group(self, competitor: str) -> str:
        """ECOD of the paper gives other scores."""
        return "paper" if competitor == "recocore-paper" else ""


def auc(anomalous: AnyArray, scores: AnyArray) -> float:
    """The part of pairs of an anomalous and a usual row that scores put in order, ties half."""
    order = np.argsort(scores, kind="stable")
    _, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    ranks = np.repeat(first + (counts + 1) / 2, counts)
    positive = anomalous[order]
    n = int(positive.sum())
    if n in {0, len(scores)}:
        return 0.5
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))


def ecod(fitted: Float64Array, rows: Float64Array, most: int, *, alone: bool) -> Float64Array:
    """Scores of the first rows as pyod defines them, by counting among fitted and scored rows; `alone`, that is one row."""
    scores = np.zeros(min(most, len(rows)))
    for index in range(len(scores)):
        mixed = np.concatenate([fitted, rows[index : index + 1] if alone else rows])
        left, right = (mixed <= rows[index]).mean(axis=0), (mixed >= rows[index]).mean(axis=0)
        scores[index] = -np.log(np.minimum(left, right)).sum()
    return scores


def hbos(fitted: Float64Array, rows: Float64Array) -> Float64Array:
    """Scores by NumPy's histograms."""
    scores = np.zeros(len(rows))
    for column, values in zip(fitted.T, rows.T, strict=True):
        density, edges = np.histogram(column, BINS, density=True)
        width = edges[1] - edges[0]
        places = np.searchsorted(edges, values) - 1
        reasons = -np.log2(density + ALPHA)
        inside = reasons[np.clip(places, 0, BINS - 1)]
        far = (values < edges[0] - TOLERANCE * width) | (values > edges[-1] + TOLERANCE * width)
        scores += np.where(far, reasons.max(), inside)
    return scores


SCENARIO = AnomalyScenario()
