"""pandas: groupby over categoricals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.profiles import log as logs
from benchmarks.profiles.features import COLUMNS, REAL, WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DAY = pd.Timedelta(days=1)


class Competitor(Base):
    """Makes a frame of Arrow, whose texts are categoricals: dictionaries are that already."""

    packages: ClassVar[tuple[str, ...]] = ("pandas", "numpy")

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        log = logs.load(inputs)
        self._as_of = logs.moment(log)
        self._log = log

    def run(self) -> Any:
        """Group by user, over and over."""
        taken = self._log.to_pandas(strings_to_categorical=True)
        frame = taken.assign(
            decay=np.exp2(-((self._as_of - taken["event_time"]) / (logs.HALF_LIFE_DAYS * _DAY))),
            minor=(taken["value"] * 100).round().fillna(0).astype("int64"),
            weight=taken["type"].map(logs.WEIGHTS).astype("float64").fillna(0.0),
        )
        by_user = frame.groupby("user_id", observed=True)
        bought, back = frame[frame["type"] == "buy"], frame[frame["type"] == "refund"]
        money = bought.groupby("user_id", observed=True)["minor"]
        decayed = frame["minor"] * frame["decay"] * ((frame["type"] == "buy") * 1.0 - (frame["type"] == "refund") * 1.0)
        table = by_user.agg(
            n_events=("event_time", "size"),
            n_items=("item_id", "nunique"),
            n_sessions=("session_id", "nunique"),
            first_event=("event_time", "min"),
            last_event=("event_time", "max"),
        )
        counts = frame.groupby(["user_id", "type"], observed=True).size().unstack(fill_value=0)
        for name in logs.TYPES:
            table[f"count_{name}"] = counts.get(name, 0)
        table["active_days"] = frame["event_time"].dt.floor("D").groupby(frame["user_id"], observed=True).nunique()
        table["spend_decayed"] = decayed.groupby(frame["user_id"], observed=True).sum()
        table = table.join(money.agg(spend_gross="sum", spend_min="min", spend_max="max"))
        table["spend_refunded"] = back.groupby("user_id", observed=True)["minor"].sum()
        table["last_purchase"] = bought.groupby("user_id", observed=True)["event_time"].max()
        orders = bought[["user_id", "event_time"]].drop_duplicates().sort_values(["user_id", "event_time"])
        table["n_orders"] = orders.groupby("user_id", observed=True).size()
        gap = orders["event_time"].diff().where(orders["user_id"] == orders["user_id"].shift()) / _DAY
        table["gap_median"] = gap.groupby(orders["user_id"], observed=True).median()
        for name in ("n_orders", "spend_gross", "spend_refunded"):
            table[name] = table[name].fillna(0).astype("int64")
        hour = frame["event_time"].dt.day_of_week * 24 + frame["event_time"].dt.hour
        hours = frame.groupby(["user_id", hour.rename("hour")], observed=True).size().reset_index(name="count")
        table["hours"] = _lists(hours, "hour", table.index)
        table["hour_counts"] = _lists(hours, "count", table.index)
        for name, plural in (("category", "categories"), ("brand", "brands")):
            liking = (frame["weight"] * frame["decay"]).groupby([frame["user_id"], frame[name]], observed=True).sum()
            liked = liking[liking > 0].rename("liking").reset_index()
            best = (
                liked.sort_values(["user_id", "liking"], ascending=[True, False])
                .groupby("user_id", observed=True)
                .head(5)
            )
            table[plural] = _lists(best, name, table.index)
            table[f"{name}_weights"] = _lists(best, "liking", table.index)
        buyers = table[table["n_orders"] > 0]
        table["rfm_r"] = 6 - _score(self._as_of - buyers["last_purchase"])
        table["rfm_f"] = _score(buyers["n_orders"])
        table["rfm_m"] = _score(buyers["spend_gross"] - buyers["spend_refunded"])
        return table

    def save(self, result: Any, path: Path) -> None:
        """Write the compared features."""
        result = result.reset_index()
        result["user_id"] = result["user_id"].astype(str)
        result = result.sort_values("user_id")
        for name in WHOLE:
            result[name] = result[name].astype("Int64")
        for name in REAL:
            result[name] = result[name].astype("Float64")
        table = pa.Table.from_pandas(result[COLUMNS], preserve_index=False)
        for name in ("hours", "hour_counts"):
            table = table.set_column(COLUMNS.index(name), name, table.column(name).cast(pa.list_(pa.int64())))
        pq.write_table(table, path)


def _lists(rows: Any, name: str, users: Any) -> Any:
    """Lists of a column by user, of rows that are sorted by user."""
    codes = users.get_indexer(rows["user_id"])
    ends = np.cumsum(np.bincount(codes, minlength=len(users)))
    values = rows[name].to_numpy() if rows[name].dtype != "category" else rows[name].astype(object).to_numpy()
    return np.array([*np.split(values, ends[:-1]), None], dtype=object)[:-1]


def _score(values: Any) -> Any:
    place = (values.rank(method="average") - 0.5) / len(values)
    return 1 + np.minimum(np.floor(5 * place), 4)
