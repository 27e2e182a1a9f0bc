"""Checks the attributes that a request names against those of the items of a model."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from recocore.index.filters import All, Any, Exists, In, Not, Range
from recocore.service.problems import InvalidRequestError, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recocore.index.filters import Filter
    from recocore.service.queries import Template


def check_attributes(template: Template, fields: Mapping[str, str]) -> None:
    """See that every attribute that is named is there, and of the kind that the request takes it for.

    Args:
        template: what a request asks.
        fields: the kind of each attribute of the model's items: text, number or flag.

    Raises:
        InvalidRequestError: some are not; `violations` has each of them.
    """
    violations = tuple(_violations(template, fields))
    if violations:
        raise InvalidRequestError(violations)


def names_attributes(template: Template) -> bool:
    """Whether there is anything to check: most requests name no attribute."""
    ask = template.ask
    return not (ask.where is None and not ask.rules and ask.diversity is None and template.form.attributes is None)


def _violations(template: Template, fields: Mapping[str, str]) -> Iterator[Violation]:
    ask, root = template.ask, template.root
    if ask.where is not None:
        yield from _of_filter(ask.where, fields, f"{root}filter")
    for position, rule in enumerate(ask.rules):
        if rule.where is not None:
            yield from _of_filter(rule.where, fields, f"{root}rules[{position}].where")
    if ask.diversity is not None and ask.diversity.group_field is not None:
        yield from _of_name(ask.diversity.group_field, fields, f"{root}diversity.group_field", "text")
    mask = template.form.attributes
    if mask is not None:
        for name, path in zip(mask.names, mask.paths, strict=True):
            yield from _of_name(name, fields, path)


def _of_filter(given: Filter, fields: Mapping[str, str], path: str) -> Iterator[Violation]:
    match given:
        case All(of) | Any(of):
            kind = "all" if isinstance(given, All) else "any"
            for position, inner in enumerate(of):
                yield from _of_filter(inner, fields, f"{path}.{kind}[{position}]")
        case Not(of):
            yield from _of_filter(of, fields, f"{path}.not")
        case Exists(name):
            yield from _of_name(name, fields, f"{path}.exists.field")
        case Range(name):
            yield from _of_name(name, fields, f"{path}.range.field", "number")
        case In(name, values):
            yield from _of_name(name, fields, f"{path}.in.field")
            for position, value in enumerate(values):
                kind = _kind(value)
                if fields.get(name, kind) != kind:
                    yield Violation(f"{path}.in.values[{position}]", f"expected a {fields[name]}, got a {kind}")


def _of_name(name: str, fields: Mapping[str, str], path: str, kind: str = "") -> Iterator[Violation]:
    if name not in fields:
        near = difflib.get_close_matches(name, fields, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; items of this model have " + _list(fields)
        yield Violation(path, f"expected an attribute of this model's items, got {name[:80]!r}{hint}")
    elif kind and fields[name] != kind:
        yield Violation(path, f"expected an attribute that is a {kind}, {name[:80]!r} is a {fields[name]}")


def _list(fields: Mapping[str, str]) -> str:
    return ", ".join(sorted(fields)[:10]) or "none"


def _kind(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "flag"
    return "text" if isinstance(value, str) else "number"
