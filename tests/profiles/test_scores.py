"""RFM, cut points, and profiles in files."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.profiles.logs import START, as_batch, made_up

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.profiles import CutPoints, ProfileConfig, ProfileTable, Updater, build, profile_schema, rfm, rfm_cuts

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = START + timedelta(days=120)

# Ten customers, written out. p of recency 2 is (0 + 1/2·2)/10 = 0.1, of 5 is 0.25, ..., so scores follow by hand.
TEN = pa.table(
    {
        "user_id": list("abcdefghij"),
        "recency": [2.0, 2.0, 5.0, 9.0, 9.0, 9.0, 30.0, 31.0, 90.0, 400.0],
        "frequency": [9, 1, 1, 1, 1, 1, 1, 2, 3, 1],
        "monetary": [100, 90, 80, 70, 60, 50, 40, 30, 20, 10],
    }
)


def test_rfm_of_a_table_written_out() -> None:
    scored = rfm(TEN, bins=5)
    # p: .1 .1 .25 .45 .45 .45 .65 .75 .85 .95 → 1 1 2 3 3 3 4 4 5 5, reversed.
    assert scored.column("r").to_pylist() == [5, 5, 4, 3, 3, 3, 2, 2, 1, 1]
    # Seven of ten bought once: p = .35 → 2; twice .75 → 4; three times .85 → 5; nine times .95 → 5.
    assert scored.column("f").to_pylist() == [5, 2, 2, 2, 2, 2, 2, 4, 5, 2]
    assert scored.column("m").to_pylist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert scored.column("rfm").to_pylist()[:2] == ["5-5-5", "5-2-5"]


@pytest.mark.parametrize("bins", [1, 2, 3, 5, 10])
def test_ties_share_a_score_and_frozen_cuts_give_it_again(bins: int) -> None:
    rng = np.random.default_rng(bins)
    users = pa.table(
        {
            "user_id": np.arange(500),
            "recency": rng.integers(0, 40, 500) / 4,
            "frequency": rng.geometric(0.6, 500),
            "monetary": rng.integers(-50, 50, 500),
        }
    )
    scored = rfm(users, bins=bins)
    assert rfm(users, cuts=rfm_cuts(users, bins)).equals(scored)
    for raw, score in (("recency", "r"), ("frequency", "f"), ("monetary", "m")):
        assert (
            len(pc.unique(scored.column(raw)))
            == scored.select([raw, score]).group_by([raw, score]).aggregate([]).num_rows
        )
        assert 1 <= pc.min(scored.column(score)).as_py() <= pc.max(scored.column(score)).as_py() <= bins


def test_custom_cuts() -> None:
    cuts = CutPoints(recency=(7.0, 60.0), frequency=(2.0, 5.0), monetary=(50.0,))
    scored = rfm(TEN, cuts=cuts)
    assert scored.column("r").to_pylist() == [3, 3, 3, 2, 2, 2, 2, 2, 1, 1]
    assert scored.column("f").to_pylist() == [3, 1, 1, 1, 1, 1, 1, 2, 2, 1]
    assert scored.column("m").to_pylist() == [2] * 6 + [1] * 4
    events = as_batch(made_up(30, 600, seed=1))
    table = build(events, AS_OF, ProfileConfig(cuts=cuts))
    assert table.cuts.recency == cuts.recency
    assert len(table.cuts.level) == 99  # what was not given is fitted
    from_table = rfm(table, cuts=cuts)
    rows = table.table.filter(pc.is_valid(table.column("rfm_r")))
    assert from_table.column("r").to_pylist() == rows.column("rfm_r").to_pylist()
    assert set(rows.column("rfm_m").to_pylist()) <= {1, 2}


def test_the_scores_of_a_table_are_those_of_rfm() -> None:
    table = build(as_batch(made_up(60, 600, seed=1)), AS_OF)
    scored = rfm(table)
    rows = table.table.filter(pc.is_valid(table.column("rfm_r")))
    assert scored.column("user_id").to_pylist() == rows.column("user_id").to_pylist()
    for score in "rfm":
        assert scored.column(score).to_pylist() == rows.column(f"rfm_{score}").to_pylist()


def test_frozen_cuts_score_newcomers_alike() -> None:
    events = made_up(50, 900, seed=8)
    base = build(as_batch(events), AS_OF)
    config = ProfileConfig(cuts=base.cuts)
    more = [*events, *({**event, "user_id": f"new{event['user_id']}"} for event in made_up(9, 100, seed=3))]
    again = build(as_batch(more), AS_OF, config)
    assert again.cuts == base.cuts
    assert again.row("u7") == base.row("u7")
    updater = Updater(config)
    updater.update(as_batch(more))
    assert updater.table(AS_OF).table.equals(again.table)


def test_rfm_refuses_what_it_cannot_score() -> None:
    with pytest.raises(InvalidArgumentError, match="monetary is missing"):
        rfm(TEN.drop_columns(["monetary"]))
    with pytest.raises(InvalidArgumentError, match="finite numbers in recency"):
        rfm(TEN.set_column(1, "recency", pa.array([None, *range(9)], pa.float64())))
    with pytest.raises(InvalidArgumentError, match="bins"):
        rfm(TEN, bins=0)
    with pytest.raises(InvalidArgumentError, match="ascending"):
        CutPoints(monetary=(5.0, 1.0))


def test_profiles_in_files(tmp_path: Path) -> None:
    table = build(as_batch(made_up(20, 300, seed=2)), AS_OF)
    table.save(tmp_path / "profiles.parquet")
    again = ProfileTable.load(tmp_path / "profiles.parquet")
    assert again.table.equals(table.table)
    assert (again.as_of, again.config, again.cuts, again.currency) == (table.as_of, table.config, table.cuts, "EUR")
    assert again.cuts.version == table.cuts.version
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    with pytest.raises(CorruptError, match="got another Parquet file"):
        ProfileTable.load(tmp_path / "other.parquet")
    with pytest.raises(NotFoundError):
        ProfileTable.load(tmp_path / "absent.parquet")


def test_the_schema_is_the_documented_one() -> None:
    config = ProfileConfig(dimensions=("brand",))
    table = build(as_batch(made_up(5, 100, seed=2)), AS_OF, config)
    assert table.table.schema.equals(profile_schema(config), check_metadata=True)
    assert all(field.metadata[b"about"] for field in list(table.table.schema)[1:])
    with pytest.raises(NotFoundError, match="expected a column of profiles"):
        table.column("interest_category")
