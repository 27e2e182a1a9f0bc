"""How fast events are counted and decided on: processor time of one thread, so others on the machine disturb it less.

python -m benchmarks.fraud.speed                 # 200,000 events
python -m benchmarks.fraud.speed --events 2000000 --churn 10000000
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recocore.data import EventBatch
from recocore.fraud import FraudEngine, IsolationForest, RuleSet, Velocity, VelocitySpec, fit_model, rule_columns

if TYPE_CHECKING:
    from recocore.types import AnyArray

# Twenty counters: what a shop would count, by six entities and a pair.
COUNTERS = tuple(
    f"{what} by {entity} over {window}"
    for what, entity, window in (
        ("count", "user_id", "10m"), ("count", "user_id", "1h"), ("count", "user_id", "1d"), ("sum value", "user_id", "1h"),
        ("sum value", "user_id", "1d"), ("mean value", "user_id", "1d"), ("ratio value", "user_id", "1w"),
        ("max value", "user_id", "1w"), ("count", "device", "10m"), ("count", "device", "1h"), ("sum value", "device", "1h"),
        ("distinct user_id", "device", "1d"), ("count", "ip", "10m"), ("count", "ip", "1h"), ("distinct user_id", "ip", "1h"),
        ("count", "payment_id", "1h"), ("distinct user_id", "payment_id", "1w"), ("count", "address_id", "1d"),
        ("distinct user_id", "address_id", "1w"), ("count", "user_id+device", "1d"),
    )
)  # fmt: skip


def made_up(events: int, seed: int = 0) -> EventBatch:
    """Orders at 50 a second by users of whom some come often; ids are texts."""
    rng = np.random.default_rng(seed)

    def ids(prefix: str, count: int) -> AnyArray:
        regular = np.minimum(rng.zipf(1.3, events) - 1, 10**9) * 2654435761 % count
        drawn = np.where(rng.random(events) < 0.1, regular, rng.integers(0, count, events))
        return np.char.add(prefix, drawn.astype(str))

    people = max(1000, events // 10)
    return EventBatch.from_arrow(
        pa.table(
            {
                "event_id": np.arange(events).astype(str),
                "event_time": np.sort(rng.integers(0, events * 20_000, events)),
                "user_id": ids("user-", people),
                "item_id": ids("item-", 1000),
                "device": ids("device-", people),
                "ip": ids("10.0.", people // 2),
                "payment_id": ids("card-", people),
                "address_id": ids("street-", people),
                "value": np.round(rng.lognormal(3, 1, events), 2),
            }
        ),
        time_unit="us",
    )


def fifty_rules() -> str:
    """Fifty rules of two comparisons each, over all counters."""
    names = [VelocitySpec.parse(text).name for text in COUNTERS]
    return "\n".join(
        f'[[rules]]\nname = "rule_{i}"\nwhen = "{names[i % 20]} > {40 + 3 * i} and value > {i}"\nscore = 100\n'
        for i in range(50)
    )


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--churn", type=int, default=500_000, help="events that each bring a new device")
    given = parser.parse_args()
    log = made_up(given.events)

    rates = []
    for _ in range(5):
        velocity = Velocity(COUNTERS)
        started = time.thread_time()
        velocity.update(log)
        rates.append(given.events / (time.thread_time() - started))
    print(f"velocity, 20 counters: {statistics.median(rates) / 1e6:.2f} M events/s (median of 5), {velocity.keys:,} keys, "
          f"{velocity.memory_used / 2**20:.0f} MiB")  # fmt: skip

    specs = [VelocitySpec.parse(text) for text in COUNTERS]
    rules = RuleSet.from_toml(fifty_rules(), rule_columns(specs))
    model, counted = fit_model(log, specs, rules, detector=IsolationForest(seed=0, num_threads=1))
    engine = FraudEngine(model, counted)
    later: list[dict[str, Any]] = [
        {**event, "event_id": f"later-{place}"} for place, event in enumerate(made_up(20_000, seed=1).table.to_pylist())
    ]
    spent = []
    for event in later:
        started = time.thread_time()
        engine.score(event)
        spent.append(time.thread_time() - started)
    median, high = (float(np.quantile(spent, q)) * 1e6 for q in (0.5, 0.99))
    print(f"engine, 20 counters, 50 rules, isolation forest: {median:.0f} us a decision (median), {high:.0f} us (p99)")

    churned = Velocity(["count by device over 1h", "distinct user_id by device over 1d"], memory_bytes=64 << 20)
    sizes = []
    started = time.thread_time()
    for begin in range(0, given.churn, 100_000):
        names = np.char.add("bot-", np.arange(begin, min(begin + 100_000, given.churn)).astype(str))
        batch = pa.table(
            {"user_id": names, "item_id": names, "device": names, "event_time": np.full(len(names), begin)}
        )
        churned.update(EventBatch.from_arrow(batch, time_unit="us"))
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    seconds, grown = time.thread_time() - started, sizes[-1] - sizes[len(sizes) // 2]
    used = churned.memory_used / 2**20
    print(f"churn: {given.churn:,} devices of one event each in {seconds:.1f} s; {used:.0f} MiB of 64 in use,")
    print(f"  {churned.keys:,} keys held; the process's peak grew by {grown:.0f} MiB over the second half")


if __name__ == "__main__":
    main()
