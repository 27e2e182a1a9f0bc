"""Association rules against mlxtend and SciPy."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import mlxtend.frequent_patterns as mlxtend
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from scipy.stats import chi2_contingency
from tests.real_data import data_set

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops import AssociationRules, association_rules
from recocore.ops.association_rules import pair_counts

# mlxtend divides two rounded shares, so a confidence that equals its bound may fall to either side there.
BETWEEN_RATIOS = 0.2001


def random_baskets(seed: int, baskets: int = 200, items: int = 12) -> Any:
    """Items of very different popularity, one in every basket, one in none, and a basket without any."""
    rng = np.random.default_rng(seed)
    held = rng.random((baskets, items)) < rng.uniform(0.02, 0.8, items)
    held[:, 3], held[:, 5] = True, False
    held[0] = False
    return sp.csr_matrix(held.astype(np.float32))


def theirs(baskets: Any, min_count: int, min_confidence: float) -> dict[tuple[int, int], dict[str, float]]:
    """mlxtend's rules of pairs, by (antecedent, consequent)."""
    table = pd.DataFrame(baskets.astype(bool).toarray(), columns=[str(column) for column in range(baskets.shape[1])])
    frequent = mlxtend.fpgrowth(table, min_support=(min_count - 0.5) / baskets.shape[0], use_colnames=True, max_len=2)
    rules = mlxtend.association_rules(frequent, metric="confidence", min_threshold=min_confidence)
    return {(int(*rule["antecedents"]), int(*rule["consequents"])): rule for rule in rules.to_dict("records")}


