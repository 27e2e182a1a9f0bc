"""recocore: `profiles.build`, which computes more than is asked here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.profiles import log as logs
from benchmarks.profiles.features import COLUMNS
from recocore.profiles import ProfileConfig, build

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Base):
    """Takes Arrow."""

    packages: ClassVar[tuple[str, ...]] = ("recocore", "pyarrow")

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        pa.set_cpu_count(threads)
        self._log = logs.load(inputs)
        self._as_of = logs.moment(self._log)
        self._threads = threads
        self._config = ProfileConfig(weights=logs.WEIGHTS, dimensions=("category", "brand"), top=logs.TOP)

    def run(self) -> Any:
        """Build the profiles."""
        return build(self._log, self._as_of, self._config, num_threads=self._threads)

    def save(self, result: Any, path: Path) -> None:
        """Write the compared features."""
        table = result.table
        for column, plural, name in (
            ("interest_category", "categories", "category"),
            ("interest_brand", "brands", "brand"),
        ):
            lists = table.column(column).combine_chunks()
            table = table.append_column(plural, _part(lists, "name"))
            table = table.append_column(f"{name}_weights", _part(lists, "weight"))
        hours = table.column("active_hours").combine_chunks()
        table = table.append_column("hours", _part(hours, "hour").cast(pa.list_(pa.int64())))
        table = table.append_column("hour_counts", _part(hours, "count"))
        pq.write_table(table.select(COLUMNS), path)


def _part(lists: Any, name: str) -> Any:
    return pa.ListArray.from_arrays(lists.offsets, pc.struct_field(lists.values, name))
