"""From two readings to what people look at: calls a second, shares and quantiles in between."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from recocore.service.observe import families

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.service.observe.readings import Reading


@dataclass(frozen=True, slots=True)
class MethodRates:
    """One method between two readings, or all of them together.

    Attributes:
        calls_per_second: calls that ended.
        fault_share: share of them that were the server's fault; None where there were no calls.
        refused_share: share of them that failed otherwise; None where there were no calls.
        p50_seconds: median time; None where there were no calls.
        p99_seconds: the time that 99 of 100 kept to.
    """

    calls_per_second: float
    fault_share: float | None
    refused_share: float | None
    p50_seconds: float | None
    p99_seconds: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """The service between two readings.

    Attributes:
        seconds: between them.
        all: every method together.
        methods: each by its name.
        shed_per_second: calls turned away.
        cache_hit_share: None where nothing was looked up.
        mean_batch: calls ranked together on average; None where nothing was batched.
        events_per_second: events that were recorded.
        commit_p99_seconds: the time in which 99 of 100 calls had their events acknowledged; None where there were none.
        decisions_per_second: decisions on fraud, by outcome.
        decision_p50_seconds: median time to decide on an event; None where there were none.
        decision_p99_seconds: the time that 99 of 100 kept to.
    """

    seconds: float
    all: MethodRates
    methods: dict[str, MethodRates]
    shed_per_second: float
    cache_hit_share: float | None
    mean_batch: float | None
    events_per_second: float
    commit_p99_seconds: float | None
    decisions_per_second: dict[str, float]
    decision_p50_seconds: float | None
    decision_p99_seconds: float | None


def rates_between(before: Reading, after: Reading) -> Rates:
    """What happened from one reading to a later one."""
    seconds = max(after.moment - before.moment, 1e-9)
    counts = _differences(before, after)
    methods = sorted({labels["method"] for labels, _ in counts.get(families.CALLS, ())})
    lookups = _sums(counts, families.CACHE, "result")
    decisions, decided = _sums(counts, families.FRAUD_DECISIONS, "outcome"), _buckets(counts, families.FRAUD_SECONDS)
    return Rates(
        seconds=seconds,
        all=_method(counts, seconds),
        methods={method: _method(counts, seconds, method=method) for method in methods},
        shed_per_second=sum(_sums(counts, families.SHED, "reason").values()) / seconds,
        cache_hit_share=_share(lookups.get("hit", 0.0), sum(lookups.values())),
        mean_batch=_share(
            sum(value for _, value in counts.get(f"{families.BATCH}_sum", ())), sum(_buckets(counts, families.BATCH))
        ),
        events_per_second=_sums(counts, families.EVENTS, "result").get("recorded", 0.0) / seconds,
        commit_p99_seconds=quantile(families.DURATION_BUCKETS, _buckets(counts, families.COMMIT_SECONDS), 0.99),
        decisions_per_second={outcome: count / seconds for outcome, count in decisions.items()},
        decision_p50_seconds=quantile(families.DECISION_BUCKETS, decided, 0.5),
        decision_p99_seconds=quantile(families.DECISION_BUCKETS, decided, 0.99),
    )


def quantile(bounds: Sequence[float], counts: Sequence[float], q: float) -> float | None:
    """The q-quantile of a histogram, linear inside a bucket, as Prometheus has it.

    Args:
        bounds: upper bounds of the buckets but the last, which has none.
        counts: of each bucket, not cumulative.
        q: from 0 to 1.

    Returns:
        None where nothing was counted; the highest bound where the quantile is above it.
    """
    total = sum(counts)
    if total <= 0:
        return None
    cumulative = list(accumulate(counts))
    rank = q * total
    bucket = min(bisect_left(cumulative, rank), len(bounds))
    if bucket == len(bounds):
        return bounds[-1]
    low = bounds[bucket - 1] if bucket else 0.0
    below = cumulative[bucket - 1] if bucket else 0.0
    # An empty first bucket is met with q = 0 alone.
    return low + (bounds[bucket] - low) * (rank - below) / counts[bucket] if counts[bucket] else low


# By metric: the labels of each row and how much it grew.
_Counts = dict[str, list[tuple[dict[str, str], float]]]


def _differences(before: Reading, after: Reading) -> _Counts:
    counts: _Counts = defaultdict(list)
    for (name, labels), value in after.totals.items():
        counts[name].append((dict(labels), value - before.totals.get((name, labels), 0.0)))
    return counts


def _sums(counts: _Counts, name: str, label: str, **wanted: str) -> dict[str, float]:
    """A metric's growth by one of its labels, where the others are as wanted."""
    sums: dict[str, float] = defaultdict(float)
    for labels, value in counts.get(name, ()):
        if wanted.items() <= labels.items():
            sums[labels[label]] += value
    return sums


def _buckets(counts: _Counts, name: str, **wanted: str) -> list[float]:
    sums = _sums(counts, f"{name}_bucket", "le", **wanted)
    return [sums.get(bound, 0.0) for bound in (*map(repr, families.COUNTED[name].buckets), "+Inf")]


def _method(counts: _Counts, seconds: float, **wanted: str) -> MethodRates:
    by_status = _sums(counts, families.CALLS, "status", **wanted)
    calls, good = sum(by_status.values()), by_status.get("OK", 0.0)
    faults = sum(by_status.get(status, 0.0) for status in families.FAULTS)
    buckets = _buckets(counts, families.CALL_SECONDS, **wanted)
    bounds = families.DURATION_BUCKETS
    return MethodRates(
        calls_per_second=calls / seconds,
        fault_share=_share(faults, calls),
        refused_share=_share(calls - good - faults, calls),
        p50_seconds=quantile(bounds, buckets, 0.5),
        p99_seconds=quantile(bounds, buckets, 0.99),
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
