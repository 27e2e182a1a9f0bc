"""Functions that numba compiles: the same shape as expressions, errors as results."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recocore.errors import InvalidArgumentError
from recocore.expressions import RowError, compiled

LIMIT = 3.0


def over(amount: float, average: float) -> bool:
    return amount / average > LIMIT


def test_a_function_is_what_python_makes_of_it() -> None:
    rule = compiled(over)
    rng = np.random.default_rng(7)
    amount, average = rng.uniform(0, 10, 200), rng.integers(0, 4, 200).astype(float)
    amount[3] = np.nan
    values, errors = rule.evaluate({"amount": amount, "average": average, "other": amount})
    row = rule.row_function(["average", "amount"])
    for at in range(200):
        broken = math.isnan(amount[at]) or average[at] == 0
        assert errors[at] == broken
        if broken:
            assert not values[at]
            with pytest.raises(RowError):
                row([average[at], amount[at]])
        else:
            assert values[at] == over(amount[at], average[at]) == row([average[at], amount[at]])
    assert rule.kind == "flag"
    assert "LIMIT" in rule.text
    assert rule.explain({"amount": 1.0, "average": 2.0}) == ()


def test_the_version_follows_source_names_and_numbers_around(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled(over)
    assert before.version == compiled(over).version
    assert before.version != compiled(over, ["price", "average"]).version
    monkeypatch.setitem(globals(), "LIMIT", 4.0)
    assert before.version != compiled(over).version


def text_of(amount: float) -> str:
    return str(amount).upper() + open(__file__).read()


def pair(amount: float) -> tuple[float, float]:
    return amount, amount


def defaults(amount: float = 3.0) -> float:
    return amount


def test_what_cannot_be_compiled_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="nopython"):
        compiled(text_of)
    with pytest.raises(InvalidArgumentError, match="a bool or a number"):
        compiled(pair)
    with pytest.raises(InvalidArgumentError, match="plain parameters"):
        compiled(defaults)
    with pytest.raises(InvalidArgumentError, match="Python function"):
        compiled(len)
    with pytest.raises(InvalidArgumentError, match="names"):
        compiled(over, ["amount"])
