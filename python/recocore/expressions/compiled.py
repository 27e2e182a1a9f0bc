"""Python functions as the other form of an expression: compiled by numba, over whole columns and over one row."""

from __future__ import annotations

import hashlib
import inspect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.expressions.row import RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from recocore.expressions.expression import Comparison
    from recocore.expressions.nodes import Kind
    from recocore.expressions.row import RowFunction
    from recocore.types import AnyArray, BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A function of numbers that numba compiled; make one with `compiled`. It has the shape of an `Expression`.

    Attributes:
        text: the function's source, where Python has it, else its name.
        names: the columns that it reads, one a parameter. They are numbers, or flags as 0 and 1.
        kind: flag where it returns a bool, else number.
        version: 16 hexadecimal digits of the SHA-256 of source, bytecode, names and the numbers that it uses from around it.
    """

    text: str
    names: tuple[str, ...]
    kind: Kind
    version: str
    _row: Callable[..., Any] = field(repr=False)
    _columns: Callable[..., None] = field(repr=False)

    @property
    def columns(self) -> Mapping[str, Kind]:
        """Name to kind."""
        return dict.fromkeys(self.names, "number")

    @property
    def canonical(self) -> str:
        """The text: source has no other spelling."""
        return self.text

    def evaluate(self, table: Mapping[str, AnyArray]) -> tuple[AnyArray, BoolArray]:
        """The result of every row, as `Expression.evaluate` gives it.

        A missing input, an exception of the function and a result that is not finite are errors of their row.

        Raises:
            InvalidArgumentError: a column is missing or no 1-d array of numbers.
        """
        columns = [_numbers(table, name) for name in self.names]
        if len({len(column) for column in columns}) > 1:
            raise InvalidArgumentError("table: expected columns of one length", field="table")
        matrix = np.column_stack(columns)
        values = np.empty(len(matrix))
        errors = np.zeros(len(matrix), np.bool_)
        self._columns(matrix, values, errors)
        return (values if self.kind == "number" else values == 1), errors

    def row_function(self, order: Sequence[str]) -> RowFunction:
        """A function of one row, values in `order`; it raises RowError for a row in error.

        Raises:
            InvalidArgumentError: a column is not in `order`.
        """
        absent = [name for name in self.names if name not in order]
        if absent:
            raise InvalidArgumentError(
                f"order: expected {', '.join(self.names)}, got no {', '.join(absent)}", field="order"
            )
        places = [list(order).index(name) for name in self.names]
        call = self._row

        def evaluate_row(row: Sequence[Any]) -> object:
            try:
                inputs = [float(row[place]) for place in places]
                result = call(*inputs)
            except Exception as error:
                raise RowError(f"{type(error).__name__}: {error}") from None
            if not math.isfinite(result) or not all(map(math.isfinite, inputs)):
                raise RowError("a value is missing or not finite")
            return result

        return evaluate_row

    def explain(self, row: Mapping[str, object]) -> tuple[Comparison, ...]:
        """Nothing: what a function compares is not known outside of it."""
        return ()


def compiled(function: Callable[..., Any], names: Sequence[str] | None = None) -> Compiled:
    """Compile a Python function of numbers that returns a bool or a number.

    The function is code of whoever runs the program, and is trusted; rules that come as text are `Expression`s.
    Compiling takes about a second, once.

    Args:
        function: its parameters are float64 scalars, its body what numba's nopython mode takes.
        names: the columns that its parameters read; by default the parameters' names.

    Raises:
        InvalidArgumentError: it does not compile in nopython mode, its parameters are not plain, or it returns neither
            a bool nor a number; the message has numba's reason.

    Example:
        >>> def jump(amount, average):
        ...     return amount / average > 3
        >>> rule = compiled(jump)
        >>> rule.names, rule.kind
        (('amount', 'average'), 'flag')
        >>> values, errors = rule.evaluate({"amount": np.array([90.0, 9.0]), "average": np.array([10.0, 0.0])})
        >>> values.tolist(), errors.tolist()
        ([True, False], [False, True])
    """
    import numba  # noqa: PLC0415  # half a second that only those who compile wait for

    parameters = _parameters(function)
    names = tuple(parameters if names is None else names)
    if len(names) != len(parameters) or not all(str.isidentifier(name) for name in names):
        raise InvalidArgumentError(
            f"names: expected {len(parameters)} names, one a parameter, got {names!r}", field="names"
        )
    try:
        row = numba.njit(error_model="python")(function)
        row.compile((numba.float64,) * len(names))
    except numba.core.errors.NumbaError as error:
        raise InvalidArgumentError(
            f"function: expected one that compiles in numba's nopython mode, got {_name(function)}: "
            f"{' '.join(str(error).split())[:300]}; write it as an expression, or with numbers alone",
            field="function",
        ) from None
    returned = row.nopython_signatures[0].return_type
    if not isinstance(returned, (numba.types.Boolean, numba.types.Integer, numba.types.Float)):
        raise InvalidArgumentError(
            f"function: expected a bool or a number from {_name(function)}, got {returned}", field="function"
        )
    return Compiled(
        _source(function),
        names,
        "flag" if isinstance(returned, numba.types.Boolean) else "number",
        _version(function, names),
        row,
        numba.njit(_over_columns(row, len(names))),
    )


def _over_columns(row: Callable[..., Any], count: int) -> Callable[..., None]:
    """The loop over rows; numba calls a function with as many arguments as are written out, so they are written out."""
    source = (
        "def over(matrix, values, errors):\n"
        "    for i in range(matrix.shape[0]):\n"
        "        values[i] = nan\n"
        "        if not isfinite(matrix[i]).all():\n"
        "            errors[i] = True\n"
        "            continue\n"
        "        try:\n"
        f"            values[i] = row({', '.join(f'matrix[i, {place}]' for place in range(count))})\n"
        "        except Exception:\n"
        "            errors[i] = True\n"
        "        if not isfinite(values[i]):\n"
        "            values[i] = nan\n"
        "            errors[i] = True\n"
    )
    space: dict[str, Any] = {"row": row, "isfinite": np.isfinite, "nan": np.nan}
    exec(source, space)  # text of ours alone
    made: Callable[..., None] = space["over"]
    return made


def _parameters(function: Callable[..., Any]) -> list[str]:
    if not inspect.isfunction(function):
        raise InvalidArgumentError(f"function: expected a Python function, got {function!r:.80}", field="function")
    parameters = inspect.signature(function).parameters.values()
    if not parameters or any(p.kind is not p.POSITIONAL_OR_KEYWORD or p.default is not p.empty for p in parameters):
        raise InvalidArgumentError(
            f"function: expected plain parameters without defaults, one a column, got {_name(function)}"
            f"{inspect.signature(function)}",
            field="function",
        )
    return [parameter.name for parameter in parameters]


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def _source(function: Callable[..., Any]) -> str:
    try:
        return inspect.cleandoc(inspect.getsource(function))
    except (OSError, TypeError):
        return _name(function)


def _version(function: Callable[..., Any], names: tuple[str, ...]) -> str:
    # Numbers that the function takes from around it decide as its source does; numba freezes them when it compiles.
    around = inspect.getclosurevars(function)
    numbers = {
        name: value for name, value in {**around.globals, **around.nonlocals}.items() if isinstance(value, (int, float))
    }
    identity = repr((names, _source(function), function.__code__.co_code.hex(), sorted(numbers.items())))
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _numbers(table: Mapping[str, AnyArray], name: str) -> AnyArray:
    if name not in table:
        raise InvalidArgumentError(
            f"table: expected a column {name}, got {', '.join(sorted(table)[:20]) or 'none'}", field="table"
        )
    values = np.asarray(table[name])
    if values.ndim != 1 or values.dtype.kind not in "iufb":
        raise InvalidArgumentError(
            f"{name}: expected a 1-d array of numbers, got {values.ndim}-d {values.dtype}", field=name
        )
    return values.astype(np.float64, copy=False)
