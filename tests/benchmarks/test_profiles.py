"""The profiles scenario: what it takes for right, and what its own competitor answers."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from benchmarks.harness.scenario import UnavailableError, WrongResultError
from benchmarks.profiles.scenario import SCENARIO, Parameters

if TYPE_CHECKING:
    from pathlib import Path

TINY = Parameters("synthetic", 3_000)


def answered(competitor: str, inputs: Any, folder: Path) -> Path:
    module = importlib.import_module(SCENARIO.competitors()[competitor])
    made = module.Competitor(inputs.files, asdict(TINY), 1)
    made.save(made.run(), folder / f"{competitor}.parquet")
    return folder / f"{competitor}.parquet"


def test_all_competitors_give_the_same_profiles(tmp_path: Path) -> None:
    inputs = SCENARIO.prepare(TINY, tmp_path, tmp_path)
    ours = answered("recocore", inputs, tmp_path)
    SCENARIO.check(TINY, inputs, ours)
    for peer in ("pandas", "polars"):
        pytest.importorskip(peer)
        theirs = answered(peer, inputs, tmp_path)
        SCENARIO.check(TINY, inputs, theirs)
        SCENARIO.agree(TINY, theirs, ours)


@pytest.mark.parametrize(("column", "change"), [("spend_gross", 1), ("n_items", -1), ("spend_decayed", 1e-3)])
def test_a_wrong_figure_is_seen(tmp_path: Path, column: str, change: float) -> None:
    inputs = SCENARIO.prepare(TINY, tmp_path, tmp_path)
    ours = answered("recocore", inputs, tmp_path)
    table = pq.read_table(ours)
    values = [None if value is None else value + change for value in table.column(column).to_pylist()]
    field = table.schema.field(column)
    pq.write_table(table.set_column(table.column_names.index(column), field, [values]), tmp_path / "wrong.parquet")
    with pytest.raises(WrongResultError, match=column):
        SCENARIO.check(TINY, inputs, tmp_path / "wrong.parquet")
    with pytest.raises(WrongResultError, match=column):
        SCENARIO.agree(TINY, tmp_path / "wrong.parquet", ours)


def test_absent_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="online-retail"):
        SCENARIO.prepare(Parameters("online-retail"), tmp_path, tmp_path)
