"""What is no expression is refused, with its place; what says the same has one version."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recocore.errors import InvalidArgumentError
from recocore.expressions import Expression, Kind

COLUMNS: dict[str, Kind] = {"a": "number", "b": "number", "t": "text", "f": "flag"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a +", "line 1, column"),
        ("a > 3 and\n  c > 2", "line 2, column 3"),
        ("a.b > 1", "column 1"),
        ("a > 1 and (lambda: 1)()", "column 11"),
        ("__import__('os')", "column 1"),
        ("[x for x in (1,)]", "column 1"),
        ("a[0]", "column 1"),
        ("a ** 9", "column 1"),
        ("a if b else a", "column 6"),
        ("a and f", "column 1"),
        ("f + 1", "column 1"),
        ("t < 'x'", "column 1"),
        ("a == 't'", "column 6"),
        ("t in ('x', 3)", "column 12"),
        ("t in a", "column 6"),
        ("t in ()", "column 6"),
        ("a + 1 is missing", "column 1"),
        ("a is None", "column 6"),
        ("missing", "column 1"),
        ("abs(a, b)", "column 1"),
        ("min(a)", "column 1"),
        ("abs(x=a)", "column 1"),
        ("1e999", "column 1"),
        ("1j", "column 1"),
        ("b'x' == t", "column 1"),
        ("1or a", "column"),
        ("(a := 3)", "column 2"),
        ("f'{a}' == t", "column 1"),
        ("a > 1) or (f", "column"),
        ("a] + [b", "one expression"),
        ("t == '日本' and c", "line 1, column 15"),
        ("a, b", "one expression"),
    ],
)
def test_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(InvalidArgumentError, match="expected") as refused:
        Expression.parse(text, COLUMNS, argument="rules[0].when")
    assert str(refused.value).startswith("rules[0].when: expected")
    assert place in str(refused.value)


def test_a_parenthesis_does_not_leave_the_text() -> None:
    with pytest.raises(InvalidArgumentError):
        Expression.parse("a > 1) + (b", COLUMNS)


@pytest.mark.parametrize("text", ["(" * 300 + "a" + ")" * 300, "-" * 4000 + "a", "not " * 900 + "f", "a" * 5000, ""])
def test_deep_long_and_empty_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        Expression.parse(text, COLUMNS)


def test_many_parts_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="1000 parts"):
        Expression.parse("t in (" + "'x'," * 1001 + ")", COLUMNS)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgumentError):
        Expression.parse(text, COLUMNS)


def test_one_spelling_one_version() -> None:
    first = Expression.parse("a>3.0 and t in ['x',\"y\"]", COLUMNS)
    second = Expression.parse("( a > 3 )  and\nt in ('x', 'y')", COLUMNS)
    assert first == second
    assert first.canonical == second.canonical == "a > 3 and t in ('x', 'y')"
    assert first.version == second.version
    assert len(first.version) == 16
    assert first.version != Expression.parse("a > 4 and t in ('x', 'y')", COLUMNS).version
    assert first.names == ("a", "t")
    assert first.text == "a>3.0 and t in ['x',\"y\"]"


def test_the_canonical_text_parses_to_itself() -> None:
    for text in (
        "-a + -3 < b <= 7 / a",
        "not (f or a % 2 == 1)",
        "clip(a, 0, 1) if t is not missing else -b",
        "-(3) * a > 0",
    ):
        once = Expression.parse(text, COLUMNS)
        assert Expression.parse(once.canonical, COLUMNS).canonical == once.canonical


def test_a_kind_is_part_of_the_version() -> None:
    assert Expression.parse("a is missing", COLUMNS).version != Expression.parse("a is missing", {"a": "text"}).version


@pytest.mark.parametrize("columns", [{"min": "number"}, {"missing": "flag"}, {"a b": "number"}, {"a": "float"}, None])
def test_columns_that_cannot_be_are_refused(columns: object) -> None:
    with pytest.raises(InvalidArgumentError, match="columns"):
        Expression.parse("1 > 0", columns)  # type: ignore[arg-type]
