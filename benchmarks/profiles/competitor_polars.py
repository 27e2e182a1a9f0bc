"""polars: one lazy query a group of features, collected together."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.profiles import log as logs
from benchmarks.profiles.features import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DAY_US = 86_400_000_000


class Competitor(Base):
    """Makes a frame of Arrow, whose strings stay strings and whose dictionaries are categoricals."""

    packages: ClassVar[tuple[str, ...]] = ("polars",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        os.environ["POLARS_MAX_THREADS"] = str(threads)  # read when polars is loaded
        self._pl = importlib.import_module("polars")
        log = logs.load(inputs)
        self._as_of = logs.moment(log)
        self._log = log

    def run(self) -> Any:
        """Group by user, five times."""
        pl = self._pl
        time = pl.col("event_time")
        age = (pl.lit(self._as_of) - time).dt.total_microseconds() / (logs.HALF_LIFE_DAYS * _DAY_US)
        events = (
            pl.from_arrow(self._log)
            .lazy()
            .with_columns(
                decay=pl.lit(2.0) ** (-age),
                minor=(pl.col("value") * 100).round().cast(pl.Int64),
                weight=pl.col("type").replace_strict(logs.WEIGHTS, default=0.0, return_dtype=pl.Float64),
            )
        )
        bought, back = pl.col("type") == "buy", pl.col("type") == "refund"
        counted = events.group_by("user_id").agg(
            pl.len().cast(pl.Int64).alias("n_events"),
            *((pl.col("type") == name).sum().cast(pl.Int64).alias(f"count_{name}") for name in logs.TYPES),
            pl.col("item_id").drop_nulls().n_unique().cast(pl.Int64).alias("n_items"),
            time.dt.date().n_unique().cast(pl.Int64).alias("active_days"),
            pl.col("session_id").n_unique().cast(pl.Int64).alias("n_sessions"),
            time.min().alias("first_event"),
            time.max().alias("last_event"),
            time.filter(bought).max().alias("last_purchase"),
            pl.col("minor").filter(bought).sum().alias("spend_gross"),
            pl.col("minor").filter(back).sum().alias("spend_refunded"),
            pl.col("minor").filter(bought).min().alias("spend_min"),
            pl.col("minor").filter(bought).max().alias("spend_max"),
            ((pl.col("minor") * pl.col("decay")).filter(bought).sum()
             - (pl.col("minor") * pl.col("decay")).filter(back).sum()).alias("spend_decayed"),
        )  # fmt: skip
        orders = events.filter(bought).select("user_id", "event_time").unique().sort("user_id", "event_time")
        gaps = orders.group_by("user_id").agg(
            pl.len().cast(pl.Int64).alias("n_orders"),
            (time.diff().dt.total_microseconds() / _DAY_US).median().alias("gap_median"),
        )
        hours = (
            events.with_columns(hour=((time.dt.weekday().cast(pl.Int64) - 1) * 24 + time.dt.hour()))
            .group_by("user_id", "hour")
            .agg(pl.len().cast(pl.Int64).alias("hour_count"))
            .sort("user_id", "hour")
            .group_by("user_id")
            .agg(pl.col("hour").alias("hours"), pl.col("hour_count").alias("hour_counts"))
        )
        joined = (
            counted.join(gaps, on="user_id", how="left")
            .join(hours, on="user_id", how="left")
            .join(self._interest(events, "category", "categories"), on="user_id", how="left")
            .join(self._interest(events, "brand", "brands"), on="user_id", how="left")
            .with_columns(pl.col("n_orders").fill_null(0))
            .sort("user_id")
            .collect()
        )
        buyers = joined.filter(pl.col("n_orders") > 0).select(
            "user_id",
            rfm_r=6 - self._score(pl.lit(self._as_of) - pl.col("last_purchase")),
            rfm_f=self._score(pl.col("n_orders")),
            rfm_m=self._score(pl.col("spend_gross") - pl.col("spend_refunded")),
        )
        return joined.join(buyers, on="user_id", how="left", maintain_order="left")

    def save(self, result: Any, path: Path) -> None:
        """Write the compared features."""
        pl = self._pl
        empty = {
            "categories": pl.String,
            "brands": pl.String,
            "category_weights": pl.Float64,
            "brand_weights": pl.Float64,
        }
        filled = [pl.col(name).fill_null(pl.lit([], dtype=pl.List(kind))) for name, kind in empty.items()]
        result.with_columns(filled).select(COLUMNS).write_parquet(path)

    def _interest(self, events: Any, name: str, plural: str) -> Any:
        pl = self._pl
        return (
            events.filter(pl.col(name).is_not_null())
            .group_by("user_id", name)
            .agg((pl.col("weight") * pl.col("decay")).sum().alias("liking"))
            .filter(pl.col("liking") > 0)
            .sort(["user_id", "liking", name], descending=[False, True, False])
            .group_by("user_id", maintain_order=True)
            .head(logs.TOP)
            .group_by("user_id")
            .agg(pl.col(name).alias(plural), pl.col("liking").alias(f"{name}_weights"))
        )

    def _score(self, values: Any) -> Any:
        # Ties share (n_< + n_=/2); of an average rank that is rank - 1/2.
        place = (values.rank("average") - 0.5) / self._pl.len()
        return 1 + (5 * place).floor().clip(upper_bound=4).cast(self._pl.Int64)
