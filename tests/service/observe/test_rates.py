"""Rates and quantiles between two readings, beside NumPy on the values that were counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from recocore.expressions import Expression
from recocore.fraud import Rule, RuleSet
from recocore.fraud.ledger.tally import RuleTally
from recocore.service.call import Call
from recocore.service.fraud.counting import FraudCounting
from recocore.service.observe import families
from recocore.service.observe.board import Board
from recocore.service.observe.counting import CountingObserver
from recocore.service.observe.exposition import expose
from recocore.service.observe.rates import quantile, rates_between
from recocore.service.observe.readings import board_path, status_path, take_reading
from recocore.service.observe.snapshot import ModelSnapshot, ServiceSnapshot, StateSnapshot, WorkerSnapshot

if TYPE_CHECKING:
    from pathlib import Path

CALL = Call("r1")


@dataclass(frozen=True)
class Answering:
    version: str = "v1"
    alias: str = "stable"
    experiment: str = ""
    variant: str = ""


def status(*states: str, started: float = 1000.0) -> ServiceSnapshot:
    workers = tuple(
        WorkerSnapshot(number, 4_000_000 + number, state, started, number) for number, state in enumerate(states)
    )
    models = (
        ModelSnapshot("stable", "abc", "ready", "ALS", 500.0, 1000.0),
        ModelSnapshot("", "bad", "failed", "", None, None, "it is damaged"),
    )
    return ServiceSnapshot("127.0.0.1:1", 4_000_100, started, 2, 5, workers, models)


def say(folder: Path, what: ServiceSnapshot) -> None:
    status_path(folder).write_text(what.to_json(), encoding="utf-8")


def counting(folder: Path, worker: int = 0) -> CountingObserver:
    return CountingObserver(Board(board_path(folder, f"worker-{worker}")))


def finish(observer: CountingObserver, method: str, state: str, seconds: float, hosted: Any = None) -> None:
    observer.started()
    observer.finished(method, state, seconds, hosted, CALL)


def test_rates_are_of_what_happened_in_between(tmp_path: Path) -> None:
    say(tmp_path, status("serving", "serving"))
    first, second = counting(tmp_path, 0), counting(tmp_path, 1)
    for _ in range(7):
        finish(first, "Recommend", "INTERNAL", 9.0)
    before = take_reading(tmp_path, 1)
    rng = np.random.default_rng(5)
    seconds = rng.lognormal(-6, 1, 4000)
    for place, value in enumerate(seconds):
        finish(first if place % 3 else second, "Recommend", "OK", value)
    for state, count in (("INTERNAL", 30), ("NOT_FOUND", 10), ("RESOURCE_EXHAUSTED", 60)):
        for _ in range(count):
            finish(second, "Score", state, 0.5)
    for _ in range(60):
        second.shed("TOO_MANY_CALLS")
    for hits, misses in ((1, 0), (0, 1), (0, 2)):
        first.looked_up(hits=hits, misses=misses)
    for calls in (1, 2, 9):
        first.batched(calls)
    after = take_reading(tmp_path, 1)
    rates = rates_between(before, after)
    elapsed = after.moment - before.moment
    assert rates.all.calls_per_second * elapsed == pytest.approx(4100)
    assert rates.methods["Score"].calls_per_second * elapsed == pytest.approx(100)
    assert (rates.methods["Score"].fault_share, rates.methods["Score"].refused_share) == (0.3, 0.7)
    assert (rates.methods["Recommend"].fault_share, rates.methods["Recommend"].refused_share) == (0, 0)
    assert rates.shed_per_second * elapsed == pytest.approx(60)
    assert (rates.cache_hit_share, rates.mean_batch) == (0.25, 4)
    for q, found in ((0.5, rates.methods["Recommend"].p50_seconds), (0.99, rates.methods["Recommend"].p99_seconds)):
        exact = float(np.quantile(seconds, q))
        bounds = (0.0, *families.DURATION_BUCKETS)
        place = int(np.searchsorted(bounds, exact))
        assert found is not None
        assert bounds[place - 1] <= found <= bounds[place]


def test_nothing_happened(tmp_path: Path) -> None:
    say(tmp_path, status("serving"))
    counting(tmp_path)
    reading = take_reading(tmp_path, 1)
    rates = rates_between(reading, take_reading(tmp_path, 1))
    assert rates.all.calls_per_second == rates.shed_per_second == 0
    assert rates.all.fault_share is rates.all.p99_seconds is rates.cache_hit_share is rates.mean_batch is None


@pytest.mark.parametrize("q", [0.1, 0.25, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("counts", [[4, 0, 0], [0, 5, 5], [1, 0, 9], [3, 3, 0]])
def test_a_quantile_is_that_of_values_spread_over_their_buckets(counts: list[int], q: float) -> None:
    edges = [0.0, 1.0, 4.0, 4.0]  # what is beyond the last bound counts as being on it
    spread = np.concatenate(
        [
            low + (high - low) * (np.arange(count * 1000) + 1) / (count * 1000)
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
            if count
        ]
    )
    exact = float(np.quantile(spread, q, method="inverted_cdf"))
    assert quantile([1.0, 4.0], counts, q) == pytest.approx(exact, abs=1e-9)


def test_nothing_has_no_quantile() -> None:
    assert quantile([1.0, 4.0], [0, 0, 0], 0.5) is None


def test_calls_in_flight_end_with_their_process(tmp_path: Path) -> None:
    say(tmp_path, status("serving", "serving"))
    for worker in (0, 1):
        observer = counting(tmp_path, worker)
        observer.started()
        observer.queued(1)
        finish(observer, "Recommend", "OK", 0.001)
    assert take_reading(tmp_path, 1).total(families.IN_FLIGHT) == 2
    say(tmp_path, status("serving"))
    reading = take_reading(tmp_path, 1)
    assert (reading.total(families.IN_FLIGHT), reading.total(families.QUEUED), reading.total(families.CALLS)) == (
        1,
        1,
        2,
    )
    say(tmp_path, status("serving", "serving"))
    counting(tmp_path, 1)
    reading = take_reading(tmp_path, 1)
    assert (reading.total(families.IN_FLIGHT), reading.total(families.QUEUED), reading.total(families.CALLS)) == (
        1,
        1,
        2,
    )


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_what_is_exposed_is_what_was_counted(tmp_path: Path, accept: str) -> None:
    say(tmp_path, status("serving", "standby", "draining", started=1000.0))
    observer = counting(tmp_path)
    for seconds in (0.0004, 0.0004, 0.3, 30.0):
        finish(observer, "Recommend", "OK", seconds, Answering())
    finish(observer, "Recommend", "INTERNAL", 0.1, Answering(experiment="e", variant='b"\n\\'))
    observer.loaded(0.2)
    observer.load_failed()
    observer.swapped()
    observer.shadowed(0.75)
    observer.shadowed(None)
    body, content_type = expose(take_reading(tmp_path, 1), accept)
    assert content_type.startswith("application/openmetrics-text" if accept else "text/plain")
    text = body.decode().removesuffix("# EOF\n")
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    assert value("recocore_calls_total", method="Recommend", status="OK") == 4
    assert value("recocore_call_duration_seconds_count", method="Recommend") == 5
    assert value("recocore_call_duration_seconds_sum", method="Recommend") == pytest.approx(30.4008)
    for bound, count in (("0.00025", 0), ("0.0005", 2), ("0.1", 3), ("0.5", 4), ("10.0", 4), ("+Inf", 5)):
        assert value("recocore_call_duration_seconds_bucket", method="Recommend", le=bound) == count
    nasty = {"alias": "stable", "experiment": "e", "variant": 'b"\n\\', "status": "INTERNAL"}
    assert value("recocore_model_calls_total", **nasty) == 1
    assert value("recocore_model_load_seconds_count") == value("recocore_model_load_failures_total") == 1
    assert value("recocore_model_swaps_total") == value("recocore_shadow_failures_total") == 1
    assert value("recocore_shadow_overlap_sum") == 0.75
    assert [value("recocore_workers", state=state) for state in ("starting", "serving", "draining", "standby")] == [
        0,
        1,
        1,
        1,
    ]
    assert value("recocore_worker_restarts_total") == 5
    assert value("recocore_model_info", alias="stable", version="abc", model="ALS") == 1
    assert [name for name, _ in found].count("recocore_model_info") == 1


def test_every_metric_has_a_family(tmp_path: Path) -> None:
    """A name on a board that no family has would never be shown."""
    say(tmp_path, status("serving"))
    observer = counting(tmp_path)
    finish(observer, "Recommend", "OK", 0.1, Answering())
    observer.shed("TOO_MANY_CALLS")
    observer.denied("no_role")
    tally = RuleTally(RuleSet((Rule("all", Expression.parse("amount > 0", {"amount": "number"})),)))
    tally.add("approve", [])
    fraud = FraudCounting(Board(board_path(tmp_path, "fraud")))
    fraud.took(0.000_1)
    fraud.show(tally)
    names = {name for name, _ in take_reading(tmp_path, 1).totals}
    known = {
        part
        for name, family in families.COUNTED.items()
        for part in ((f"{name}_bucket", f"{name}_sum") if family.kind == "histogram" else (name,))
    }
    # A gauge of a process that is not there is not shown.
    assert names == known - {families.FRAUD_RULE_SET}
    say(tmp_path, replace(status("serving"), fraud=StateSnapshot(4_000_200, 1)))
    assert {name for name, _ in take_reading(tmp_path, 1).totals} == known


def test_a_process_that_decides_again_says_its_own_rule_set(tmp_path: Path) -> None:
    say(tmp_path, replace(status("serving"), fraud=StateSnapshot(4_000_200, 1)))
    sets = [RuleSet((Rule(name, Expression.parse("amount > 0", {"amount": "number"})),)) for name in ("a", "b")]
    for rules in sets:
        FraudCounting(Board(board_path(tmp_path, "fraud"))).show(RuleTally(rules))
    versions = take_reading(tmp_path, 1).by(families.FRAUD_RULE_SET, "version")
    assert versions == {sets[0].version: 0, sets[1].version: 1}
