"""Profiles drawn at random in the documented columns, for what reads profiles and does not care how they came about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from recocore.profiles import CutPoints, ProfileConfig, ProfileTable, profile_schema
from recocore.profiles.schema import LIFECYCLE

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
_AS_OF_US = int(AS_OF.timestamp()) * 1_000_000
_DAY = 86_400_000_000


def made_up(users: int = 400, seed: int = 0, names: tuple[str, ...] = ("tea", "<b>coffee</b>", "mugs")) -> ProfileTable:
    """Profiles of three kinds of users: those who look, regulars, and those who spend a lot."""
    rng = np.random.default_rng(seed)
    config = ProfileConfig()
    schema = profile_schema(config)
    kind = rng.choice(3, users, p=[0.5, 0.35, 0.15])
    orders = np.where(kind == 0, 0, rng.poisson(np.array([0, 3, 15])[kind]) + 1)
    bought = orders > 0
    last, age = rng.exponential(np.array([120, 30, 8])[kind]), rng.uniform(100, 600, users)
    spend = np.round(orders * rng.lognormal(7 + kind, 0.6)).astype(np.int64)
    events = orders * 4 + rng.poisson(12, users) + 1
    known: dict[str, Any] = {
        "user_id": [f"u{row:05d}" for row in range(users)],
        "n_events": events,
        "n_orders": orders,
        "n_purchases": orders,
        "n_sessions": events // 4 + 1,
        "active_days": np.minimum(events, 40),
        "spend_gross": spend,
        "spend_refunded": spend // 50,
        "spend_net": spend - spend // 50,
        "discount_affinity": rng.uniform(0, 1, users),
        "last_event": (_AS_OF_US - np.minimum(last, age) * _DAY).astype(np.int64),
        "first_event": (_AS_OF_US - age * _DAY).astype(np.int64),
        "lifecycle": rng.choice(LIFECYCLE, users),
        "rfm_recency": pa.array(np.minimum(last, age), mask=~bought),
        "rfm_frequency": pa.array(orders, mask=~bought),
        "rfm_monetary": pa.array(spend, mask=~bought),
        **{f"rfm_{letter}": pa.array(rng.integers(1, 6, users), mask=~bought) for letter in "rfm"},
        "level": pa.array(rng.integers(1, 101, users), mask=~bought),
        "btyd_frequency": pa.array(np.maximum(orders - 1, 0), mask=~bought),
        "btyd_recency": pa.array(np.where(orders > 1, age - np.minimum(last, age), 0.0), mask=~bought),
        "btyd_t": pa.array(age, mask=~bought),
        "btyd_mean_spend": pa.array(spend / np.maximum(orders, 1) + 1.0, mask=orders < 2),
        "active_hours": [
            [
                {"hour": int(hour), "count": int(count)}
                for hour, count in zip(*np.unique(drawn % 168, return_counts=True), strict=True)
            ]
            for drawn in rng.normal(45, 30, (users, 6)).astype(int)
        ],
    }
    for name in config.interests:
        known[f"interest_{name}"] = [[{"name": str(rng.choice(names)), "weight": 3.0}] for _ in range(users)]
        known[f"interest_{name}_total"] = np.full(users, 4.0)
    defaults: dict[str, Any] = {"int64": 0, "double": 0.5, "string": "x"}
    columns = []
    for field in schema:
        values = known.get(field.name)
        if values is None:
            values = [[] if pa.types.is_list(field.type) else defaults.get(str(field.type))] * users
        columns.append(values.cast(field.type) if isinstance(values, pa.Array) else pa.array(values, field.type))
    cuts = CutPoints((1.0,) * 4, (1.0,) * 4, (1.0,) * 4, (1.0,) * 99)
    return ProfileTable(pa.Table.from_arrays(columns, schema=schema), _AS_OF_US, config, cuts, "EUR", 2)
