"""Decodes filters over the attributes of items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore.index import filters
from recocore.service import limits

if TYPE_CHECKING:
    from recocore.service.convert.checks import Checks
    from recocore.v1 import filter_pb2

_KINDS = ("all", "any", "not", "in", "range", "exists")
# What stands in for a filter that is refused anyway.
REFUSED = filters.Exists("?")


class FilterDecoder:
    """Decodes the filters of one request, and counts them and their values: there is one limit for all."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._count = 0
        self._values_left = limits.MAX_FILTER_VALUES

    def decode(self, message: filter_pb2.Filter, path: str) -> filters.Filter:
        """A filter at a path such as `filter` or `rules[1].where`."""
        return self._filter(message, path, depth=1) if self._fits(1, path) else REFUSED

    def _fits(self, more: int, path: str) -> bool:
        before, self._count = self._count, self._count + more
        fits = self._count <= limits.MAX_FILTERS
        # Said once, and what is over the limit is not looked at.
        if not fits and before <= limits.MAX_FILTERS:
            self._checks.refuse(
                path, f"expected at most {limits.MAX_FILTERS} filters in a request, joined ones included"
            )
        return fits

    def _filter(self, message: filter_pb2.Filter, path: str, depth: int) -> filters.Filter:
        if depth > limits.MAX_FILTER_DEPTH:
            self._checks.refuse(path, f"expected a filter at most {limits.MAX_FILTER_DEPTH} deep")
            return REFUSED
        # `in` and `not` are words of Python: the fields are reached by their names.
        given = [descriptor.name for descriptor, _ in message.ListFields() if descriptor.name in _KINDS]
        if len(given) != 1:
            self._checks.refuse(
                path, f"expected exactly one of {', '.join(_KINDS)}, got {' and '.join(given) or 'none'}"
            )
            return REFUSED
        (kind,) = given
        value: Any = getattr(message, kind)
        path = f"{path}.{kind}"
        if kind == "not":
            return filters.Not(self._filter(value, path, depth + 1)) if self._fits(1, path) else REFUSED
        if kind in {"all", "any"}:
            parts = value if self._fits(len(value), path) else ()
            joined = tuple(self._filter(part, f"{path}[{n}]", depth + 1) for n, part in enumerate(parts))
            return filters.All(joined) if kind == "all" else filters.Any(joined)
        return self._condition(kind, value, path)

    def _condition(self, kind: str, value: Any, path: str) -> filters.Filter:
        name = self._checks.name(value.field, f"{path}.field")
        match kind:
            case "in":
                return filters.In(name, self._values(value.values, f"{path}.values"))
            case "range":
                return self._range(name, value, path)
        return filters.Exists(name)

    def _values(self, values: Any, path: str) -> tuple[str | float | bool, ...]:
        if not self._checks.count(values, path, self._values_left, "values", least=1):
            return ()
        self._values_left -= len(values)
        return tuple(self._value(value, f"{path}[{position}]") for position, value in enumerate(values))

    def _value(self, value: Any, path: str) -> str | float | bool:
        kind = value.WhichOneof("kind")
        match kind:
            case "string_value":
                text: str = value.string_value
                if (size := len(text.encode())) > limits.MAX_ID_BYTES:
                    self._checks.refuse(path, f"expected a string of at most {limits.MAX_ID_BYTES} bytes, got {size}")
                return text
            case "number_value":
                return self._checks.finite(value.number_value, path)
            case "bool_value":
                return bool(value.bool_value)
        got = (kind or "nothing").removesuffix("_value")
        self._checks.refuse(path, f"expected a string, a number or a boolean, got {got}")
        return ""

    def _range(self, name: str, value: Any, path: str) -> filters.Filter:
        bounds = {
            bound: self._checks.finite(getattr(value, bound), f"{path}.{bound}")
            for bound in ("at_least", "above", "at_most", "below")
            if value.HasField(bound)
        }
        if not bounds:
            self._checks.refuse(path, "expected at least one of at_least, above, at_most, below, got none")
            return REFUSED
        return filters.Range(name, **bounds)
