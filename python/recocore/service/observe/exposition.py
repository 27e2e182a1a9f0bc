"""A reading in the text format of Prometheus."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import recocore
from recocore.service.observe import families
from recocore.service.observe.snapshot import WORKER_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.service.observe.readings import Reading

_Sample = tuple[dict[str, str], float]


def expose(reading: Reading, accept: str) -> tuple[bytes, str]:
    """The metrics, and their content type.

    Args:
        reading: what to show.
        accept: the caller's Accept header, which may ask for OpenMetrics.
    """
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry()
    registry.register(_Once(reading))
    return encode(registry), content_type


class _Once(Collector):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        for name, family in families.COUNTED.items():
            if family.kind == "histogram":
                yield _histogram(name, family, self._reading)
            else:
                samples = [
                    (dict(labels), value) for (row, labels), value in self._reading.totals.items() if row == name
                ]
                yield _plain(name, family, samples)
        observed = _observed(self._reading)
        for name, family in families.OBSERVED.items():
            yield _plain(name, family, observed[name])

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not collect."""
        return []


def _plain(name: str, family: families.Family, samples: list[_Sample]) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric: Metric = kind(name, family.text)
    for labels, value in samples:
        metric.add_sample(name, labels, value)
    return metric


def _histogram(name: str, family: families.Family, reading: Reading) -> HistogramMetricFamily:
    metric = HistogramMetricFamily(name, family.text)
    counts: dict[tuple[tuple[str, str], ...], dict[str, float]] = defaultdict(dict)
    for (row, labels), value in reading.totals.items():
        if row == f"{name}_bucket":
            counts[labels[:-1]][labels[-1][1]] = value
    bounds = [*map(repr, family.buckets), "+Inf"]
    for labels, by_bound in counts.items():
        cumulative = list(accumulate(by_bound.get(bound, 0.0) for bound in bounds))
        for bound, count in zip(bounds, cumulative, strict=True):
            metric.add_sample(f"{name}_bucket", {**dict(labels), "le": bound}, count)
        metric.add_sample(f"{name}_count", dict(labels), cumulative[-1])
        metric.add_sample(f"{name}_sum", dict(labels), reading.totals[f"{name}_sum", labels])
    return metric


def _observed(reading: Reading) -> dict[str, list[_Sample]]:
    status = reading.status
    states = dict.fromkeys(WORKER_STATES, 0)
    for worker in status.workers:
        states[worker.state] += 1
    models = [model for model in status.models if model.alias]
    owners = (("state", status.state), ("fraud", status.fraud))
    used = [({"process": name}, usage) for name, usage in reading.usage.items()]
    return {
        "recocore_build_info": [({"version": recocore.__version__}, 1)],
        "recocore_up_seconds": [({}, reading.time - status.started)],
        "recocore_workers": [({"state": state}, count) for state, count in states.items()],
        "recocore_worker_restarts_total": [({}, status.restarts)],
        **{
            f"recocore_{name}_owner_up": [] if owner is None else [({}, float(owner.pid is not None))]
            for name, owner in owners
        },
        **{
            f"recocore_{name}_owner_restarts_total": [] if owner is None else [({}, owner.restarts)]
            for name, owner in owners
        },
        "recocore_model_info": [({"alias": m.alias, "version": m.version, "model": m.model}, 1) for m in models],
        "recocore_model_age_seconds": [
            ({"alias": m.alias}, reading.time - m.created) for m in models if m.created is not None
        ],
        "recocore_model_loaded_timestamp_seconds": [
            ({"alias": m.alias}, m.loaded) for m in models if m.loaded is not None
        ],
        "recocore_process_resident_memory_bytes": [(labels, usage.resident_bytes) for labels, usage in used],
        "recocore_process_private_memory_bytes": [(labels, usage.private_bytes) for labels, usage in used],
        "recocore_process_cpu_seconds_total": [(labels, usage.cpu_seconds) for labels, usage in used],
        "recocore_process_threads": [(labels, usage.threads) for labels, usage in used],
        "recocore_process_open_files": [(labels, usage.open_files) for labels, usage in used],
    }
