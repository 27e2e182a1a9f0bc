"""Columns and rows give the same, and both what plain Python gives that looks from left to right."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recocore.errors import InvalidArgumentError
from recocore.expressions import Expression, Kind, RowError, conditions_function, held_comparisons

COLUMNS: dict[str, Kind] = {"a": "number", "b": "number", "t": "text", "u": "text", "f": "flag"}
ORDER = tuple(COLUMNS)


class MissingError(Exception):
    """The reference found no value."""


def reference(node: ast.expr, row: dict[str, Any]) -> Any:
    """Python's own tree, walked plainly in Python floats."""

    def number(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise MissingError
        return value

    def walk(node: ast.expr) -> Any:  # noqa: PLR0911, PLR0912  # one line a form
        match node:
            case ast.Name(id=name):
                if row[name] is None:
                    raise MissingError
                return number(row[name])
            case ast.Constant(value=value):
                return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not walk(operand)
            case ast.UnaryOp(operand=operand):
                return -walk(operand)
            case ast.BinOp(op=op, left=left, right=right):
                x, y = walk(left), walk(right)
                if isinstance(op, (ast.Div, ast.Mod)) and y == 0:
                    raise MissingError
                match op:
                    case ast.Add():
                        return number(x + y)
                    case ast.Sub():
                        return number(x - y)
                    case ast.Mult():
                        return number(x * y)
                    case ast.Div():
                        return number(x / y)
                return number(x % y)
            case ast.BoolOp(op=ast.And(), values=values):
                return all(walk(value) for value in values)
            case ast.BoolOp(values=values):
                return any(walk(value) for value in values)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return walk(body) if walk(test) else walk(orelse)
            case ast.Call(func=ast.Name(id=name), args=args):
                given = [walk(value) for value in args]
                if name == "log1p":
                    if given[0] <= -1:
                        raise MissingError
                    return math.log1p(given[0])
                if name == "clip":
                    return min(max(given[0], given[1]), given[2])
                picked: Any = {"min": min, "max": max, "abs": abs}[name]
                return picked(*given)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                operands = [left, *comparators]
                return all(link(*each) for each in zip(operands, ops, operands[1:], strict=False))
        raise AssertionError(node)

    def link(left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool:  # noqa: PLR0911  # one line a form
        if isinstance(op, (ast.Is, ast.IsNot)):
            assert isinstance(left, ast.Name)
            value = row[left.id]
            absent = value is None or (isinstance(value, float) and not math.isfinite(value))
            return absent is isinstance(op, ast.Is)
        x = walk(left)
        if isinstance(op, (ast.In, ast.NotIn)):
            assert isinstance(right, ast.Tuple)
            return (x in [walk(element) for element in right.elts]) is isinstance(op, ast.In)
        y = walk(right)
        match op:
            case ast.Lt():
                return bool(x < y)
            case ast.LtE():
                return bool(x <= y)
            case ast.Gt():
                return bool(x > y)
            case ast.GtE():
                return bool(x >= y)
            case ast.Eq():
                return bool(x == y)
        return bool(x != y)

    return walk(node)


NUMBERS = st.one_of(st.sampled_from(["a", "b", "0", "1", "3.5", "-2", "1e200"]))


def grow_numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("clip({}, -1, {})".format, inner, inner),
        st.builds("abs(-{})".format, inner),
        st.builds("({} if {} > 0 else {})".format, inner, inner, inner),
    )


number_texts = st.recursive(NUMBERS, grow_numbers, max_leaves=6)
plain_flags = st.one_of(
    st.sampled_from(["f", "t == u", "t != 'x'", "t in ('x', 'y')", "u not in ('x',)", "True"]),
    st.builds("{} is {}missing".format, st.sampled_from("abtuf"), st.sampled_from(["", "not "])),
    st.builds("{} {} {}".format, number_texts, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), number_texts),
    st.builds("{} < {} <= {}".format, number_texts, number_texts, number_texts),
)
flag_texts = st.recursive(
    plain_flags,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("not ({})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    ),
    max_leaves=5,
)
rows = st.fixed_dictionaries(
    {
        "a": st.sampled_from([0.0, 1.0, -1.0, 2.5, 1e200, -1e308, math.nan, math.inf, -0.0]),
        "b": st.sampled_from([0.0, 3.0, -7.25, 1e-300, math.nan]),
        "t": st.sampled_from(["x", "y", "", None]),
        "u": st.sampled_from(["x", "z", None]),
        "f": st.sampled_from([True, False, None]),
    }
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(flag_texts, number_texts), st.lists(rows, min_size=1, max_size=6))
def test_columns_rows_and_the_reference_agree(text: str, table: list[dict[str, Any]]) -> None:
    expression = Expression.parse(text, COLUMNS)
    columns = {name: np.array([row[name] for row in table], np.float64 if name in "ab" else object) for name in COLUMNS}
    values, errors = expression.evaluate(columns)
    one = expression.row_function(ORDER)
    for at, row in enumerate(table):
        try:
            expected = reference(ast.parse(text, mode="eval").body, row)
        except MissingError:
            assert errors[at], (text, row)
            with pytest.raises(RowError):
                one([row[name] for name in ORDER])
        else:
            assert not errors[at], (text, row)
            assert values[at] == expected, (text, row)
            assert one([row[name] for name in ORDER]) == expected
        explained = expression.explain(row)
        if expression.kind == "flag":
            values_of_row = [row[name] for name in ORDER]
            # Twice, with another before it: what one condition looked at must not show in the next.
            trial = Expression.parse("a > 0 and b > 0", COLUMNS)
            statuses = conditions_function([trial, expression, expression], ORDER)(values_of_row)
            assert statuses[1:] == [2 if errors[at] else int(values[at])] * 2
            comparisons, held = held_comparisons(expression, ORDER)
            assert [(*comparisons[place], seen, limit) for place, seen, limit in held(values_of_row)] == [
                (
                    each.text,
                    each.operator,
                    each.observed,
                    list(each.threshold) if isinstance(each.threshold, tuple) else each.threshold,
                )
                for each in explained
                if each.held
            ]


def test_log1p_of_a_row_has_the_bits_of_a_column() -> None:
    drawn = np.random.default_rng(3).uniform(-0.99, 1e6, 500)
    expression = Expression.parse("log1p(a)", {"a": "number"})
    values, errors = expression.evaluate({"a": drawn})
    one = expression.row_function(["a"])
    assert [one([value]) for value in drawn.tolist()] == values.tolist()
    np.testing.assert_allclose(values, [math.log1p(value) for value in drawn], rtol=1e-15)
    assert not errors.any()
    assert Expression.parse("log1p(a - 5) > 0", {"a": "number"}).evaluate({"a": np.zeros(1)})[1].all()


def test_a_number_missing_as_none_is_an_error_of_the_row() -> None:
    one = Expression.parse("a + 1 > b", COLUMNS).row_function(ORDER)
    with pytest.raises(RowError, match="missing"):
        one([None, 1.0, None, None, None])
    with pytest.raises(RowError, match="division"):
        Expression.parse("a / b > 1", COLUMNS).row_function(ORDER)([1.0, 0.0, None, None, None])


def test_text_results_and_string_arrays() -> None:
    level = Expression.parse("'high' if a > 10 else 'low'", COLUMNS)
    values, errors = level.evaluate({"a": np.array([11, 3, 5])})
    assert values.tolist() == ["high", "low", "low"]
    assert not errors.any()
    same = Expression.parse("t == 'x'", COLUMNS)
    assert same.evaluate({"t": np.array(["x", "yy"])})[0].tolist() == [True, False]


def test_no_rows_and_constants() -> None:
    assert Expression.parse("a > 1", COLUMNS).evaluate({"a": np.zeros(0)})[0].shape == (0,)
    assert Expression.parse("1 > 0", COLUMNS).evaluate({"a": np.zeros(3)})[0].tolist() == [True] * 3


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "table: expected a column a"),
        ({"a": np.array(["1"]), "t": np.array(["x"])}, "a: expected a 1-d array of numbers"),
        ({"a": np.zeros((2, 2)), "t": np.array(["x"])}, "2-d"),
        ({"a": np.zeros(1), "t": np.array([1], object)}, "t: expected a 1-d array of texts"),
        ({"a": np.zeros(1), "t": np.zeros(1)}, "t: expected a 1-d array of texts"),
        ({"a": np.zeros(2), "t": np.array(["x"])}, "one length"),
    ],
)
def test_tables_that_do_not_fit_are_refused(table: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Expression.parse("a > 1 and t == 'x'", COLUMNS).evaluate(table)


def test_explain_says_what_held() -> None:
    rule = Expression.parse("a > 3 * b and (t not in ('x',) or f) and u is missing", COLUMNS)
    shown = rule.explain({"a": 10.0, "b": 3.0, "t": "x", "u": None, "f": True})
    assert [(c.text, c.operator, c.observed, c.threshold, c.held) for c in shown] == [
        ("a > 3 * b", ">", 10.0, 9.0, True),
        ("t not in ('x',)", "not in", "x", ("x",), False),
        ("f", "==", True, True, True),
        ("u is missing", "is missing", None, None, True),
    ]
    with pytest.raises(InvalidArgumentError, match="row"):
        rule.explain({"a": 1.0})
    with pytest.raises(InvalidArgumentError, match="order"):
        rule.row_function(["a"])
