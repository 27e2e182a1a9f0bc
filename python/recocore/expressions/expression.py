"""Expression: a checked text over named columns, on whole tables and on one row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from recocore.errors import InvalidArgumentError
from recocore.expressions import nodes
from recocore.expressions.parsing import parse
from recocore.expressions.row import RowError, held_function, row_function, statuses_function
from recocore.expressions.vectorized import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from recocore.expressions.nodes import Kind, Node
    from recocore.expressions.row import RowFunction, StatusesFunction
    from recocore.types import AnyArray, BoolArray

__all__ = ["Comparison", "Expression", "RowError", "conditions_function", "held_comparisons"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of an expression, as it went in a row.

    Attributes:
        text: as the expression has it, such as "amount > 3 * avg_amount_7d"; a flag that stands alone is its name.
        operator: <, <=, >, >=, ==, !=, in, not in, is missing, is not missing.
        observed: the left side's value; None where it is missing.
        threshold: the right side's value, or the list; None for is missing and where it is missing.
        held: whether it holds; None where a value is missing.
    """

    text: str
    operator: str
    observed: object
    threshold: object
    held: bool | None


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. Make one with `Expression.parse`; equal ones have equal canonical texts and columns.

    It may hold numbers, texts, True and False, columns, `+ - * / %`, comparisons (chained too), `in (...)` and
    `not in (...)` with a list of constants, `is missing`, `is not missing`, `and`, `or`, `not`, `a if test else b`,
    and `min`, `max`, `abs`, `log1p`, `clip(x, low, high)`. Everything is typed before anything runs.

    A row has no result, which is an error of that row alone, where a value that is looked at is missing (NaN, infinite,
    None) or a division by zero, a logarithm or an overflow gives no finite number. `and`, `or` and if-else look from
    left to right at no more than it takes: `seen is missing or seen > 3` has a result in every row.

    Attributes:
        text: as it was given.
        canonical: the one spelling of it.
        columns: name to kind of the columns that it reads.
        version: 16 hexadecimal digits of the SHA-256 of canonical text and columns.

    Example:
        >>> import numpy as np
        >>> risky = Expression.parse("amount / orders > 100 and country != 'TW'",
        ...                          {"amount": "number", "orders": "number", "country": "text"})
        >>> table = {"amount": np.array([900.0, 50, 70]), "orders": np.array([2.0, 1, 0]),
        ...          "country": np.array(["VN", "VN", "TW"])}
        >>> values, errors = risky.evaluate(table)
        >>> values.tolist(), errors.tolist()
        ([True, False, False], [False, False, True])
        >>> [(c.text, c.observed, c.threshold, c.held) for c in risky.explain({"amount": 900, "orders": 2, "country": "VN"})]
        [('amount / orders > 100', 450.0, 100.0, True), ("country != 'TW'", 'VN', 'TW', True)]
    """

    text: str = field(compare=False)
    canonical: str
    columns: Mapping[str, Kind] = field(hash=False)
    version: str
    _node: Node = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, columns: Mapping[str, Kind], *, argument: str = "expression") -> Expression:
        """Read and check a text; at most 4,096 characters, 1,000 parts and 32 levels.

        Args:
            text: the expression.
            columns: every column that it may name, with its kind: number, text or flag.
            argument: what errors call the text, such as "rules[3].when".

        Raises:
            InvalidArgumentError: naming the place in the text, what was expected and what came.
        """
        if not isinstance(columns, Mapping):
            raise InvalidArgumentError(
                f"columns: expected a mapping of names to number, text or flag, got {columns!r:.80}", field="columns"
            )
        node, canonical = parse(text, columns, argument)
        used = {name: columns[name] for name in sorted(_names(node))}
        identity = json.dumps([canonical, list(used.items())], ensure_ascii=False)
        return cls(text, canonical, used, hashlib.sha256(identity.encode()).hexdigest()[:16], node)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it reads, sorted."""
        return tuple(self.columns)

    @property
    def kind(self) -> Kind:
        """What it gives: number, text or flag."""
        return self._node.kind

    def evaluate(self, table: Mapping[str, AnyArray]) -> tuple[AnyArray, BoolArray]:
        """The result of every row. O(rows x parts).

        Args:
            table: name to 1-d array: numbers of any real dtype (NaN is missing), texts as object (None is missing) or
                string arrays, flags as bool or object (None is missing). More columns than are read may be there.

        Returns:
            Values `[rows]` (float64, object of str, or bool) and errors, bool `[rows]`; the value of a row in error is
            NaN, None or False.

        Raises:
            InvalidArgumentError: a column is missing, of another kind or of another length.
        """
        return evaluate(self._node, table, self.columns)

    def row_function(self, order: Sequence[str]) -> RowFunction:
        """A function of one row, values in `order`, some 0.2 us a comparison; it raises RowError for a row in error.

        In a row a missing value is None (or NaN, for numbers). Its results are those of `evaluate`, to the bit.

        Raises:
            InvalidArgumentError: a column is not in `order`.
        """
        _require(self.names, order)
        return row_function(self._node, order)

    def explain(self, row: Mapping[str, object]) -> tuple[Comparison, ...]:
        """Every comparison of the expression on one row, in the order of the text; none raises.

        Raises:
            InvalidArgumentError: the row lacks a column.
        """
        absent = [name for name in self.names if name not in row]
        if absent:
            raise InvalidArgumentError(
                f"row: expected {', '.join(self.names)}, got no {', '.join(absent)}", field="row"
            )
        values = [row[name] for name in self.names]
        return tuple(look.at(values) for look in _looks(self))