def assert_same_rules(ours: AssociationRules, expected: dict[tuple[int, int], dict[str, float]]) -> None:
    pairs = list(zip(ours.antecedents.tolist(), ours.consequents.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == set(expected)
    for name in ("support", "confidence", "lift", "leverage", "conviction"):
        np.testing.assert_allclose(
            getattr(ours, name), [expected[pair][name] for pair in pairs], rtol=1e-9, atol=1e-12, err_msg=name
        )


def same_bytes(a: AssociationRules, b: AssociationRules) -> bool:
    return all(getattr(a, field.name).tobytes() == getattr(b, field.name).tobytes() for field in fields(a))


@pytest.mark.parametrize(("min_count", "min_confidence"), [(1, 0.0), (5, BETWEEN_RATIOS), (20, 0.7501)])
@pytest.mark.parametrize("seed", range(4))
def test_equals_mlxtend_on_random_baskets(seed: int, min_count: int, min_confidence: float) -> None:
    baskets = random_baskets(seed)
    ours = association_rules(baskets, min_count, min_confidence)
    assert len(ours) > 0
    assert_same_rules(ours, theirs(baskets, min_count, min_confidence))


def groceries() -> tuple[Any, list[str]]:
    table = pq.read_table(data_set("groceries") / "baskets.parquet")
    items = table["item"].combine_chunks().dictionary_encode()
    rows = np.unique(table["transaction"].to_numpy(), return_inverse=True)[1]
    return sp.csr_matrix((np.ones(len(rows)), (rows, items.indices.to_numpy()))), items.dictionary.to_pylist()


def test_equals_mlxtend_on_the_groceries() -> None:
    baskets, names = groceries()
    assert baskets.shape == (9835, 169)
    ours = association_rules(baskets, min_count=10, min_confidence=BETWEEN_RATIOS)
    assert_same_rules(ours, theirs(baskets, 10, BETWEEN_RATIOS))
    # the pair that every text on this data quotes
    strongest = association_rules(baskets, min_count=99).lift.argmax()
    rules = association_rules(baskets, min_count=99)
    best = {names[rules.antecedents[strongest]], names[rules.consequents[strongest]]}
    assert best == {"root vegetables", "beef"}


@pytest.mark.parametrize("seed", range(3))
def test_log_likelihood_ratio_equals_scipy(seed: int) -> None:
    baskets = random_baskets(seed)
    held = baskets.toarray() > 0
    rules = association_rules(baskets)
    some = 0
    for i, j, ours in zip(rules.antecedents, rules.consequents, rules.log_likelihood_ratio, strict=True):
        table = [[np.sum((held[:, i] == a) & (held[:, j] == b)) for b in (True, False)] for a in (True, False)]
        if not np.all(np.sum(table, 0)) or not np.all(np.sum(table, 1)):
            assert ours == 0  # an item that every basket has says nothing
            continue
        some += 1
        expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-11)
    assert some > 50


def test_figures_of_a_pair_worked_by_hand() -> None:
    # of 5 baskets 0 is in 4, 1 in 2 and both in 2
    rules = association_rules(sp.csr_matrix([[1, 1], [1, 1], [1, 0], [1, 0], [0, 0]]))
    assert rules.antecedents.tolist() == [1, 0]
    assert rules.consequents.tolist() == [0, 1]
    assert rules.counts.tolist() == [2, 2]
    assert rules.support.tolist() == [0.4, 0.4]
    assert rules.confidence.tolist() == [1.0, 0.5]
    assert rules.lift.tolist() == [1.25, 1.25]
    assert rules.leverage.tolist() == pytest.approx([0.08, 0.08], rel=1e-15)
    assert rules.conviction.tolist() == [math.inf, 1.2]
    expected = 2 * (2 * math.log(2 * 5 / 8) + 2 * math.log(2 * 5 / 12) + math.log(5 / 3))
    assert rules.log_likelihood_ratio.tolist() == pytest.approx([expected, expected], rel=1e-14)


def test_confidence_falls_and_ties_go_by_item() -> None:
    rules = association_rules(random_baskets(5, baskets=12), min_count=1)
    keys = list(zip(-rules.confidence, rules.antecedents, rules.consequents, strict=True))
    assert keys == sorted(keys)
    assert len(set(rules.confidence.tolist())) < len(rules)


def test_every_bound_leaves_out_what_is_below_and_nothing_else() -> None:
    baskets = random_baskets(6)
    everything = association_rules(baskets)
    bounds = {"min_confidence": 0.5, "min_lift": 1.1, "min_log_likelihood_ratio": 0.4}
    for name, bound in bounds.items():
        ours = association_rules(baskets, **{name: bound})  # type: ignore[arg-type]
        kept = getattr(everything, name.removeprefix("min_")) >= bound
        assert 0 < len(ours) < len(everything)
        assert ours.counts.tolist() == everything.counts[kept].tolist()
    both = association_rules(baskets, min_count=9, **bounds)  # type: ignore[arg-type]
    kept = (everything.confidence >= 0.5) & (everything.lift >= 1.1) & (everything.log_likelihood_ratio >= 0.4)
    assert len(both) == np.sum(kept & (everything.counts >= 9)) > 0


def test_only_values_above_zero_are_in_a_basket() -> None:
    plain = random_baskets(7)
    rng = np.random.default_rng(7)
    entries = plain.tocoo()
    quantities = entries.data * rng.integers(1, 9, entries.nnz)
    # duplicates that add up, stored zeros, returns, and a purchase that was taken back
    extra = [(1, 5, 0.0), (2, 5, -3.0), (4, 5, 2.0), (4, 5, -2.0), (9, 5, 1.0), (9, 5, -4.0)]
    rows, columns, values = (np.array(part) for part in zip(*extra, strict=True))
    messy = sp.coo_matrix(
        (
            np.concatenate([quantities / 2, quantities / 2, values]),
            (np.concatenate([entries.row, entries.row, rows]), np.concatenate([entries.col, entries.col, columns])),
        ),
        plain.shape,
    )
    expected = association_rules(plain, 3)
    assert same_bytes(expected, association_rules(messy, 3))
    assert same_bytes(expected, association_rules(messy.tocsc(), 3))
    assert same_bytes(expected, association_rules(Csr.from_scipy(messy), 3))


def test_same_bytes_at_every_thread_count() -> None:
    baskets = random_baskets(8, 300, 60)
    one = association_rules(baskets, 2, num_threads=1)
    for threads in (2, 7, 0):
        assert same_bytes(one, association_rules(baskets, 2, num_threads=threads))


def test_nothing_in_common_is_no_rule() -> None:
    for baskets in (sp.csr_matrix((0, 5)), sp.csr_matrix((5, 0)), sp.csr_matrix((4, 4)), sp.identity(4, format="csr")):
        rules = association_rules(baskets)
        assert len(rules) == 0
        assert rules.to_arrow().num_rows == 0
    assert len(association_rules(random_baskets(9), min_count=201)) == 0


@pytest.mark.parametrize("baskets_at_once", [1, 7, 64, 199, 200])
def test_counts_of_parts_add_up(baskets_at_once: int) -> None:
    held = Csr.from_scipy(random_baskets(10))
    whole = pair_counts(held, 4, 1, None)
    parts: list[float] = []
    ours = pair_counts(held, 4, 1, parts.append, baskets_at_once)
    for column in range(3):
        assert ours[column].dtype == whole[column].dtype
        np.testing.assert_array_equal(ours[column], whole[column])
    assert parts == sorted(parts)


def test_dtypes_and_arrow() -> None:
    rules = association_rules(random_baskets(11), 10)
    assert rules.antecedents.dtype == rules.consequents.dtype == np.int32
    assert rules.counts.dtype == np.int64
    table = rules.to_arrow()
    assert table.column_names == [field.name for field in fields(AssociationRules)]
    for field in fields(AssociationRules):
        np.testing.assert_array_equal(table[field.name].to_numpy(), getattr(rules, field.name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_count": 0}, "min_count: expected an integer of at least 1, got 0"),
        ({"min_count": 2.5}, "min_count: expected an integer of at least 1, got 2.5"),
        ({"min_confidence": 1.5}, r"min_confidence: expected a share in \[0, 1\], got 1.5"),
        ({"min_confidence": -0.1}, "min_confidence: expected a finite number >= 0, got -0.1"),
        ({"min_confidence": math.nan}, "min_confidence: expected a finite number >= 0, got nan"),
        ({"min_lift": "high"}, "min_lift: expected a real number, got 'high'"),
        ({"min_log_likelihood_ratio": -1}, "min_log_likelihood_ratio: expected a finite number >= 0"),
        ({"num_threads": -1}, "num_threads: expected 0"),
        ({"baskets": [[1, 2], [2]]}, "baskets: expected a SciPy sparse matrix, got list"),
        ({"baskets": sp.csr_matrix([[1.0], [math.nan]])}, "baskets: expected finite values, got nan in row 1"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        association_rules(**{"baskets": random_baskets(12), **arguments})
