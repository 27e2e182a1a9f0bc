"""A configuration as the native pass takes it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from recocore.profiles.config import ProfileConfig
    from recocore.profiles.cuts import CutPoints
    from recocore.profiles.zones import Zone
    from recocore.types import Int64Array

    NativeOffers = tuple[Int64Array, Int64Array, Int64Array]

_US = timedelta(microseconds=1)
_PURCHASE, _REFUND, _SEARCH, _PASSIVE = 1, 2, 4, 8


def native_plan(config: ProfileConfig, as_of: int, zones: Sequence[Zone]) -> dict[str, Any]:
    """The keywords of the extension's plan."""
    types = config.all_types
    roles = [
        _PURCHASE * (name in config.purchase_types)
        | _REFUND * (name in config.refund_types)
        | _SEARCH * (name in config.search_types)
        | _PASSIVE * (name in config.passive_types)
        for name in types
    ]
    lives = [config.half_life_of(name) for name in (*config.dimensions, "price_band", "spend")]
    return {
        "as_of": as_of,
        "window": 0 if config.window is None else config.window // _US,
        "weights": [*(float(config.weights.get(name, 0.0)) for name in types), 0.0],
        "roles": [*roles, 0],
        "half_lives": [float(life // _US) for life in lives],
        "dimensions": len(config.dimensions),
        "category": config.dimensions.index("category") if "category" in config.dimensions else -1,
        "tags": config.tag_dimension,
        "price_bands": config.price_bands if "category" in config.dimensions else 0,
        "top": config.top,
        "at_risk_gaps": config.at_risk_gaps,
        "session_gap": config.session_gap // _US,
        "active_within": config.active_within // _US,
        "dormant_after": config.dormant_after // _US,
        "lost_after": config.lost_after // _US,
        "zones": list(zones),
    }


def send_rule(config: ProfileConfig, hours: Sequence[float]) -> dict[str, Any]:
    """The keywords of the extension's rule for send windows; `hours` are the population's shares of the week."""
    whole = sum(config.hour_kernel)
    return {
        "prior": list(hours) if len(hours) else [1 / 168] * 168,
        "prior_weight": float(config.hour_prior),
        "kernel": [weight / whole for weight in config.hour_kernel],
        "window": config.send_window,
        "quiet_from": config.quiet_hours[0] % 24,
        "quiet_to": config.quiet_hours[1] % 24,
    }


def native_offers(cuts: CutPoints, category_names: Iterable[str]) -> NativeOffers:
    """Frozen offers by the codes of these categories."""
    begins, prices, items = [0], list[int](), list[int]()
    for name in category_names:
        offered, counts = cuts.offers.get(name, ((), ()))
        prices.extend(offered)
        items.extend(counts)
        begins.append(len(prices))
    return np.array(begins, np.int64), np.array(prices, np.int64), np.array(items, np.int64)


def offers_by_name(
    offers: NativeOffers, category_names: pa.Array
) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Fitted offers as cut points keep them."""
    begins, prices, items = (array.tolist() for array in offers)
    return {
        name: (tuple(prices[begin:end]), tuple(items[begin:end]))
        for name, begin, end in zip(category_names.to_pylist(), begins[:-1], begins[1:], strict=True)
        if end > begin
    }
