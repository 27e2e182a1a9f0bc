"""FraudReport: the figures of a model on a log, and the page of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recocore.charts import Edge, Line, Node, Section, bars, facts, histogram, lines, network, page, rows_table
from recocore.data.events import as_events
from recocore.fraud.alarms import metric_series, seasonal_alarms
from recocore.fraud.measures import (
    average_precision,
    bootstrap_interval,
    curve,
    precision_at_daily_budget,
    recall_at_fpr,
)
from recocore.fraud.rules import OUTCOMES, backtest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.data import EventBatch
    from recocore.fraud.decision import FraudModel, ScoredEvents
    from recocore.fraud.rings import Ring
    from recocore.fraud.rules.backtesting import BacktestReport
    from recocore.types import AnyArray, Float64Array

_BINS: Final = 20
_SHOWN_REASONS: Final = 12
_CALIBRATION_BINS: Final = 10
_LEAST_IN_A_BIN: Final = 10
_SAID: Final = {
    "average_precision_95": "its 95 % interval",
    "recall_at_1_percent_fpr": "recall at 1 % false positives",
}
# A picture of more edges than this shows a blot.
_SHOWN_EDGES: Final = 600


@dataclass(frozen=True, slots=True, eq=False)
class FraudReport:
    """A model on a log.

    Attributes:
        summary: counts and measures; measures only where both outcomes are known.
        outcomes: decisions by what was decided.
        reasons: decisions by the code of a reason, EXPECTED_COST apart.
        rules: the back-test.
        html: the page.
    """

    summary: Mapping[str, Any]
    outcomes: Mapping[str, int]
    reasons: Mapping[str, int]
    rules: BacktestReport
    html: str

    def as_json(self) -> dict[str, Any]:
        """Everything but the page, as JSON holds it."""
        return {
            "summary": dict(self.summary),
            "outcomes": dict(self.outcomes),
            "reasons": dict(self.reasons),
            "rules": asdict(self.rules),
        }


def fraud_report(
    model: FraudModel,
    events: Any,
    labels: Float64Array | None = None,
    *,
    rings: Sequence[Ring] = (),
    ring_edges: Sequence[tuple[str, Any]] = (),
    budget: int = 50,
    title: str = "Fraud report",
) -> FraudReport:
    """Score a log with a model that has not seen it, and draw what came of it.

    Args:
        model: fitted on an earlier log.
        events: the log, from its beginning, a batch or what `EventBatch.from_arrow` takes: counters start empty.
        labels: 1, 0 or NaN for each event of the log, `[events]`; None where nobody knows.
        rings: from `find_rings` on the same log.
        ring_edges: (account, entity) pairs that the rings' pictures take their edges from.
        budget: alerts that people look at in a day.
        title: the page's heading.

    Raises:
        InvalidArgumentError: an event without a time, or labels that do not fit.
    """
    events = as_events(events)
    scored = model.score_events(events)
    known = np.full(len(scored.rows), np.nan) if labels is None else labels[scored.rows]
    values = np.nan_to_num(scored.table["value"])
    tested = backtest(model.rules, scored.table, scored.times, known, values)
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for decision in model.decisions(events):
        outcomes[decision.decision] += 1
        reasons.update(reason.code for reason in decision.reasons if reason.code != "EXPECTED_COST")
    summary = _summary(scored, known, events, budget)
    sections = [
        Section("Summary", facts(_spelled(summary, model)), wide=False),
        Section("Decisions", bars(list(OUTCOMES), [outcomes[name] for name in OUTCOMES], "decisions")),
        Section("Scores", _scores(scored, known), "Events by their score, on a logarithmic scale."),
        Section(
            "Top reasons",
            bars(
                [code for code, _ in reasons.most_common(_SHOWN_REASONS)],
                [n for _, n in reasons.most_common(_SHOWN_REASONS)],
                "decisions with this reason",
            ),
            "A decision may have several.",
        ),
        *_labelled(scored, known),
        Section("Rules", _rules(tested), "Precision and recall count events whose outcome is known.", wide=True),
        *_series(events),
    ]
    if rings:
        pictures = ring_pictures(rings, ring_edges)
        text = "Accounts (outer circle) that share far more entities (inner circle) than others do, densest first."
        sections.append(Section("Rings", f'<div class="pictures">{"".join(pictures)}</div>', text, wide=True))
    intro = (
        f"{summary['events']:,} events, {summary['fraud']:,} known as fraud, by model {model.version} and rules "
        f"{model.rules.version}."
    )
    return FraudReport(
        summary,
        {name: outcomes[name] for name in OUTCOMES},
        dict(reasons.most_common()),
        tested,
        page(title, intro, sections),
    )


def _summary(scored: ScoredEvents, known: Float64Array, events: EventBatch, budget: int) -> dict[str, Any]:
    sure = ~np.isnan(known)
    labels, risk = known[sure], scored.risk[sure]
    summary: dict[str, Any] = {"events": len(known), "labelled": int(sure.sum()), "fraud": int(labels.sum())}
    if 0 < labels.sum() < len(labels):
        users = np.array(events.column("user_id").to_pylist(), object)[scored.rows][sure]
        low, high = bootstrap_interval(labels, risk, users.astype(str))
        summary |= {
            "prevalence": float(labels.mean()),
            "average_precision": average_precision(labels, risk),
            "average_precision_95": [low, high],
            "recall_at_1_percent_fpr": recall_at_fpr(labels, risk, 0.01),
            f"precision_at_{budget}_a_day": precision_at_daily_budget(labels, risk, scored.times[sure], budget),
            "mean_probability": float(scored.probability[sure].mean()),
        }
    return summary


def _spelled(summary: Mapping[str, Any], model: FraudModel) -> dict[str, str]:
    told = {
        _SAID.get(name, name.replace("_", " ")): (
            " to ".join(f"{each:.3f}" for each in value)
            if isinstance(value, list)
            else f"{value:,}"
            if isinstance(value, int)
            else f"{value:.4f}"
        )
        for name, value in summary.items()
    }
    card = model.card
    return {
        **told,
        "learnt from": f"{card.first_event[:10]} to {card.last_event[:10]}, {card.rows:,} events",
        "detector": card.detector,
        "classifier": card.classifier,
        "calibration": card.calibration,
    }


def _scores(scored: ScoredEvents, known: Float64Array) -> str:
    edges = np.linspace(0, 1000, _BINS + 1)
    groups: list[tuple[str, AnyArray]] = [("good", known == 0), ("fraud", known == 1), ("unknown", np.isnan(known))]
    counted = [(name, np.histogram(1000 * scored.risk[rows], edges)[0].tolist()) for name, rows in groups if rows.any()]
    return histogram(edges.tolist(), counted, "score")


def _labelled(scored: ScoredEvents, known: Float64Array) -> list[Section]:
    sure = ~np.isnan(known)
    labels = known[sure]
    if not 0 < labels.sum() < len(labels):
        return []
    prevalence = float(labels.mean())
    rankings = {"all together": scored.risk, "before rules": scored.base, "rules alone": scored.rules.risk()}
    if not np.isnan(scored.anomaly).any():
        rankings["detector alone"] = scored.anomaly
    curves = []
    for name, ranking in rankings.items():
        if len(np.unique(ranking[sure])) > 1:
            points = curve(labels, ranking[sure])
            ranked = (
                points.threshold > 0
            )  # events of risk 0 are not ranked: a line to them would show what is not there
            curves.append(Line(name, points.recall[ranked].tolist(), points.precision[ranked].tolist()))
    curves.append(Line("at random", [0.0, 1.0], [prevalence, prevalence]))
    recalled = lines(curves, "recall", "precision", x_range=(0, 1), y_range=(0, 1))
    return [
        Section("Precision and recall", recalled, "A ranking at random has the share of fraud as precision."),
        Section(
            "Calibration", _calibration(scored.probability[sure], labels), "On the diagonal, probabilities are true."
        ),
    ]


def _calibration(probability: Float64Array, labels: Float64Array) -> str:
    bins = np.minimum((probability * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
    parts = [bins == place for place in range(_CALIBRATION_BINS) if (bins == place).sum() >= _LEAST_IN_A_BIN]
    said = [float(probability[part].mean()) for part in parts]
    came = [float(labels[part].mean()) for part in parts]
    truth = Line("perfect", [0.0, 1.0], [0.0, 1.0])
    return lines(
        [Line("observed", said, came), truth],
        "probability said",
        "share of fraud",
        x_range=(0, 1),
        y_range=(0, 1),
        legend_below=True,
    )


def _rules(tested: BacktestReport) -> str:
    header = ["rule", "hits", "errors", "fraud", "alone", "precision", "recall", "blocked value", "harmed value"]
    rows: list[list[str | int | float | None]] = [
        [r.name, r.hits, r.errors, r.fraud, r.alone, r.precision, r.recall, r.blocked_value, r.harmed_value]
        for r in (*tested.rules, tested.together)
    ]
    return rows_table(header, rows)


def _series(events: EventBatch) -> list[Section]:
    series = metric_series(events, "events")
    if len(series.values) < 2:
        return []
    alarms = seasonal_alarms(series)
    days = ((series.starts - series.starts[0]) / 86_400_000_000).tolist()
    marked = {alarm.start for alarm in alarms}
    values = series.values.tolist()
    step = max(1, len(values) // 350)  # every alarm's step is drawn; of the others one in so many
    places = [at for at in range(len(values)) if at % step == 0 or int(series.starts[at]) in marked]
    drawn = lines([Line("events", [days[at] for at in places], [values[at] for at in places])], "day", "events an hour")
    rows: list[list[str | int | float | None]] = [
        [f"{datetime.fromtimestamp(a.start / 1e6, UTC):%Y-%m-%d %H:%M}", a.observed, a.expected, a.z] for a in alarms
    ]
    table = rows_table(["alarm, UTC", "observed", "expected", "z"], rows[:10]) if rows else ""
    shown = f'<div class="pictures">{drawn}{table}</div>'
    return [Section("Events by the hour", shown, f"{len(alarms)} hours are out of season.", wide=True)]


def ring_pictures(rings: Sequence[Ring], edges: Sequence[tuple[str, Any]]) -> list[str]:
    """A picture of each ring, with those of the edges that lie inside it; of a ring in parts its largest part."""
    pictures = []
    for ring in rings:
        accounts, entities = set(ring.accounts), set(ring.entities)
        inside = dict.fromkeys(edge for edge in edges if edge[0] in accounts and edge[1] in entities)
        parts = _parts(list(inside))
        shown = parts[0][:_SHOWN_EDGES] if parts else []
        nodes = [
            *(Node(f"a {name}", "account", str(name)) for name in dict.fromkeys(one for one, _ in shown)),
            *(Node(f"e {name}", _kind(name)) for name in dict.fromkeys(other for _, other in shown)),
        ]
        named = f"{len(accounts)} accounts, {len(entities)} entities, density {ring.density:.2f}"
        if len(parts) > 1:
            named += f"; the largest of {len(parts)} parts"
        drawn = network(nodes, [Edge(f"a {one}", f"e {other}") for one, other in shown])
        pictures.append(f"<figure><figcaption>{named}</figcaption>{drawn}</figure>")
    return pictures


def _parts(edges: list[tuple[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Edges by connected component, the component of most edges first."""
    found: dict[Any, Any] = {}

    def root(node: Any) -> Any:
        while found.setdefault(node, node) != node:
            found[node] = node = found[found[node]]
        return node

    for one, other in edges:
        found[root(("account", one))] = root(("entity", other))
    parts: dict[Any, list[tuple[str, Any]]] = {}
    for edge in edges:
        parts.setdefault(root(("account", edge[0])), []).append(edge)
    return sorted(parts.values(), key=len, reverse=True)


def _kind(entity: object) -> str:
    return str(entity[0]) if isinstance(entity, tuple) else "entity"
