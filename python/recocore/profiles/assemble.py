"""From the native pass's arrays to the documented columns; what a population decides is added here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from recocore import _native
from recocore.profiles.columns import arrow_names, done_in_threads
from recocore.profiles.config import TAG
from recocore.profiles.cuts import LEVELS, CutPoints, apply_cuts, fit_cuts
from recocore.profiles.plan import offers_by_name
from recocore.profiles.schema import LIFECYCLE, profile_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from recocore.profiles.config import ProfileConfig
    from recocore.profiles.plan import NativeOffers
    from recocore.types import AnyArray, Float64Array, Int64Array

    # Names by code: Arrow strings of all users' codes, or Python's of a few.
    NamesByCode: TypeAlias = pa.Array | Sequence[str]

_NONE = np.iinfo(np.int64).min
_DAY_US = 86_400_000_000
_HOURS = 168
_BANDS = tuple(str(band) for band in range(1, 256))

# The columns that the native pass makes as they are.
_AS_THEY_ARE = (
    "n_events", "n_items", "active_days", "first_event", "last_event", "n_purchases", "n_orders", "n_refunds", "quantity",
    "first_purchase", "last_purchase", "spend_gross", "spend_refunded", "spend_min", "spend_max", "spend_decayed",
    "price_percentile", "gap_median", "gap_iqr", "gap_q90", "regularity", "n_sessions", "dwell_ms", "n_transitions",
    "n_searches", "n_discounted", "discount_saved",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The names of the codes of a native result."""

    dimensions: tuple[NamesByCode, ...]
    query: NamesByCode
    path: NamesByCode


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


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Names by code; -1 is none."""

    codes: AnyArray
    names: NamesByCode

    def arrow(self) -> pa.Array:
        """The names of all."""
        names = self.names if isinstance(self.names, pa.Array) else pa.array(self.names, pa.string())
        return names.take(pa.array(self.codes, mask=self.codes < 0))


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """A list of structs for each user: how many, and the fields of all in turn."""

    sizes: AnyArray
    fields: Mapping[str, AnyArray | Coded]

    def arrow(self) -> pa.Array:
        """The lists of all users."""
        offsets = np.zeros(len(self.sizes) + 1, np.int32)
        np.cumsum(self.sizes, out=offsets[1:])
        arrays = [field.arrow() if isinstance(field, Coded) else pa.array(field) for field in self.fields.values()]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(arrays, names=list(self.fields)))


def features(
    native: dict[str, Any],
    names: Names,
    config: ProfileConfig,
    as_of: int,
    cuts: CutPoints,
    send: tuple[AnyArray, AnyArray],
    num_threads: int = 1,
) -> dict[str, Any]:
    """Every column but the ids, as arrays.

    `send` are the first hours and shares of the best windows.
    """
    made: dict[str, Any] = {name: native[name] for name in _AS_THEY_ARE}
    for name, counts in zip((*config.all_types, "other"), native["type_counts"], strict=True):
        made[f"count_{name}"] = counts
    for counts in native["type_counts"][len(config.types) : -1]:
        made["count_other"] = made["count_other"] + counts  # types that are named, but have no column
    made["spend_net"] = native["spend_gross"] - native["spend_refunded"]
    made["lifecycle"] = Coded(np.where(native["lifecycle"] == _NONE, -1, native["lifecycle"]), LIFECYCLE)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "scores": partial(_scores, native, as_of, cuts),
        "paths": partial(_paths_and_terms, native, names),
        "hours": partial(_hours, native, send),
        "shares": partial(_shares, native),
        "btyd": partial(_btyd, native),
    }
    for place, name in enumerate(config.interests):
        interest_names = _interest_names(name, native, names, config)
        parts[f"interest_{name}"] = partial(_interest, name, native["interests"][place], interest_names)
    for part in done_in_threads(parts, num_threads).values():
        made |= part
    return made


def _interest_names(name: str, native: dict[str, Any], names: Names, config: ProfileConfig) -> NamesByCode:
    if name == "price_band":
        return _BANDS
    # The codes of the native result are those of tags, not of the sets that events have.
    return arrow_names(native["tag_names"]) if name == TAG else names.dimensions[config.dimensions.index(name)]


def to_table(made: dict[str, Any], user_ids: pa.Array, config: ProfileConfig, num_threads: int = 1) -> pa.Table:
    """The profile table of the users that have an event."""
    schema = profile_schema(config, user_ids.type)
    fields = list(schema)[1:]
    # Lists take longest: each is a task; numbers are quick, and together one.
    tasks: dict[str, Callable[[], Any]] = {
        field.name: made[field.name].arrow for field in fields if isinstance(made[field.name], (Lists, Coded))
    }
    numbers = [field for field in fields if field.name not in tasks]
    tasks["numbers"] = lambda: [_arrow(made[field.name], field.type) for field in numbers]
    done = done_in_threads(tasks, num_threads)
    done |= zip((field.name for field in numbers), done["numbers"], strict=True)
    table = pa.table([user_ids, *(done[field.name] for field in fields)], schema=schema)
    seen = made["n_events"] > 0
    return table if seen.all() else table.filter(pa.array(seen))


def _arrow(values: Any, kind: pa.DataType) -> pa.Array:
    if kind.bit_width != 64:
        return pa.array(values, pa.int64(), mask=values == _NONE).cast(kind)
    # The values as they lie there: their copies and masks took pyarrow as long as all else here.
    real = pa.types.is_floating(kind)
    values = np.ascontiguousarray(values, np.float64 if real else np.int64)
    present = ~np.isnan(values) if real else values != _NONE
    bits = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bits, pa.py_buffer(values)])


def _rfm(native: dict[str, Any], as_of: int) -> tuple[Float64Array, Int64Array, Int64Array]:
    """Recency in days, orders, net spend; meaningless without a purchase."""
    last = np.where(native["n_purchases"] > 0, native["last_purchase"], as_of)
    return (as_of - last) / _DAY_US, native["n_orders"], native["spend_gross"] - native["spend_refunded"]


def _scores(native: dict[str, Any], as_of: int, cuts: CutPoints) -> dict[str, Any]:
    bought = native["n_purchases"] > 0
    recency, frequency, monetary = _rfm(native, as_of)
    made: dict[str, Any] = {
        "rfm_recency": np.where(bought, recency, np.nan),
        "rfm_frequency": np.where(bought, frequency, _NONE),
        "rfm_monetary": np.where(bought, monetary, _NONE),
    }
    made["rfm_r"] = np.where(bought, len(cuts.recency) + 2 - apply_cuts(recency, cuts.recency), _NONE)
    made["rfm_f"] = np.where(bought, apply_cuts(frequency, cuts.frequency), _NONE)
    made["rfm_m"] = np.where(bought, apply_cuts(monetary, cuts.monetary), _NONE)
    made["level"] = np.where(bought, apply_cuts(native["spend_decayed"], cuts.level), _NONE)
    return made


def _by_user(array: AnyArray, users: int) -> AnyArray:
    return array.reshape(users, len(array) // max(1, users))


def _interest(name: str, native: Any, names: NamesByCode) -> dict[str, Any]:
    codes, weights, total, truncated = native
    codes, weights = _by_user(codes, len(total)), _by_user(weights, len(total))
    present = codes >= 0
    fields: dict[str, AnyArray | Coded] = {"name": Coded(codes[present], names), "weight": weights[present]}
    return {
        f"interest_{name}": Lists(present.sum(axis=1), fields),
        f"interest_{name}_total": total,
        f"interest_{name}_truncated": truncated,
    }


def send_windows(native: dict[str, Any], rule: dict[str, Any], num_threads: int = 0) -> tuple[AnyArray, AnyArray]:
    """First hours and shares of the best windows, by a rule of `send_rule`."""
    begins, hours, counts = native["hours"]
    return _native.send_windows(begins, hours, counts, rule, num_threads)


def _hours(native: dict[str, Any], send: tuple[AnyArray, AnyArray]) -> dict[str, Any]:
    begins, hours, counts = native["hours"]
    starts, shares = send
    return {
        "active_hours": Lists(np.diff(begins), {"hour": hours, "count": counts}),
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
        "paths": Lists(
            taken.sum(axis=1),
            {"from": Coded(start[taken], names.path), "to": Coded(end[taken], names.path), "count": steps[taken]},
        ),
        "search_terms": Lists(
            searched.sum(axis=1), {"term": Coded(terms[searched], names.query), "count": term_counts[searched]}
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
