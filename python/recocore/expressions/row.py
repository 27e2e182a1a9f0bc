"""Checked expressions as one Python function of a row: what is evaluated is written here, from checked nodes alone.

Numbers pass as they are until something would hide that one is missing or not finite (a comparison, a function, a
denominator); `x - x == 0` is true of finite numbers only and costs a tenth of a call of `math.isfinite`.
"""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Final, Never, TypeAlias

import numpy as np

from recocore.expressions.nodes import (
    All,
    Among,
    Any,
    Arithmetic,
    Call,
    Choose,
    Column,
    Compare,
    Constant,
    Missing,
    Node,
    Not,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    RowFunction: TypeAlias = Callable[[Sequence[object]], object]
    # The comparisons that hold, each by its place with what was observed and the threshold.
    HeldFunction: TypeAlias = Callable[[Sequence[object]], list[tuple[int, object, object]]]
    # Of each of several conditions 1 where it holds, 0 where it does not, 2 where the row has no result.
    StatusesFunction: TypeAlias = Callable[[Sequence[object]], list[int]]


class RowError(Exception):
    """A row has no result: a value is missing, a division by zero, a number that is not finite."""


def row_function(node: Node, order: Sequence[str]) -> RowFunction:
    """A function of one row, a sequence of values in `order`; it raises RowError where there is no result."""
    writer = _Writer({name: place for place, name in enumerate(order)})
    body = writer.finite(node)
    inner: RowFunction = eval(f"lambda r: {body}", {"__builtins__": {}, **_GIVEN})  # text of ours alone

    def guarded(row: Sequence[object]) -> object:
        try:
            return inner(row)
        except (ZeroDivisionError, TypeError, OverflowError, ValueError) as error:
            # A missing number is None or NaN: arithmetic on None is Python's TypeError.
            raise RowError(
                "division by zero" if isinstance(error, ZeroDivisionError) else "a value is missing"
            ) from None

    return guarded


def statuses_function(conditions: Sequence[Node], order: Sequence[str]) -> StatusesFunction:
    """One function of a row for several conditions: whether a number is there is looked at once for all of them.

    Fifty conditions of two comparisons take 8 us; as functions of their own, each guarded, they took 40 us.
    """
    writer = _Writer({name: place for place, name in enumerate(order)}, checked={})
    parts = [
        f"    try:\n        if {writer.finite(condition)}: s[{at}] = 1\n    except wrong: s[{at}] = 2\n"
        for at, condition in enumerate(conditions)
    ]
    made: StatusesFunction = _defined(f"s = [0] * {len(conditions)}", parts, writer)
    return made


def held_function(looks: Sequence[tuple[Node, Node | None, object]], order: Sequence[str]) -> HeldFunction:
    """One function of a row that says which comparisons hold, and of those what stands on both sides.

    Args:
        looks: each comparison, its left side (None where that has no value) and its right side: a node, or what it is.
        order: the names of the row's values.
    """
    writer = _Writer({name: place for place, name in enumerate(order)}, checked={})
    parts = []
    for at, (holds, left, right) in enumerate(looks):
        seen = "None" if left is None else writer.finite(left)
        limit = writer.finite(right) if isinstance(right, Node) else repr(right)
        parts.append(
            f"    try:\n        if {writer.finite(holds)}: s.append(({at}, {seen}, {limit}))\n    except wrong: pass\n"
        )
    made: HeldFunction = _defined("s = []", parts, writer)
    return made


def _defined(begin: str, parts: Sequence[str], writer: _Writer) -> typing.Any:
    """A function of a row `r` that gives `s`, from its first line and its parts."""
    head = "".join(
        f"    c{place} = r[{place}]\n    k{place} = c{place} is not None and c{place} - c{place} == 0\n"
        for place in writer.checked or ()
    )
    wrong = (RowError, ZeroDivisionError, TypeError, OverflowError, ValueError)
    space: dict[str, object] = {"__builtins__": {}, **_GIVEN, "wrong": wrong}
    exec(f"def made(r):\n    {begin}\n{head}{''.join(parts)}    return s\n", space)  # text of ours alone
    return space["made"]


def _bad() -> Never:
    raise RowError("a value is missing or not finite")


def _log1p(value: float) -> float:
    if value <= -1:
        _bad()
    return float(np.log1p(value))  # not math.log1p: the last bit shall be the one of whole columns


_GIVEN: Final = {"bad": _bad, "log1p": _log1p, "least": min, "most": max, "size": abs}


class _Writer:
    """Python source of nodes; each kept value gets a name of its own.

    Args:
        places: of the columns in a row.
        checked: where given, the number at a place p is named cp and whether it is there kp; their places are noted in it.
    """

    def __init__(self, places: dict[str, int], checked: dict[int, None] | None = None) -> None:
        self._places = places
        self.checked = checked
        self._kept = 0

    def finite(self, node: Node) -> str:
        """Source of a value that is there: whatever else came raises."""
        if isinstance(node, Constant):
            return self.plain(node)
        if isinstance(node, Column) and node.kind == "number" and self.checked is not None:
            place = self._checked(node)
            return f"(c{place} if k{place} else bad())"
        if node.kind == "number":
            kept = self._keep()
            return f"({kept} if ({kept} := {self.plain(node)}) - {kept} == 0 else bad())"
        return self.plain(node)

    def plain(self, node: Node) -> str:  # noqa: PLR0911  # one case a form
        match node:
            case Column(name=name, kind=kind):
                if kind == "number":
                    return f"r[{self._places[name]}]" if self.checked is None else f"c{self._checked(node)}"
                kept = self._keep()
                return f"({kept} if ({kept} := r[{self._places[name]}]) is not None else bad())"
            case Constant(value=value):
                return f"({value!r})"
            case Arithmetic(operator=operator, left=left, right=right):
                divisor = self.finite(right) if operator in "/%" else self.plain(right)
                return f"({self.plain(left)} {operator} {divisor})"
            case Call(function=function, arguments=arguments):
                return self._call(function, [self.finite(argument) for argument in arguments])
            case Compare(operator=operator, left=left, right=right):
                return f"({self.finite(left)} {operator} {self.finite(right)})"
            case Among(item=item, values=values, negated=negated):
                return f"({self.finite(item)} {'not in' if negated else 'in'} {values!r})"
            case Missing(column=column, negated=negated):
                return f"({'not ' if negated else ''}{self._missing(column)})"
            case All(parts=parts):
                return f"({' and '.join(self.plain(part) for part in parts)})"
            case Any(parts=parts):
                return f"({' or '.join(self.plain(part) for part in parts)})"
            case Not(part=part):
                return f"(not {self.plain(part)})"
            case Choose(test=test, then=then, otherwise=otherwise):
                return f"({self.plain(then)} if {self.plain(test)} else {self.plain(otherwise)})"

    def _missing(self, column: Column) -> str:
        value = f"r[{self._places[column.name]}]"
        if column.kind == "number" and self.checked is not None:
            return f"(not k{self._checked(column)})"
        if column.kind == "number":
            kept = self._keep()
            return f"(({kept} := {value}) is None or {kept} - {kept} != 0)"
        return f"({value} is None)"

    def _call(self, function: str, arguments: list[str]) -> str:
        match function:
            case "neg":
                return f"(-{arguments[0]})"
            case "clip":
                return f"least(most({arguments[0]}, {arguments[1]}), {arguments[2]})"
        name = {"min": "least", "max": "most", "abs": "size"}.get(function, function)
        return f"{name}({', '.join(arguments)})"

    def _checked(self, column: Column) -> int:
        place = self._places[column.name]
        assert self.checked is not None
        self.checked[place] = None
        return place

    def _keep(self) -> str:
        self._kept += 1
        return f"t{self._kept}"
