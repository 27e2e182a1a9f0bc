"""From the native pass's arrays to the documented columns; what a population decides is added here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recocore import _native
from recocore.profiles.cuts import LEVELS, CutPoints, apply_cuts, fit_cuts
from recocore.profiles.plan import offers_by_name, send_rule
from recocore.profiles.schema import LIFECYCLE, TIME, profile_schema

if TYPE_CHECKING:
    from recocore.profiles.config import ProfileConfig
    from recocore.profiles.plan import NativeOffers
    from recocore.types import AnyArray, Float64Array, Int64Array

_NONE = np.iinfo(np.int64).min
_DAY_US = 86_400_000_000
_HOURS = 168
_LIVES = pa.array(LIFECYCLE, pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The names of the codes of a native result, as Arrow strings."""

    dimensions: tuple[pa.Array, ...]
    query: pa.Array
    path: pa.Array


def fitted_cuts(
    native: dict[str, Any], offers: NativeOffers, names: Names, config: ProfileConfig, as_of: int
) -> CutPoints:
    """The configuration's cut points; parts that it leaves empty are fitted to these users."""
    given = config.cuts or CutPoints()
    bought = native["n_purchases"] > 0
    raw = _rfm(native, as_of)
    fitted: dict[str, Any] = {}
    for name, values in zip(("recency", "frequency", "monetary"), raw, strict=True):
        if not getattr(given, name):
            fitted[name] = fit_cuts(values[bought], config.rfm_bins)
    if not given.level:
        fitted["level"] = fit_cuts(native["spend_decayed"][bought], LEVELS)
    if not given.hours:
        _, hours, counts = native["hours"]
        week = np.bincount(hours, weights=counts, minlength=_HOURS)
        fitted["hours"] = tuple((week / week.sum()).tolist()) if week.sum() else ()
    if not given.offers and "category" in config.dimensions:
        fitted["offers"] = offers_by_name(offers, names.dimensions[config.dimensions.index("category")])
    return dataclasses.replace(given, **fitted)


def assemble(
    native: dict[str, Any],
    user_ids: pa.Array,
    names: Names,
    config: ProfileConfig,
    as_of: int,
    cuts: CutPoints | None,
    num_threads: int = 0,
) -> pa.Table:
    """The profile table of the users that have an event; without cut points what they decide is null."""
    made: dict[str, Any] = {"user_id": user_ids}
    made["n_events"] = native["n_events"]
    for name, counts in zip((*config.all_types, "other"), native["type_counts"], strict=True):
        made[f"count_{name}"] = counts
    for counts in native["type_counts"][len(config.types) : -1]:
        made["count_other"] = made["count_other"] + counts  # types that are named, but have no column
    for name in ("n_items", "active_days", "n_purchases", "n_orders", "n_refunds", "quantity", "n_sessions",
                 "spend_gross", "spend_refunded", "spend_min", "spend_max", "dwell_ms", "n_transitions", "n_searches",
                 "n_discounted", "discount_saved"):  # fmt: skip
        made[name] = native[name]
    for name in ("spend_decayed", "price_percentile", "gap_median", "gap_iqr", "gap_q90", "regularity"):
        made[name] = native[name]
    made["spend_net"] = native["spend_gross"] - native["spend_refunded"]
    for name in ("first_event", "last_event", "first_purchase", "last_purchase"):
        made[name] = _integers(native[name]).cast(TIME)
    made |= _scores(native, as_of, cuts)
    for name, native_interest in zip(config.interests, native["interests"], strict=True):
        made |= _interest(name, native_interest, _names_of(name, names, config))
    made |= _hours(native, config, cuts, num_threads)
    lives = native["lifecycle"]
    made["lifecycle"] = _LIVES.take(pa.array(np.maximum(lives, 0), mask=lives == _NONE))
    made |= _shares(native)
    made |= _paths_and_terms(native, names)
    made |= _btyd(native)
    schema = profile_schema(config, user_ids.type)
    table = pa.table([_column(made[name], schema.field(name).type) for name in schema.names], schema=schema)
    seen = native["n_events"] > 0
    return table if seen.all() else table.filter(pa.array(seen))


def _names_of(interest: str, names: Names, config: ProfileConfig) -> pa.Array:
    if interest == "price_band":
        return pa.array([str(band) for band in range(1, config.price_bands + 1)], pa.string())
    return names.dimensions[config.dimensions.index(interest)]


