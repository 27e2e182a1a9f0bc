"""One user's profile in plain Python, from what the extension read: some microseconds, where columns take hundreds."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from recocore.profiles.schema import LIFECYCLE, TIME
from recocore.profiles.schema import columns as schema_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.profiles.config import ProfileConfig

_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RowMaker:
    """Makes rows of one configuration; each equals the row of the table that `assemble` makes, to the bit."""

    def __init__(self, config: ProfileConfig) -> None:
        columns = schema_columns(config)
        self._names = tuple(column.name for column in columns)
        self._pick = itemgetter(*self._names)
        self._times = tuple(column.name for column in columns if column.type == TIME)
        self._types = len(config.types)
        self._counts = tuple(f"count_{name}" for name in config.all_types)
        self._interests = tuple(
            (f"interest_{name}", f"interest_{name}_total", f"interest_{name}_truncated") for name in config.interests
        )
        self._cuts = config.cuts

    def row(self, read: dict[str, Any], user_id: str | int, as_of: int) -> dict[str, Any]:
        """The profile of a user of whom `read` was read."""
        counts = read["type_counts"]
        made = read
        made.update(zip(self._counts, counts, strict=False))
        # Types that are named, but have no column.
        made["count_other"] = sum(counts[self._types :])
        for names, interest in zip(self._interests, read["interests"], strict=True):
            made.update(zip(names, interest, strict=True))
        made["spend_net"] = read["spend_gross"] - read["spend_refunded"]
        self._score(made, as_of)
        life = read["lifecycle"]
        made["lifecycle"] = None if life is None else LIFECYCLE[life]
        _share(made)
        _btyd(made)
        for name in self._times:
            if made[name] is not None:
                made[name] = _EPOCH + timedelta(microseconds=made[name])
        row: dict[str, Any] = {"user_id": user_id}
        row.update(zip(self._names, self._pick(made), strict=True))
        return row

    def _score(self, made: dict[str, Any], as_of: int) -> None:
        for name in ("rfm_recency", "rfm_frequency", "rfm_monetary", "rfm_r", "rfm_f", "rfm_m", "level"):
            made[name] = None
        if not made["n_purchases"]:
            return
        recency = float(as_of - made["last_purchase"]) / _DAY_US
        made["rfm_recency"] = recency
        made["rfm_frequency"] = made["n_orders"]
        made["rfm_monetary"] = made["spend_net"]
        cuts = self._cuts
        if cuts is None:
            return
        made["rfm_r"] = len(cuts.recency) + 2 - _place(recency, cuts.recency)
        made["rfm_f"] = _place(made["n_orders"], cuts.frequency)
        made["rfm_m"] = _place(made["spend_net"], cuts.monetary)
        made["level"] = _place(made["spend_decayed"], cuts.level)


def _place(value: float, cuts: Sequence[float]) -> int:
    return 1 + bisect_right(cuts, float(value))


def _ratio(above: float, below: int) -> float | None:
    return float(above) / below if below > 0 else None


def _share(made: dict[str, Any]) -> None:
    sessions, bought = made["n_sessions"], made["n_purchases"]
    seconds = _ratio(made["session_us"], sessions)
    made["session_seconds"] = None if seconds is None else seconds / 1e6
    made["session_events"] = _ratio(made["n_events"], sessions)
    made["bounce_rate"] = _ratio(made["n_bounces"], sessions)
    made["dwell_mean_ms"] = _ratio(made["dwell_ms"], made["n_dwelt"])
    made["discount_affinity"] = _ratio(made["n_discounted"], bought)
    made["refund_rate"] = _ratio(made["n_refunds"], bought)
    made["refund_share"] = _ratio(made["spend_refunded"], made["spend_gross"])


def _btyd(made: dict[str, Any]) -> None:
    days = made["btyd_days"]
    made["btyd_frequency"] = days
    for name in ("btyd_recency", "btyd_t"):
        if made[name] is not None:
            made[name] = float(made[name])
    made["btyd_mean_spend"] = None if days is None else _ratio(made["btyd_repeat_spend"], days)
