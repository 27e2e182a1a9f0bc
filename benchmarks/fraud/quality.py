"""Rules + velocity + detector beside single detectors, on simulated card logs.

    python -m benchmarks.fraud.quality $DATA          # both logs, some minutes
    python -m benchmarks.fraud.quality $DATA --days 60 --json

Split by time: models learn from what was known at the cut (reports of fraud come a week after the payment) and are judged
on every payment of the 30 days after it. A rule is one number beyond one of its quantiles; those are kept whose back-test on
the learning part finds at least twice the share of fraud, with their precision there as score.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.fraud.logs import DAY_US, CardLog, card_demo, handbook
from recocore.expressions import Expression
from recocore.fraud import ECOD, HBOS, MCD, IsolationForest, Rule, RuleSet, VelocitySpec, backtest, fit_model
from recocore.fraud.measures import (
    average_precision,
    bootstrap_interval,
    precision_at_daily_budget,
    recall_at_fpr,
)

if TYPE_CHECKING:
    from recocore.data import EventBatch
    from recocore.expressions import Kind
    from recocore.fraud.decision import ScoredEvents
    from recocore.types import AnyArray, Float64Array

COUNTERS = (
    "count by user_id over 1d",
    "count by user_id over 1w",
    "mean value by user_id over 1w",
    "ratio value by user_id over 4w",
    "max value by user_id over 4w",
    "count by user_id over 4w of fraud",
    "count by device over 1d",
    "count by device over 1w",
    "mean value by device over 1w",
    "distinct user_id by device over 1d",
    "count by device over 4w of fraud",
    "count by device over 4w",
)
TEST_DAYS = 30
BUDGET = 100
DETECTORS = {"ECOD": ECOD, "isolation forest": IsolationForest, "HBOS": HBOS, "MCD": MCD}


def judge(labels: Float64Array, scores: Float64Array, scored: ScoredEvents, users: AnyArray) -> dict[str, Any]:
    """Measures of one ranking, with a bootstrap over users."""
    low, high = bootstrap_interval(labels, scores, users, samples=100)
    return {
        "average_precision": average_precision(labels, scores),
        "interval_95": [low, high],
        "recall_at_1_percent_fpr": recall_at_fpr(labels, scores, 0.01),
        f"precision_at_{BUDGET}_a_day": precision_at_daily_budget(labels, scores, scored.times, BUDGET),
    }


def part(log: CardLog, mask: AnyArray) -> EventBatch:
    """The events of a part of the log."""
    return log.events.filter(mask)


def backtested_rules(scored: ScoredEvents, names: tuple[str, ...], known: Float64Array) -> RuleSet:
    """Rules of one comparison each, kept and scored by their back-test on the learning part."""
    columns: dict[str, Kind] = dict.fromkeys(names, "number")
    candidates: dict[str, Rule] = {}
    for name in names:
        numbers = scored.table[name]
        for sign, shares in ((">", (0.9, 0.97, 0.99, 0.999)), ("<", (0.1, 0.03, 0.01))):
            for share in shares:
                text = f"{name} {sign} {float(np.nanquantile(numbers, share))!r}"
                if text in candidates:  # quantiles of counts fall together
                    continue
                candidates[text] = Rule(f"rule_{len(candidates)}", Expression.parse(text, columns), score=1)
    tested = backtest(RuleSet(tuple(candidates.values())), scored.table, scored.times, known, scored.table["value"])
    by_name = {rule.name: rule for rule in candidates.values()}
    kept = [
        replace(by_name[report.name], score=round(1000 * report.precision))
        for report in tested.rules
        if report.known >= 50 and report.precision >= 2 * tested.prevalence
    ]
    return RuleSet(tuple(kept))


def compare(log: CardLog, cut_day: int) -> dict[str, Any]:
    """Every ranking on one log."""
    times = log.times
    cut = times.min() + cut_day * DAY_US
    before, after = times < cut, (times >= cut) & (times < cut + TEST_DAYS * DAY_US)
    known = np.where(times < cut - log.delay_days * DAY_US, log.labels, np.nan)[before]
    specs = [VelocitySpec.parse(text) for text in COUNTERS]
    test, labels = part(log, after), log.labels[after]

    rankings: dict[str, Float64Array] = {}
    scored: ScoredEvents | None = None
    started = time.perf_counter()
    learn = part(log, before)
    plain, _ = fit_model(learn, specs, decide=("buy",))
    learnt = plain.score_events(learn)
    rules = backtested_rules(learnt, plain.features, known[learnt.rows])
    for supervised in (False, True):
        model, velocity = fit_model(
            learn,
            specs,
            rules,
            labels=known,
            detector=IsolationForest(seed=0, num_threads=1),
            decide=("buy",),
            supervised=supervised,
        )
        scored = model.score_events(test, velocity)
        rankings["trees + rules + velocity + detector" if supervised else "rules + velocity + detector"] = scored.risk
    assert scored is not None
    rankings["rules + velocity"] = scored.rules.risk()
    seconds = time.perf_counter() - started

    # Single detectors, on the payment alone and with the counters too: fitted on the same learning part.
    fit_rows = learnt.features
    columns = {
        "payment alone": [len(COUNTERS), len(COUNTERS) + 1],
        "payment + velocity": list(range(len(COUNTERS) + 2)),
    }
    for seen, chosen in columns.items():
        rows = np.ascontiguousarray(fit_rows[:: max(1, len(fit_rows) // 100_000)][:, chosen])
        asked = np.ascontiguousarray(scored.features[:, chosen])
        medians = np.nan_to_num(np.nanmedian(rows, axis=0))
        for name, detector in DETECTORS.items():
            # MCD takes no missing values: it gets the medians of the learning part.
            filled = [np.where(np.isnan(each), medians, each) if name == "MCD" else each for each in (rows, asked)]
            rankings[f"{name}, {seen}"] = detector(num_threads=1).fit(filled[0]).score(filled[1])
    decided = labels[scored.rows]
    users = np.array(test.column("user_id").to_pylist())[scored.rows]
    return {
        "log": log.name,
        "payments": len(decided),
        "prevalence": float(decided.mean()),
        "rules": len(rules.rules),
        "seconds_of_fit_and_score": seconds,
        "rankings": {name: judge(decided, scores, scored, users) for name, scores in rankings.items()},
    }


def show(result: dict[str, Any]) -> None:
    """One log's table."""
    size = f"{result['payments']:,} payments after the cut, prevalence {result['prevalence']:.2%}"
    print(f"\n{result['log']} (simulated): {size}, {result['rules']} rules")
    print(f"  {'ranking':44}{'AP':>7}  {'95 %':>15}  {'recall@1%FPR':>12}  {f'precision@{BUDGET}/day':>16}")
    order = sorted(result["rankings"].items(), key=lambda each: -each[1]["average_precision"])
    for name, measured in order:
        low, high = measured["interval_95"]
        print(
            f"  {name:44}{measured['average_precision']:7.3f}  {low:7.3f}-{high:.3f}  "
            f"{measured['recall_at_1_percent_fpr']:12.3f}  {measured[f'precision_at_{BUDGET}_a_day']:16.3f}"
        )
    singles = {name: m for name, m in result["rankings"].items() if "," in name}
    best = max(singles, key=lambda name: singles[name]["average_precision"])
    for name in ("rules + velocity + detector", "trees + rules + velocity + detector"):
        factor = result["rankings"][name]["average_precision"] / singles[best]["average_precision"]
        print(f"  {name}: {factor:.2f} times the average precision of the best single detector ({best})")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with fraud-handbook and card-demo")
    parser.add_argument("--days", type=int, default=120, help="days of fraud-handbook that are read; 183 are there")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = [compare(handbook(given.data, given.days), given.days - TEST_DAYS)]
    demo = card_demo(given.data)
    span = int((demo.times.max() - demo.times.min()) // DAY_US)
    results.append(compare(demo, max(1, span - 2 * TEST_DAYS)))
    if given.json:
        print(json.dumps(results, indent=2))
    else:
        for result in results:
            show(result)


if __name__ == "__main__":
    main()
