"""The search of many_factors on a small log: it finds terms, and its rows say what was fitted."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from benchmarks.als.many_factors import Terms, drawn, measure
from benchmarks.als.quality import keep
from benchmarks.datasets import DATASETS, Dataset

from recocore import Interactions
from recocore.data import hold_out
from recocore.models import ALS, popularity_weights
from recocore.models.als_scale import DataScale

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from recocore.data import Split


def groups() -> Interactions:
    """Users like items of their own group."""
    rng = np.random.default_rng(1)
    own = np.arange(60)[:, None] % 4 == np.arange(40) % 4
    met = rng.random((60, 40)) < np.where(own, 0.6, 0.05)
    return Interactions.from_csr(sp.csr_matrix(met.astype(np.float32)))


def test_the_defaults_are_those_of_als() -> None:
    data = groups()
    plain = ALS(factors=4, iterations=2).fit(data)
    assert (Terms().fit(data, 4, 2).user_factors == plain.user_factors).all()
    weights = popularity_weights(data, 0.5)
    scale = DataScale(data.matrix, weights)
    alpha0 = scale.alpha0(30)
    expected = ALS(4, scale.regularization(2, alpha0, 0.8), alpha0, 0.8, iterations=2).fit(data, weights=weights)
    assert (Terms(30, 2, 0.8, 0.5).fit(data, 4, 2).user_factors == expected.user_factors).all()


def test_terms_are_drawn_evenly_and_anew_by_the_seed() -> None:
    assert drawn(1, 0) == [Terms()]
    found = drawn(9, 0)
    assert len(set(found)) == 9
    assert found[0] == Terms()
    assert found == drawn(9, 0) != drawn(9, 1)
    assert all(20 <= one.unseen <= 120 and 0.7 <= one.pull <= 4 and one.power <= 0.5 for one in found[1:])


def test_a_row_for_each_number_of_factors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def split(interactions: Interactions) -> Split:
        return hold_out(interactions, 0.2, seed=0)

    monkeypatch.setitem(DATASETS, "groceries", Dataset("", "made up", lambda _: split(groups()), split))
    rows = measure("groceries", tmp_path, trials=3, seeds=2, epochs=6, searched=4, factors=(4, 8))
    assert [row.parameters["factors"] for row in rows] == [4, 8]
    assert all(row.recall > 0.5 and row.seeds == 2 and row.users == 60 for row in rows)
    keep(tmp_path / "rows.json", "groceries", rows, 3, 6, ["recocore"])
    kept = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))["groceries"]
    assert (kept["trials"], kept["epochs"]) == (3, 6)
    assert kept["rows"] == [asdict(row) for row in rows]
