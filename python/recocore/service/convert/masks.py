"""Decodes read masks into the form of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.service import limits
from recocore.service.queries import PLAIN, AttributeMask, Form
from recocore.v1 import recommendation_pb2 as shared

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.field_mask_pb2 import FieldMask

    from recocore.service.convert.checks import Checks

_ITEM_FIELDS = frozenset(shared.ScoredItem.DESCRIPTOR.fields_by_name)
_ATTRIBUTES = "attributes"
_PACKED = Form(packed=True)


def decode_form(mask: FieldMask, packed: bool, response: Descriptor, checks: Checks, path: str) -> Form:
    """How to answer, from the read mask at a path and the output format."""
    if not mask.paths:
        return _PACKED if packed else PLAIN
    path = f"{path}.paths"
    if not checks.count(mask.paths, path, limits.MAX_MASK_PATHS, "paths"):
        return PLAIN
    fields: set[str] = set()
    item_fields: set[str] = set()
    names: dict[str, str] = {}
    for position, masked in enumerate(mask.paths):
        here = f"{path}[{position}]"
        top, _, rest = masked.partition(".")
        inner, _, name = rest.partition(".")
        if top not in response.fields_by_name or (rest and top != "items"):
            checks.refuse(here, f"expected the path of a field of {response.name}, got {masked[:80]!r}")
        elif packed and (rest or top == "items"):
            checks.refuse(here, "expected no path into items, which OUTPUT_FORMAT_PACKED does not send")
        elif rest and (inner not in _ITEM_FIELDS or (name and inner != _ATTRIBUTES)):
            checks.refuse(here, f"expected items and a field of ScoredItem, got {masked[:80]!r}")
        else:
            fields.add(top)
            if rest:
                item_fields.add(inner)
            elif top == "items":
                item_fields |= _ITEM_FIELDS - {_ATTRIBUTES}
            if name:
                names.setdefault(checks.name(name, here), here)
    every = _ATTRIBUTES in item_fields and any(masked == f"items.{_ATTRIBUTES}" for masked in mask.paths)
    attributes = AttributeMask(every, *_columns(names)) if _ATTRIBUTES in item_fields else None
    return Form(packed, frozenset(fields), frozenset(item_fields), attributes)


def _columns(names: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(names), tuple(names.values())