def held_comparisons(
    expression: Expression, order: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], Callable[[Sequence[object]], list[tuple[int, object, object]]]]:
    """What `Expression.explain` says of the comparisons that hold, compiled: half a microsecond each.

    Returns:
        Text and operator of each comparison, and a function of one row, values in `order`: of each one that holds it gives the
        place among them, what was observed, and the threshold, where a list of constants is a list.

    Raises:
        InvalidArgumentError: a column is not in `order`.

    Example:
        >>> large = Expression.parse("amount > 100 and country in ('TW', 'HK')", {"amount": "number", "country": "text"})
        >>> comparisons, held = held_comparisons(large, ["country", "amount"])
        >>> comparisons[0], held(["VN", 900.0]), held(["TW", None])
        (('amount > 100', '>'), [(0, 900.0, 100.0)], [(1, 'TW', ['TW', 'HK'])])
    """
    _require(expression.names, order)
    looks = _looks(expression)
    return tuple(look.said for look in looks), held_function([look.sides for look in looks], order)


def conditions_function(conditions: Sequence[Expression], order: Sequence[str]) -> StatusesFunction:
    """One function of a row, values in `order`, for several conditions: 1 for true, 0 for false, 2 for a row in error.

    Raises:
        InvalidArgumentError: a column is not in `order`, or an expression is no condition.

    Example:
        >>> columns = {"amount": "number", "country": "text"}
        >>> texts = ("amount > 100", "country == 'TW'", "country is missing")
        >>> statuses = conditions_function([Expression.parse(text, columns) for text in texts], ["amount", "country"])
        >>> statuses([900.0, "TW"]), statuses([None, None])
        ([1, 1, 0], [2, 2, 1])
    """
    for condition in conditions:
        _require(condition.names, order)
        if condition.kind != "flag":
            raise InvalidArgumentError(
                f"conditions: expected what is true or false, got {condition.text!r:.80}, a {condition.kind}",
                field="conditions",
            )
    return statuses_function([condition._node for condition in conditions], order)


def _require(names: Sequence[str], order: Sequence[str]) -> None:
    absent = [name for name in names if name not in order]
    if absent:
        raise InvalidArgumentError(f"order: expected {', '.join(names)}, got no {', '.join(absent)}", field="order")


def _names(node: Node) -> set[str]:
    own = {node.name} if isinstance(node, nodes.Column) else set()
    return own.union(*(_names(child) for child in nodes.children(node)))


def _comparisons(node: Node) -> Iterator[Node]:
    """What an expression asks of a row: comparisons, and flags that stand for themselves."""
    if isinstance(node, (nodes.Compare, nodes.Among, nodes.Missing)) or (
        isinstance(node, nodes.Column) and node.kind == "flag"
    ):
        yield node
        return
    for child in nodes.children(node):
        yield from _comparisons(child)


class _Look:
    """One comparison of an expression with the functions of its parts, made once for all rows that are explained."""

    def __init__(self, node: Node, order: tuple[str, ...]) -> None:
        self._node = node
        self._text, self._operator, self._left = "", "==", node
        self._right: Node | None = None
        self._threshold: object = None
        match node:
            case nodes.Compare():
                self._text, self._operator, self._left, self._right = node.text, node.operator, node.left, node.right
            case nodes.Among():
                self._text, self._operator = node.text, "not in" if node.negated else "in"
                self._left, self._threshold = node.item, node.values
            case nodes.Missing():
                self._text, self._operator = node.text, "is not missing" if node.negated else "is missing"
                self._left = node.column
            case nodes.Column():
                self._text, self._threshold = node.name, True
        self._holds = row_function(node, order)
        self._observe = row_function(self._left, order)
        self._limit = None if self._right is None else row_function(self._right, order)

    @property
    def said(self) -> tuple[str, str]:
        """Text and operator."""
        return self._text, self._operator

    @property
    def sides(self) -> tuple[Node, Node | None, object]:
        """The comparison, and what stands to its left and right when it holds."""
        missing = isinstance(self._node, nodes.Missing) and not self._node.negated
        threshold = list(self._threshold) if isinstance(self._threshold, tuple) else self._threshold
        return self._node, None if missing else self._left, self._right or threshold

    def at(self, values: Sequence[object]) -> Comparison:
        """The comparison on one row."""
        threshold = self._threshold if self._limit is None else _value(self._limit, values)
        held: Any = _value(self._holds, values)
        return Comparison(self._text, self._operator, _value(self._observe, values), threshold, held)


@lru_cache(4096)
def _looks(expression: Expression) -> tuple[_Look, ...]:
    return tuple(_Look(node, expression.names) for node in _comparisons(expression._node))


def _value(function: RowFunction, values: Sequence[object]) -> object:
    try:
        return function(values)
    except RowError:
        return None
