"""TagDefinition: when a user has a tag, with which value and weight."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recocore.data.checks import is_finite_number
from recocore.errors import InvalidArgumentError
from recocore.expressions import Compiled, Expression, compiled
from recocore.profiles.consent import PURPOSES
from recocore.profiles.tags.declared import DECLARABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recocore.expressions import Kind

Rule = Expression | Compiled

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class TagDefinition:
    """A tag's rule; make one with `TagDefinition.make`.

    Attributes:
        name: lower-case letters, digits and _.
        when: who has it: a flag.
        value: the value of everybody who has it, or what gives each one's.
        weight: the weight of everybody who has it, or what gives each one's, at least 0.
        about: a sentence for people.
        dimension: which dimension of a user it belongs to; empty for none.
        purpose: what it is built for; who withdraws that has it no longer.
        version: 12 hexadecimal digits of the SHA-256 of everything above but `about`: another rule is another version.
    """

    name: str
    when: Rule
    value: str | Rule
    weight: float | Rule
    about: str
    dimension: str
    purpose: str
    version: str

    @classmethod
    def make(
        cls,
        name: str,
        when: str | Rule | Callable[..., Any],
        kinds: Mapping[str, Kind],
        *,
        value: str | float = "true",
        value_of: str | Rule | Callable[..., Any] | None = None,
        weight: float = 1.0,
        weight_of: str | Rule | Callable[..., Any] | None = None,
        about: str = "",
        dimension: str = "",
        purpose: str = "marketing",
    ) -> TagDefinition:
        """Check and compile a definition.

        Args:
            name: lower-case letters, digits and _, none of the attributes that only users declare.
            when: an expression over features, or a Python function of numbers named as features, compiled with numba.
            kinds: the features that there are: `Features(profiles).kinds`.
            value: a constant.
            value_of: an expression or function in its place.
            weight: a constant of at least 0.
            weight_of: an expression or function in its place.
            about: a sentence for people.
            dimension: a name.
            purpose: personalisation, marketing or analytics.

        Raises:
            InvalidArgumentError: naming the argument and what is wrong.

        Example:
            >>> kinds = {"level": "number", "n_orders": "number"}
            >>> tag = TagDefinition.make("big_spender", "level >= 90 and n_orders >= 3", kinds, weight_of="level / 100")
            >>> tag.when.names, len(tag.version)
            (('level', 'n_orders'), 12)
        """
        given: object = name
        if not isinstance(given, str) or not _NAME.fullmatch(given):
            raise _refused("name", "lower-case letters, digits and _, a letter first, at most 64", name)
        if name in DECLARABLE:
            raise InvalidArgumentError(
                f"name: {name} is declared by users and never inferred; keep it in DeclaredAttributes, or choose another name",
                field="name",
            )
        if purpose not in PURPOSES:
            raise _refused("purpose", f"one of {', '.join(PURPOSES)}", purpose)
        for argument, text in (("about", about), ("dimension", dimension)):
            if not isinstance(text, str):
                raise _refused(argument, "text", text)
        rule = _rule(when, kinds, "when")
        if rule.kind != "flag":
            raise _refused("when", "a condition, such as level >= 90", rule.text)
        if not (isinstance(value, str) or is_finite_number(value) or isinstance(value, bool)):
            raise _refused("value", "text or a number", value)
        if not is_finite_number(weight) or weight < 0:
            raise _refused("weight", "a number of at least 0", weight)
        of_value = spell(value) if value_of is None else _rule(value_of, kinds, "value_of")
        of_weight = float(weight) if weight_of is None else _rule(weight_of, kinds, "weight_of")
        if isinstance(of_weight, (Expression, Compiled)) and of_weight.kind != "number":
            raise _refused("weight_of", "an expression that gives numbers", of_weight.text)
        identity = [name, rule.version, _identity(of_value), _identity(of_weight), dimension, purpose]
        version = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
        return cls(name, rule, of_value, of_weight, about, dimension, purpose, version)


def spell(value: object) -> str:
    """A value as a tag holds it: text as it is, true and false, a number in its shortest spelling.

    >>> spell(3.0), spell(0.25), spell(True), spell("gold")
    ('3', '0.25', 'true', 'gold')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{float(value):.12g}"  # type: ignore[arg-type]  # what rules give is text, a flag or a number


def _rule(rule: str | Rule | Callable[..., Any], kinds: Mapping[str, Kind], argument: str) -> Rule:
    if isinstance(rule, str):
        return Expression.parse(rule, kinds, argument=argument)
    if not isinstance(rule, (Expression, Compiled)):
        rule = compiled(rule)
    absent = [name for name in rule.names if name not in kinds]
    if absent:
        raise _refused(argument, "features that there are", ", ".join(absent))
    return rule


def _identity(part: str | float | Rule) -> list[object]:
    return ["rule", part.version] if isinstance(part, (Expression, Compiled)) else ["constant", part]


def _refused(argument: str, expected: str, got: object) -> InvalidArgumentError:
    return InvalidArgumentError(f"{argument}: expected {expected}, got {got!r}", field=argument)
