"""Decodes filters over the attributes of items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore.index import filters
from recocore.service import limits
from recocore.service.convert.checks import Checks

if TYPE_CHECKING:
    from recocore.v1 import filter_pb2

_KINDS = ("all", "any", "not", "in", "range", "exists")
# What stands in for a filter that is refused anyway.
_REFUSED = filters.Exists("")


class FilterDecoder:
    """Decodes the filters of one request, and counts them: there is one limit for all."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._count = 0

    def decode(self, message: filter_pb2.Filter, path: str) -> filters.Filter:
        """A filter at a path such as `filter` or `rules[1].where`."""
        return self._filter(message, path, depth=1) if self._fits(1, path) else _REFUSED

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
            return _REFUSED
        # `in` and `not` are words of Python: the fields are reached by their names.
        given = [descriptor.name for descriptor, _ in message.ListFields() if descriptor.name in _KINDS]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            self._checks.refuse(path, f"expected exactly one of {', '.join(_KINDS)}, got {got}")
            return _REFUSED
        (kind,) = given
        value: Any = getattr(message, kind)
        match kind:
            case "all" | "any":
                if not self._fits(len(value), f"{path}.{kind}"):
                    return _REFUSED
                joined = tuple(
                    self._filter(inner, f"{path}.{kind}[{position}]", depth + 1) for position, inner in enumerate(value)
                )
                return filters.All(joined) if kind == "all" else filters.Any(joined)
            case "not":
                if not self._fits(1, f"{path}.not"):
                    return _REFUSED
                return filters.Not(self._filter(value, f"{path}.not", depth + 1))
        return self._condition(kind, value, f"{path}.{kind}")

    def _condition(self, kind: str, value: Any, path: str) -> filters.Filter:
        name = self._checks.name(value.field, f"{path}.field")
        match kind:
            case "in":
                return filters.In(name, self._values(value.values, f"{path}.values"))
            case "range":
                return self._range(name, value, path)
        return filters.Exists(name)

    def _values(self, values: Any, path: str) -> tuple[str | float | bool, ...]:
        if not self._checks.count(values, path, limits.MAX_FILTER_VALUES, "values", least=1):
            return ()
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
        lower, upper = bounds.keys() & {"at_least", "above"}, bounds.keys() & {"at_most", "below"}
        if not bounds:
            self._checks.refuse(path, "expected at least one of at_least, above, at_most, below, got none")
        if len(lower) > 1:
            self._checks.refuse(path, "expected at_least or above, got both")
        if len(upper) > 1:
            self._checks.refuse(path, "expected at_most or below, got both")
        return filters.Range(name, **bounds)
