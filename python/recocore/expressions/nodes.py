"""What a checked expression consists of: every node knows its kind, and holds nothing but nodes and constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# number: float64, NaN is missing. text: str, None is missing. flag: bool, None is missing.
Kind: TypeAlias = Literal["number", "text", "flag"]

Value: TypeAlias = float | str | bool


@dataclass(frozen=True, slots=True)
class Column:
    """The value of a column."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the text names."""

    value: Value
    kind: Kind


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers become one."""

    operator: Literal["+", "-", "*", "/", "%"]
    left: Node
    right: Node
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of numbers."""

    function: Literal["min", "max", "abs", "log1p", "clip", "neg"]
    arguments: tuple[Node, ...]
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class Compare:
    """Whether a relation holds; `text` is what stood in the expression."""

    operator: Literal["<", "<=", ">", ">=", "==", "!="]
    left: Node
    right: Node
    text: str
    kind: Kind = "flag"


@dataclass(frozen=True, slots=True)
class Among:
    """Whether a value is one of a list."""

    item: Node
    values: tuple[Value, ...]
    negated: bool
    text: str
    kind: Kind = "flag"


@dataclass(frozen=True, slots=True)
class Missing:
    """Whether a column has no value."""

    column: Column
    negated: bool
    text: str
    kind: Kind = "flag"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; parts after the first that does not are not looked at."""

    parts: tuple[Node, ...]
    kind: Kind = "flag"


@dataclass(frozen=True, slots=True)
class Any:
    """Some part holds; parts after the first that does are not looked at."""

    parts: tuple[Node, ...]
    kind: Kind = "flag"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Node
    kind: Kind = "flag"


@dataclass(frozen=True, slots=True)
class Choose:
    """One of two values; the other is not looked at."""

    test: Node
    then: Node
    otherwise: Node
    kind: Kind


Node: TypeAlias = Column | Constant | Arithmetic | Call | Compare | Among | Missing | All | Any | Not | Choose


def children(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911  # one case a form
    """The nodes directly below."""
    match node:
        case Arithmetic() | Compare():
            return node.left, node.right
        case Call():
            return node.arguments
        case Among():
            return (node.item,)
        case Missing():
            return (node.column,)
        case All() | Any():
            return node.parts
        case Not():
            return (node.part,)
        case Choose():
            return node.test, node.then, node.otherwise
    return ()
