"""Text to checked nodes: Python's own parser reads it, and what is not on the list here is refused where it stands."""

from __future__ import annotations

import ast
import difflib
import math
import typing
import warnings
from typing import TYPE_CHECKING, Final, Never

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

    from recocore.expressions.nodes import Kind, Node, Value

# Beyond these nobody writes by hand, and Python's parser and this one stay far from the end of the stack.
MAX_CHARACTERS: Final = 4096
MAX_NODES: Final = 1000
MAX_DEPTH: Final = 32

_ARITHMETIC: Final = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
_RELATIONS: Final = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_FUNCTIONS: Final = {"min": (2, MAX_NODES), "max": (2, MAX_NODES), "abs": (1, 1), "log1p": (1, 1), "clip": (3, 3)}
_RESERVED: Final = frozenset({"missing", *_FUNCTIONS})


def parse(text: object, columns: Mapping[str, Kind], argument: str) -> tuple[Node, str]:
    """The checked tree of a text, and the one spelling of what it says.

    Raises:
        InvalidArgumentError: naming `argument`, the place in the text, what was expected and what came.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidArgumentError(f"{argument}: expected a text such as 'amount > 100', got {text!r}", field=argument)
    if len(text) > MAX_CHARACTERS:
        raise InvalidArgumentError(
            f"{argument}: expected at most {MAX_CHARACTERS} characters, got {len(text)}; split it into several",
            field=argument,
        )
    check_columns(columns)
    body = _tree(text, argument)
    reader = _Reader(text, columns, argument)
    node = reader.read(body, 1)
    return node, ast.unparse(_Spelling().visit(body))


def check_columns(columns: Mapping[str, Kind]) -> None:
    """See that columns have names that an expression can hold, and kinds.

    Raises:
        InvalidArgumentError: one has not.
    """
    given: Mapping[typing.Any, typing.Any] = columns  # of a caller who may not check types
    for name, kind in given.items():
        if not isinstance(name, str) or not name.isidentifier() or name in _RESERVED:
            raise InvalidArgumentError(
                f"columns: expected names like avg_amount_7d that are not {', '.join(sorted(_RESERVED))}, got {name!r}",
                field="columns",
            )
        if kind not in ("number", "text", "flag"):
            raise InvalidArgumentError(
                f"columns: expected number, text or flag for {name}, got {kind!r}", field="columns"
            )


def _tree(text: str, argument: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of, such as "1or 2", is no expression here
            # Inside brackets a line may end anywhere; what closes ours is no list of one element any longer.
            body = ast.parse(f"[{text}\n]", mode="eval").body
    except SyntaxError as error:
        place = _place(text, error.lineno or 1, (error.offset or 1) - 1)
        raise InvalidArgumentError(
            f"{argument}: expected an expression, got {text!r:.200}: {error.msg} at {place}", field=argument
        ) from None
    except (ValueError, RecursionError, MemoryError, Warning) as error:
        raise InvalidArgumentError(
            f"{argument}: expected an expression that can be read, got {text!r:.80}: {error}", field=argument
        ) from None
    if not isinstance(body, ast.List) or len(body.elts) != 1:
        raise InvalidArgumentError(f"{argument}: expected one expression, got {text!r:.200}", field=argument)
    return body.elts[0]


def _place(text: str, line: int, characters: int) -> str:
    """Where a character of the bracketed text stands in the text itself, both counted from 1."""
    lines = text.splitlines() or [""]
    if line > len(lines):
        return f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return f"line {line}, column {max(1, characters + (line > 1))}"


class _Reader:
    """One walk over Python's tree, with the place of whatever is wrong."""

    def __init__(self, text: str, columns: Mapping[str, Kind], argument: str) -> None:
        self._text = text
        self._columns = columns
        self._argument = argument
        self._nodes = 0

    def read(self, node: ast.expr, depth: int) -> Node:  # noqa: PLR0911, PLR0912  # one case a form
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            self._refuse(node, f"at most {MAX_NODES} parts, {MAX_DEPTH} deep", "more; split it into several")
        match node:
            case ast.Name(id=name):
                return self._column(node, name)
            case ast.Constant():
                value = self._constant(node)
                return Constant(value, _kind_of(value))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self._expect(operand, depth, "flag"))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._expect(operand, depth, "number")
                if isinstance(inner, Constant):
                    return Constant(-inner.value, "number")  # type: ignore[operator]  # a number was expected
                return Call("neg", (inner,))
            case ast.BinOp(op=operator, left=left, right=right) if type(operator) in _ARITHMETIC:
                sides = self._expect(left, depth, "number"), self._expect(right, depth, "number")
                return Arithmetic(_ARITHMETIC[type(operator)], *sides)  # type: ignore[arg-type]  # listed above
            case ast.BoolOp(op=ast.And(), values=values):
                return All(tuple(self._expect(value, depth, "flag") for value in values))
            case ast.BoolOp(values=values):
                return Any(tuple(self._expect(value, depth, "flag") for value in values))
            case ast.Compare():
                return self._chain(node, depth)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                then = self.read(body, depth + 1)
                return Choose(
                    self._expect(test, depth, "flag"), then, self._expect(orelse, depth, then.kind), then.kind
                )
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
                least, most = _FUNCTIONS[name]
                if not least <= len(arguments) <= most:
                    wanted = str(least) if least == most else f"at least {least}"
                    self._refuse(node, f"{wanted} arguments of {name}", str(len(arguments)))
                return Call(name, tuple(self._expect(argument, depth, "number") for argument in arguments))  # type: ignore[arg-type]  # listed above
        self._refuse(
            node,
            "numbers, texts, columns, + - * / %, comparisons, in (...), is missing, and, or, not, if-else, "
            f"{', '.join(_FUNCTIONS)}",
            ast.unparse(node)[:80],
        )

    def _expect(self, node: ast.expr, depth: int, kind: Kind) -> Node:
        read = self.read(node, depth + 1)
        if read.kind != kind:
            self._refuse(node, f"a {kind}", f"the {read.kind} {ast.unparse(node)[:80]}")
        return read

    def _column(self, node: ast.expr, name: str) -> Column:
        if name == "missing":
            self._refuse(node, "'is missing' after a column", "missing alone")
        if name not in self._columns:
            nearest = difflib.get_close_matches(name, self._columns, 3) or sorted(self._columns)[:5]
            self._refuse(node, f"a column, such as {', '.join(nearest) or 'none'}", name)
        return Column(name, self._columns[name])

    def _constant(self, node: ast.expr) -> Value:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        value = inner.value if isinstance(inner, ast.Constant) else None
        if isinstance(value, (str, bool)) and not negative:
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return -number if negative else number
        self._refuse(node, "a finite number, a text, True or False", ast.unparse(node)[:80])

    def _chain(self, node: ast.Compare, depth: int) -> Node:
        links: list[Node] = []
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            text = ast.unparse(ast.Compare(left, [operator], [right]))
            links.append(self._link(operator, left, right, text, depth + (len(node.ops) > 1)))
        return links[0] if len(links) == 1 else All(tuple(links))

    def _link(self, operator: ast.cmpop, left: ast.expr, right: ast.expr, text: str, depth: int) -> Node:
        if isinstance(operator, (ast.Is, ast.IsNot)):
            if not isinstance(right, ast.Name) or right.id != "missing":
                self._refuse(right, "missing after is", ast.unparse(right)[:80])
            column = self.read(left, depth + 1)
            if not isinstance(column, Column):
                self._refuse(left, "a column before is missing", ast.unparse(left)[:80])
            return Missing(column, isinstance(operator, ast.IsNot), text)
        if isinstance(operator, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.Tuple, ast.List)) or not right.elts:
                self._refuse(right, "a list of values after in, such as ('TW', 'HK')", ast.unparse(right)[:80])
            self._nodes += len(right.elts)
            item = self.read(left, depth + 1)
            values = tuple(self._constant(element) for element in right.elts)
            for element, value in zip(right.elts, values, strict=True):
                if _kind_of(value) != item.kind:
                    self._refuse(element, f"a {item.kind}", f"the {_kind_of(value)} {value!r}")
            return Among(item, values, isinstance(operator, ast.NotIn), text)
        first = self.read(left, depth + 1)
        second = self._expect(right, depth, first.kind)
        sign = _RELATIONS[type(operator)]
        if first.kind != "number" and sign not in ("==", "!="):
            self._refuse(left, f"numbers around {sign}", f"the {first.kind} {ast.unparse(left)[:80]}")
        return Compare(sign, first, second, text)  # type: ignore[arg-type]  # listed above

    def _refuse(self, node: ast.expr, expected: str, came: str) -> Never:
        line = f"[{self._text}".splitlines()[node.lineno - 1]
        place = _place(self._text, node.lineno, len(line.encode()[: node.col_offset].decode()))  # ast counts bytes
        raise InvalidArgumentError(
            f"{self._argument}: expected {expected}, got {came} at {place} of {self._text!r:.200}",
            field=self._argument,
        )


class _Spelling(ast.NodeTransformer):
    """One spelling: 3.0 is 3, a list is a tuple; blanks, quotes and parentheses are `ast.unparse`'s."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:  # the name that ast looks for
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            number = float(node.value)
            return ast.Constant(int(number) if number.is_integer() and abs(number) < 2**53 else number)
        return node

    def visit_List(self, node: ast.List) -> ast.Tuple:  # the name that ast looks for
        return ast.Tuple([self.visit(element) for element in node.elts], ast.Load())


def _kind_of(value: Value) -> Kind:
    if isinstance(value, bool):
        return "flag"
    return "text" if isinstance(value, str) else "number"
