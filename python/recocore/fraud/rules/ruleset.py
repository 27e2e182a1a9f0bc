"""RuleSet: rules that belong together, checked whole, on tables and on rows."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from recocore.data.times import to_us
from recocore.errors import InvalidArgumentError
from recocore.expressions import Expression, RowError, conditions_function
from recocore.fraud.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from recocore.expressions import Compiled, Kind
    from recocore.types import AnyArray, BoolArray, Float64Array, Int64Array

MAX_RULES: Final = 1000


class RuleStatus(IntEnum):
    """How one rule went for one event."""

    NO_HIT = 0
    HIT = 1
    ERROR = 2  # a value was missing, a division by zero: never a hit
    SNOOZED = 3


@dataclass(frozen=True, slots=True, eq=False)
class RuleResults:
    """How every rule went for every event.

    Attributes:
        rules: the rules, in the order of the columns.
        statuses: int8 `[events, rules]` of `RuleStatus`.
    """

    rules: tuple[Rule, ...]
    statuses: npt.NDArray[np.int8]

    def hits(self) -> BoolArray:
        """Hits of rules that are not in shadow, bool `[events, rules]`."""
        live = np.array([not rule.shadow for rule in self.rules], np.bool_)
        hits: BoolArray = (self.statuses == RuleStatus.HIT) & live
        return hits

    def risk(self) -> Float64Array:
        """1 - product over the hits of (1 - score / 1000), float64 `[events]`, in the order of the rules."""
        kept = np.ones(len(self.statuses))
        hits = self.hits()
        for place, rule in enumerate(self.rules):
            kept *= np.where(hits[:, place], 1 - rule.score / 1000, 1.0)
        return 1 - kept


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """Rules by falling priority, then by name.

    Example:
        >>> rules = RuleSet.from_toml('''
        ... [[rules]]
        ... name = "many_cards"
        ... when = "distinct_payment_id_by_user_id_1d > 3"
        ... outcome = "review"
        ... score = 400
        ... ''', {"distinct_payment_id_by_user_id_1d": "number"})
        >>> table = {"distinct_payment_id_by_user_id_1d": np.array([5.0, 1.0, np.nan])}
        >>> [RuleStatus(status).name for status in rules.evaluate(table, np.zeros(3, np.int64)).statuses[:, 0]]
        ['HIT', 'NO_HIT', 'ERROR']
    """

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or len(names) > MAX_RULES:
            raise InvalidArgumentError(
                f"rules: expected at most {MAX_RULES} different names, got {len(names)}"
                + (f", {', '.join(twice)} twice" if twice else ""),
                field="rules",
            )
        ordered = tuple(sorted(self.rules, key=lambda rule: (-rule.priority, rule.name)))
        object.__setattr__(self, "rules", ordered)

    @classmethod
    def from_toml(cls, text: str, columns: Mapping[str, Kind], functions: Mapping[str, Compiled] | None = None) -> Self:
        """Read rules, all or none.

        Args:
            text: tables `[[rules]]` with the attributes of `Rule`; `when` is an expression, or `function` names one of
                `functions` in its place.
            columns: what expressions may name, with kinds.
            functions: by name, from `recocore.expressions.compiled`.

        Raises:
            InvalidArgumentError: the message says all that is wrong, by the rule's place and field.
        """
        if not isinstance(text, str):
            raise InvalidArgumentError(f"rules: expected a text, got {type(text).__name__}", field="rules")
        try:
            body = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InvalidArgumentError(f"rules: expected TOML, got an error: {error}", field="rules") from None
        tables = body.pop("rules", [])
        if body or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise InvalidArgumentError(
                f"rules: expected tables [[rules]] alone, got {', '.join(body) or 'another form of rules'}",
                field="rules",
            )
        return cls.from_tables(tables, columns, functions)

    @classmethod
    def from_tables(
        cls,
        tables: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Kind],
        functions: Mapping[str, Compiled] | None = None,
    ) -> Self:
        """The same from tables that are read already.

        Raises:
            InvalidArgumentError: as `from_toml`.
        """
        if len(tables) > MAX_RULES:  # before they are read: that takes 0.4 ms each
            raise InvalidArgumentError(f"rules: expected at most {MAX_RULES} rules, got {len(tables)}", field="rules")
        made: list[Rule] = []
        wrong: list[str] = []
        for place, table in enumerate(tables):
            try:
                made.append(_rule(table, columns, functions or {}))
            except InvalidArgumentError as error:
                wrong.append(f"rules[{place}] ({str(table.get('name', 'no name'))[:64]}): {error}")
        if wrong:
            raise InvalidArgumentError("; ".join(wrong), field="rules")
        return cls(tuple(made))

    def to_toml(self) -> str:
        """TOML that `from_toml` reads back; a function is named by its rule's name, and has to be given again."""
        lines: list[str] = []
        for rule in self.rules:
            lines += ["[[rules]]", f"name = {json.dumps(rule.name)}"]
            if isinstance(rule.when, Expression):
                lines.append(f"when = {json.dumps(rule.when.text, ensure_ascii=False)}")
            else:
                lines.append(f"function = {json.dumps(rule.name)}")
            if rule.snoozed_until is not None:
                lines.append(f"snoozed_until = {rule.snoozed_until.isoformat()}")
            for name in ("outcome", "score", "priority", "penalty", "shadow", "description"):
                value = getattr(rule, name)
                if value not in (None, "", 0, False):
                    lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
            lines.append("")
        return "\n".join(lines)

    @property
    def version(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the rules' versions in order."""
        return hashlib.sha256(" ".join(rule.version for rule in self.rules).encode()).hexdigest()[:16]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the rules read, sorted."""
        return tuple(sorted({name for rule in self.rules for name in rule.when.names}))

    def evaluate(self, table: Mapping[str, AnyArray], times: Int64Array) -> RuleResults:
        """Every rule on every row; no row's trouble is another's. O(rows x parts of the rules).

        Args:
            table: columns by name, as `Expression.evaluate` takes them.
            times: event times, int64 microseconds `[rows]`, which snoozing goes by.

        Raises:
            InvalidArgumentError: a column is missing or does not fit.
        """
        statuses = np.zeros((len(times), len(self.rules)), np.int8)
        for place, rule in enumerate(self.rules):
            values, errors = rule.when.evaluate(table)
            statuses[:, place] = np.where(errors, RuleStatus.ERROR, values.astype(np.int8))
            if rule.snoozed_until is not None:
                statuses[times < to_us(rule.snoozed_until, "snoozed_until"), place] = RuleStatus.SNOOZED
        return RuleResults(self.rules, statuses)

    def row_function(self, order: Sequence[str]) -> Callable[[Sequence[Any], int], list[int]]:
        """A function of one row (values in `order`) and its time that gives the statuses `evaluate` gives, in order."""
        written = [place for place, rule in enumerate(self.rules) if isinstance(rule.when, Expression)]
        expressions = conditions_function(
            [rule.when for rule in self.rules if isinstance(rule.when, Expression)], order
        )
        functions = [
            (place, rule.when.row_function(order))
            for place, rule in enumerate(self.rules)
            if not isinstance(rule.when, Expression)
        ]
        snoozed = [
            (place, to_us(rule.snoozed_until, "snoozed_until"))
            for place, rule in enumerate(self.rules)
            if rule.snoozed_until is not None
        ]
        count = len(self.rules)

        def evaluate_row(row: Sequence[Any], time: int) -> list[int]:
            statuses = expressions(row)
            if functions:
                spread = [0] * count
                for place, status in zip(written, statuses, strict=True):
                    spread[place] = status
                statuses = spread
                for place, function in functions:
                    try:
                        statuses[place] = 1 if function(row) else 0
                    except RowError:
                        statuses[place] = 2
            for place, until in snoozed:
                if time < until:
                    statuses[place] = 3
            return statuses

        return evaluate_row


_FIELDS: Final = frozenset(field.name for field in fields(Rule)) | {"function"}


def _rule(table: Mapping[str, Any], columns: Mapping[str, Kind], functions: Mapping[str, Compiled]) -> Rule:
    unknown = sorted(set(table) - _FIELDS)
    if unknown:
        raise InvalidArgumentError(f"expected {', '.join(sorted(_FIELDS))}, got {', '.join(unknown)}")
    given = dict(table)
    when, function = given.pop("when", None), given.pop("function", None)
    if (when is None) == (function is None):
        raise InvalidArgumentError("when: expected an expression, or function with a name in its place")
    if function is not None and function not in functions:
        raise InvalidArgumentError(f"function: expected one of {', '.join(functions) or 'none'}, got {function!r}")
    if not isinstance(given.get("name"), str) or not isinstance(given.get("description", ""), str):
        raise InvalidArgumentError("name: expected a text, and a text as description where there is one")
    condition = functions[function] if function is not None else Expression.parse(when, columns, argument="when")
    return Rule(when=condition, **given)
