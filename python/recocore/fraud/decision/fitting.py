"""Fitting a FraudModel on a log: counters over all of it, then detector and trees, then calibration on what came later."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recocore.data.events import as_events
from recocore.errors import InvalidArgumentError
from recocore.fraud.decision.calibration import Calibrator
from recocore.fraud.decision.costs import Costs
from recocore.fraud.decision.exploration import Exploration
from recocore.fraud.decision.model import FraudModel
from recocore.fraud.decision.rows import HOUR
from recocore.fraud.measures import average_precision, recall_at_fpr
from recocore.fraud.rules import RuleSet
from recocore.fraud.supervised import BoostedTrees, ModelCard
from recocore.fraud.velocity import Velocity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.fraud.decision.calibration import Method
    from recocore.fraud.detectors import Detector
    from recocore.fraud.velocity import VelocitySpec
    from recocore.types import Float64Array

# A detector that ranks gains nothing from more rows, and isolation trees read 256 each.
_DETECTOR_ROWS: Final = 100_000
# Fewer frauds than this, and a step function would say that nothing is ever fraud below the lowest of them.
_ISOTONIC_FRAUDS: Final = 200
_LEAST_FRAUDS: Final = 10


def fit_model(
    events: Any,
    specs: Sequence[VelocitySpec | str],
    rules: RuleSet | None = None,
    *,
    labels: Float64Array | None = None,
    label_cut: str = "",
    detector: Detector | None = None,
    supervised: bool = False,
    numbers: Sequence[str] = ("value",),
    anomaly_weight: float = 0.5,
    calibration: Method | None = None,
    calibration_share: float = 0.25,
    costs: Costs | None = None,
    exploration: Exploration | None = None,
    decide: Sequence[str] = (),
    seed: int = 0,
) -> tuple[FraudModel, Velocity]:
    """Fit a model, and give the counters as they stand after the log, for an engine to go on with.

    The log is split by its order: detector and trees learn from the earlier part, the calibration from the later.

    Args:
        events: the log, in its order: a batch, or what `EventBatch.from_arrow` takes.
        specs: the counters.
        rules: over `rule_columns(specs)`; none by default.
        labels: 1, 0 or NaN for each event of the log, float64 `[events]`, by what was known at the cut (see
            `FeedbackStore.labels`); None where nobody knows anything.
        label_cut: when that was, for the card.
        detector: to be fitted, or None for none.
        supervised: whether to fit trees on the labels.
        numbers: columns of the events that detector and trees read beside the counters and the hour.
        anomaly_weight: the most that the detector alone can make of a risk, 0 to 1.
        calibration: isotonic, platt or none; by default isotonic from 200 frauds on, platt from 10, else none.
        calibration_share: the later part's share of the events that are decided on.
        costs: what outcomes cost.
        exploration: random approvals; none by default.
        decide: types of events that are decided on; empty for all.
        seed: of the trees.

    Raises:
        InvalidArgumentError: arguments that do not fit; `supervised` without labels of both kinds.
        UnsupportedError: `supervised` without scikit-learn.
    """
    events = as_events(events)
    if labels is not None and labels.shape != (len(events),):
        raise InvalidArgumentError(f"labels: expected one an event, {len(events)}, got {labels.shape}", field="labels")
    if not (0 < calibration_share < 1 and 0 <= anomaly_weight <= 1):
        raise InvalidArgumentError("calibration_share, anomaly_weight: expected shares from 0 to 1")
    velocity = Velocity(specs)
    # Without detector, trees and calibration it only counts; what it lacks is put in below, part by part.
    model = FraudModel(
        velocity.describe(),
        RuleSet(()) if rules is None else rules,
        (*velocity.names, *numbers, HOUR),
        None,
        np.zeros(0),
        np.zeros(0),
        np.zeros(0),
        anomaly_weight,
        None,
        Calibrator.none(),
        Costs() if costs is None else costs,
        Exploration() if exploration is None else exploration,
        tuple(decide),
        _card_of_nothing(),
    )
    scored = model.score_events(events, velocity)
    if not len(scored.rows):
        raise InvalidArgumentError(
            f"events: expected some that are decided on, got none of type {', '.join(decide) or 'any'}", field="events"
        )
    known = np.full(len(scored.rows), math.nan) if labels is None else labels[scored.rows]
    learnt = max(1, round(len(scored.rows) * (1 - calibration_share)))
    early = scored.features[:learnt]
    model = _with(model, typical=np.nan_to_num(np.nanmedian(_some_numbers(early), axis=0)))
    if detector is not None:
        step = -(-len(early) // _DETECTOR_ROWS)
        sample = np.ascontiguousarray(early[::step])
        detector.fit(sample)
        shares = np.concatenate([np.linspace(0, 0.99, 100), 1 - np.geomspace(1e-2, 1e-5, 100)[1:], [1.0]])
        model = _with(model, detector=detector, levels=np.quantile(detector.score(sample), shares), shares=shares)
    if supervised:
        labelled = np.flatnonzero(~np.isnan(known[:learnt]))
        rows = model.tree_rows(early[labelled], model.anomaly_of(np.ascontiguousarray(early[labelled])))
        model = _with(model, trees=BoostedTrees.fit(rows, known[:learnt][labelled], seed=seed))
    later = np.flatnonzero(~np.isnan(known[learnt:])) + learnt
    features = np.ascontiguousarray(scored.features[later])
    anomaly = model.anomaly_of(features)
    # Rules that read `anomaly` are evaluated again, now that there is one.
    results = model.rules.evaluate(
        {**{name: column[later] for name, column in scored.table.items()}, "anomaly": anomaly}, scored.times[later]
    )
    risk = 1 - (1 - model.base_of(features, anomaly)) * (1 - results.risk())
    frauds = int(known[later].sum())
    method = calibration or (
        "isotonic" if frauds >= _ISOTONIC_FRAUDS else "platt" if frauds >= _LEAST_FRAUDS else "none"
    )
    if method != "none":
        model = _with(model, calibrator=getattr(Calibrator, method)(risk, known[later]))
    measured: dict[str, float | None] = {}
    if 0 < frauds < len(later):
        probability = model.calibrator(risk)
        measured = {
            "average_precision": average_precision(known[later], risk),
            "prevalence": frauds / len(later),
            "recall_at_1_percent_fpr": recall_at_fpr(known[later], risk, 0.01),
            "mean_probability": float(probability.mean()),
        }
    card = ModelCard(
        _iso(int(scored.times[0])),
        _iso(int(scored.times[-1])),
        label_cut,
        learnt,
        int((~np.isnan(known[:learnt])).sum()),
        int(np.nansum(known[:learnt])),
        len(later),
        frauds,
        model.features,
        "none" if detector is None else repr(detector),
        "none" if model.trees is None else "gradient boosting, 150 trees of at most 31 leaves",
        method,
        measured,
        _limits(labels is not None),
    )
    return _with(model, card=card), velocity


def _with(model: FraudModel, **parts: object) -> FraudModel:
    given = {name: getattr(model, name) for name in FraudModel.__dataclass_fields__}
    return FraudModel(**{**given, **parts})


def _some_numbers(features: Float64Array) -> Float64Array:
    """The same with a zero in columns that hold no number at all, whose median would be a warning."""
    empty = np.isnan(features).all(axis=0)
    return np.where(empty, 0.0, features) if empty.any() else features


def _iso(time: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).isoformat()


def _card_of_nothing() -> ModelCard:
    return ModelCard("", "", "", 0, 0, 0, 0, 0, (), "none", "none", "none", {}, ())


def _limits(labelled: bool) -> tuple[str, ...]:
    return (
        "Events that were declined have no outcome; only random approvals say what became of their like."
        if labelled
        else "No labels: the score ranks what is unusual or what rules name, and its probability is not calibrated.",
        "Entities that are new have no history; their counters are zero or missing.",
    )
