"""A checked expression on columns: NumPy arrays in, one array and the rows without a result out."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from recocore.errors import InvalidArgumentError
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
    Not,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.expressions.nodes import Kind, Node
    from recocore.types import AnyArray, BoolArray, Float64Array

# The values of a node and the rows where it has none; a value there means nothing.
_Answer: TypeAlias = "tuple[AnyArray, BoolArray]"

_ARITHMETIC: Final = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.mod}
_RELATIONS: Final = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def evaluate(node: Node, table: Mapping[str, AnyArray], columns: Mapping[str, Kind]) -> _Answer:
    """Values and error mask of every row. O(rows x nodes).

    Raises:
        InvalidArgumentError: a column is missing, of another kind, or of another length than the rest.
    """
    taken = {name: _column(table, name, kind) for name, kind in columns.items()}
    lengths = {len(values) for values, _ in taken.values()}
    if len(lengths) > 1:
        raise InvalidArgumentError(f"table: expected columns of one length, got {sorted(lengths)}", field="table")
    rows = lengths.pop() if lengths else len(next(iter(table.values()), ()))
    with np.errstate(all="ignore"):
        values, errors = _Columns(taken, rows).answer(node)
        if node.kind == "number":
            errors = errors | ~np.isfinite(values)
    values = np.array(np.broadcast_to(values, rows))
    errors = np.array(np.broadcast_to(errors, rows))
    values[errors] = {"number": np.nan, "text": None, "flag": False}[node.kind]
    return values, errors


class _Columns:
    """The columns of one table, and what a node makes of them."""

    def __init__(self, taken: Mapping[str, _Answer], rows: int) -> None:
        self._taken = taken
        self._rows = rows
        self._fine = np.zeros(rows, np.bool_)

    def answer(self, node: Node) -> _Answer:  # noqa: PLR0911  # one case a form
        match node:
            case Column(name=name):
                return self._taken[name]
            case Constant(value=value, kind=kind):
                kept: AnyArray = np.full(self._rows, value, object if kind == "text" else None)
                return kept, self._fine
            case Arithmetic(operator=operator):
                left, left_errors = self.answer(node.left)
                right, right_errors = self._finite(node.right) if operator in "/%" else self.answer(node.right)
                errors = left_errors | right_errors
                if operator in "/%":
                    errors = errors | (right == 0)
                return _ARITHMETIC[operator](left, right), errors
            case Call():
                return self._call(node)
            case Compare(operator=operator):
                left, left_errors = self._finite(node.left)
                right, right_errors = self._finite(node.right)
                return _RELATIONS[operator](left, right).astype(np.bool_, copy=False), left_errors | right_errors
            case Among(values=values, negated=negated):
                item, errors = self._finite(node.item)
                found = reduce(np.logical_or, (np.equal(item, value).astype(np.bool_) for value in values))
                return found ^ negated, errors
            case Missing(column=column, negated=negated):
                return self._taken[column.name][1] ^ negated, self._fine
            case All(parts=parts) | Any(parts=parts):
                return self._in_turn(parts, isinstance(node, Any))
            case Not(part=part):
                held, errors = self.answer(part)
                return ~held, errors
            case Choose():
                test, test_errors = self.answer(node.test)
                then, then_errors = self.answer(node.then)
                otherwise, otherwise_errors = self.answer(node.otherwise)
                return np.where(test, then, otherwise), test_errors | np.where(test, then_errors, otherwise_errors)

    def _finite(self, node: Node) -> _Answer:
        """The same, and a number that is not finite is an error: a comparison would hide it."""
        values, errors = self.answer(node)
        if node.kind != "number" or isinstance(node, (Constant, Column)):
            return values, errors
        return values, errors | ~np.isfinite(values)

    def _call(self, node: Call) -> _Answer:
        answers = [self._finite(argument) for argument in node.arguments]
        errors = reduce(np.logical_or, (wrong for _, wrong in answers))
        numbers: list[Float64Array] = [values for values, _ in answers]
        match node.function:
            case "neg":
                return -numbers[0], errors
            case "abs":
                return np.abs(numbers[0]), errors
            case "log1p":
                return np.log1p(numbers[0]), errors | (numbers[0] <= -1)
            case "min":
                return reduce(np.minimum, numbers), errors
            case "max":
                return reduce(np.maximum, numbers), errors
            case "clip":
                return np.minimum(np.maximum(numbers[0], numbers[1]), numbers[2]), errors

    def _in_turn(self, parts: tuple[Node, ...], decides: bool) -> _Answer:
        """`and` (decided by False) and `or` (by True): a part counts only in rows that no part before it decided."""
        decided = np.zeros(self._rows, np.bool_)
        errors = np.zeros(self._rows, np.bool_)
        for part in parts:
            held, wrong = self.answer(part)
            open_still = ~(decided | errors)
            errors |= open_still & wrong
            decided |= open_still & ~wrong & (held == decides)
        return decided if decides else ~decided, errors


def _column(table: Mapping[str, AnyArray], name: str, kind: Kind) -> _Answer:
    """Values that comparisons can take, and the rows where there is none."""
    if name not in table:
        shown = ", ".join(sorted(table)[:20]) or "none"
        raise InvalidArgumentError(f"table: expected a column {name}, got {shown}", field="table")
    values = np.asarray(table[name])
    wanted = f"{name}: expected a 1-d array of {kind}s, got {values.ndim}-d {values.dtype}"
    if values.ndim != 1:
        raise InvalidArgumentError(wanted, field=name)
    if kind == "number":
        if values.dtype.kind not in "iuf":
            raise InvalidArgumentError(f"{wanted}; give it as float64, NaN where it is missing", field=name)
        numbers = values.astype(np.float64, copy=False)
        return numbers, ~np.isfinite(numbers)
    if values.dtype == object:
        absent = np.array([value is None for value in values], np.bool_)
        fitting = str if kind == "text" else (bool, np.bool_)
        if not all(isinstance(value, fitting) for value in values[~absent]):
            raise InvalidArgumentError(f"{wanted} of other values; None is missing", field=name)
        return (values, absent) if kind == "text" else (np.where(absent, False, values).astype(np.bool_), absent)
    if kind == "text" and values.dtype.kind in "UT":
        return values.astype(object), np.zeros(len(values), np.bool_)
    if kind == "flag" and values.dtype == np.bool_:
        return values, np.zeros(len(values), np.bool_)
    raise InvalidArgumentError(wanted, field=name)
