"""The last two minutes as one JSON object: what the page and `recocore top` show."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import recocore
from recocore.service.observe import families
from recocore.service.observe.rates import rates_between

if TYPE_CHECKING:
    from recocore.service.observe.rates import Rates
    from recocore.service.observe.readings import Reading

# A reading a second for two minutes of curves; live figures are over ten seconds, so that one call does not make them jump.
_MOST_READINGS = 121
_WINDOW_SECONDS = 10.0
# Rules whose errors are named; the others are in the sum.
_MOST_RULES = 5


class History:
    """The latest readings; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: deque[Reading] = deque(maxlen=_MOST_READINGS)
        self._curves: deque[dict[str, float | None]] = deque(maxlen=_MOST_READINGS - 1)

    def add(self, reading: Reading) -> None:
        """Keep a reading, and the rates since the one before."""
        with self._lock:
            if self._readings:
                rates = rates_between(self._readings[-1], reading)
                self._curves.append(
                    {
                        "time": reading.time,
                        "calls_per_second": rates.all.calls_per_second,
                        "fault_share": rates.all.fault_share,
                        "p50_seconds": rates.all.p50_seconds,
                        "p99_seconds": rates.all.p99_seconds,
                        "in_flight": reading.total(families.IN_FLIGHT),
                    }
                )
            self._readings.append(reading)

    def report(self, now: Reading) -> dict[str, Any]:
        """The service as it is now and as it was.

        Args:
            now: a fresh reading, which need not be kept.
        """
        with self._lock:
            kept, curves = list(self._readings), list(self._curves)
        since = next((old for old in kept if old.moment >= now.moment - _WINDOW_SECONDS), now)
        rates = rates_between(since, now)
        used = {name: asdict(usage) for name, usage in now.usage.items()}
        status = now.status
        events = now.by(families.EVENTS, "result")
        calls, by_status = now.by(families.CALLS, "method"), now.by(families.CALLS, "status")
        return {
            "version": recocore.__version__,
            "time": now.time,
            "address": status.address,
            "ready": status.ready,
            "size": status.size,
            "up_seconds": now.time - status.started,
            "window_seconds": rates.seconds,
            "live": {
                **asdict(rates.all),
                "in_flight": now.total(families.IN_FLIGHT),
                "queued": now.total(families.QUEUED),
                "shed_per_second": rates.shed_per_second,
                "cache_hit_share": rates.cache_hit_share,
                "mean_batch": rates.mean_batch,
            },
            "totals": {
                "calls": now.total(families.CALLS),
                "faults": sum(by_status.get(name, 0.0) for name in families.FAULTS),
                "shed": now.total(families.SHED),
                "swaps": now.total(families.SWAPS),
                "load_failures": now.total(families.LOAD_FAILURES),
                "restarts": status.restarts,
            },
            "state": None
            if status.state is None
            else {
                **asdict(status.state),
                "events_per_second": rates.events_per_second,
                "commit_p99_seconds": rates.commit_p99_seconds,
                "waiting": now.total(families.EVENTS_WAITING),
                "events": {name: events.get(name, 0.0) for name in ("recorded", "duplicate", "refused")},
                "forgotten": now.total(families.FORGOTTEN),
            },
            "fraud": None if status.fraud is None else {**asdict(status.fraud), **_fraud(now, rates)},
            "methods": [{"method": name, "calls": calls[name], **asdict(each)} for name, each in rates.methods.items()],
            "models": [asdict(model) for model in status.models],
            "workers": [{**asdict(worker), "usage": used.get(f"worker-{worker.number}")} for worker in status.workers],
            "processes": used,
            "curves": curves,
        }


def _fraud(now: Reading, rates: Rates) -> dict[str, Any]:
    """Decisions by outcome, how long they take, rules that fail, and which rule set decides."""
    outcomes = now.by(families.FRAUD_DECISIONS, "outcome")
    rules = [(dict(labels), value) for (name, labels), value in now.totals.items() if name == families.FRAUD_RULES]
    errors = {labels["rule"]: value for labels, value in rules if labels["result"] == "error" and value}
    worst = sorted(errors.items(), key=lambda each: (-each[1], each[0]))[:_MOST_RULES]
    versions = now.by(families.FRAUD_RULE_SET, "version")
    return {
        "outcomes": [
            {
                "outcome": outcome,
                "decisions": outcomes.get(outcome, 0.0),
                "per_second": rates.decisions_per_second.get(outcome, 0.0),
            }
            for outcome in families.FRAUD_OUTCOMES
        ],
        "p50_seconds": rates.decision_p50_seconds,
        "p99_seconds": rates.decision_p99_seconds,
        "rule_errors": sum(errors.values()),
        "failing_rules": [{"rule": rule, "errors": count} for rule, count in worst],
        "rule_set": next((version for version, value in versions.items() if value), None),
    }