def _column(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    made = _integers(values) if pa.types.is_integer(kind) else _reals(values)
    assert made.type == kind, (made.type, kind)
    return made


def _integers(values: Int64Array) -> pa.Array:
    absent = values == _NONE
    return pa.array(values, pa.int64(), mask=absent if absent.any() else None)


def _reals(values: Float64Array) -> pa.Array:
    absent = np.isnan(values)
    return pa.array(values, pa.float64(), mask=absent if absent.any() else None)


def _rfm(native: dict[str, Any], as_of: int) -> tuple[Float64Array, Int64Array, Int64Array]:
    """Recency in days, orders, net spend; meaningless without a purchase."""
    last = np.where(native["n_purchases"] > 0, native["last_purchase"], as_of)
    return (as_of - last) / _DAY_US, native["n_orders"], native["spend_gross"] - native["spend_refunded"]


def _scores(native: dict[str, Any], as_of: int, cuts: CutPoints | None) -> dict[str, Any]:
    bought = native["n_purchases"] > 0
    recency, frequency, monetary = _rfm(native, as_of)
    made: dict[str, Any] = {
        "rfm_recency": np.where(bought, recency, np.nan),
        "rfm_frequency": np.where(bought, frequency, _NONE),
        "rfm_monetary": np.where(bought, monetary, _NONE),
    }
    if cuts is None:
        nothing = np.full(len(bought), _NONE)
        return {**made, "rfm_r": nothing, "rfm_f": nothing, "rfm_m": nothing, "level": nothing}
    made["rfm_r"] = np.where(bought, len(cuts.recency) + 2 - apply_cuts(recency, cuts.recency), _NONE)
    made["rfm_f"] = np.where(bought, apply_cuts(frequency, cuts.frequency), _NONE)
    made["rfm_m"] = np.where(bought, apply_cuts(monetary, cuts.monetary), _NONE)
    made["level"] = np.where(bought, apply_cuts(native["spend_decayed"], cuts.level), _NONE)
    return made


def _listed(present: AnyArray, fields: dict[str, Any]) -> pa.Array:
    """Lists of structs from arrays `[users, top]`: the entries that are present."""
    sizes = present.sum(axis=1)
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    )


def _by_user(array: AnyArray, users: int) -> AnyArray:
    return array.reshape(users, len(array) // max(1, users))


def _interest(name: str, native: Any, names: pa.Array) -> dict[str, Any]:
    codes, weights, total, truncated = native
    codes, weights = _by_user(codes, len(total)), _by_user(weights, len(total))
    present = codes >= 0
    fields = {"name": names.take(pa.array(codes[present])), "weight": pa.array(weights[present])}
    return {
        f"interest_{name}": _listed(present, fields),
        f"interest_{name}_total": total,
        f"interest_{name}_truncated": truncated,
    }


def _hours(native: dict[str, Any], config: ProfileConfig, cuts: CutPoints | None, num_threads: int) -> dict[str, Any]:
    begins, hours, counts = native["hours"]
    rule = send_rule(config, () if cuts is None else cuts.hours)
    starts, shares = _native.send_windows(begins, hours, counts, rule, num_threads)
    return {
        "active_hours": pa.ListArray.from_arrays(
            pa.array(begins.astype(np.int32)),
            pa.StructArray.from_arrays([pa.array(hours), pa.array(counts)], names=["hour", "count"]),
        ),
        "send_hour": starts,
        "send_share": np.where(starts == _NONE, np.nan, shares),
    }


def _ratio(above: AnyArray, below: AnyArray) -> Float64Array:
    """Above / below, NaN where nothing is below."""
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)


def _shares(native: dict[str, Any]) -> dict[str, Any]:
    sessions, bought = native["n_sessions"], native["n_purchases"]
    return {
        "session_seconds": _ratio(native["session_us"], sessions) / 1e6,
        "session_events": _ratio(native["n_events"], sessions),
        "bounce_rate": _ratio(native["n_bounces"], sessions),
        "dwell_mean_ms": _ratio(native["dwell_ms"], native["n_dwelt"]),
        "discount_affinity": _ratio(native["n_discounted"], bought),
        "refund_rate": _ratio(native["n_refunds"], bought),
        "refund_share": _ratio(native["spend_refunded"], native["spend_gross"]),
    }


def _paths_and_terms(native: dict[str, Any], names: Names) -> dict[str, Any]:
    users = len(native["n_events"])
    start, end, steps = (_by_user(array, users) for array in native["paths"])
    terms, term_counts = (_by_user(array, users) for array in native["terms"])
    taken, searched = start >= 0, terms >= 0
    return {
        "paths": _listed(
            taken,
            {
                "from": names.path.take(pa.array(start[taken])),
                "to": names.path.take(pa.array(end[taken])),
                "count": pa.array(steps[taken]),
            },
        ),
        "search_terms": _listed(
            searched,
            {"term": names.query.take(pa.array(terms[searched])), "count": pa.array(term_counts[searched])},
        ),
    }


def _btyd(native: dict[str, Any]) -> dict[str, Any]:
    days = native["btyd_days"]
    bought = days != _NONE
    return {
        "btyd_frequency": days,
        "btyd_recency": np.where(bought, native["btyd_recency"], np.nan),
        "btyd_t": np.where(bought, native["btyd_t"], np.nan),
        "btyd_mean_spend": np.where(bought, _ratio(native["btyd_repeat_spend"], days), np.nan),
    }
