"""JSON bodies to messages and back, by protobuf's own mapping (https://protobuf.dev/programming-guides/json), strictly."""

from __future__ import annotations

import difflib
import functools
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from google.protobuf import json_format

from recocore.service.problems import InvalidRequestError, MalformedRequestError, Violation

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

_M = TypeVar("_M", bound="Message")

# Deeper than any request, and far from Python's own limit.
_MAX_DEPTH = 64
# A hostile name is not looked at, or repeated, in full.
_MAX_NAME_CHARS = 64
_BASE64 = re.compile("[A-Za-z0-9+/_-]*={0,2}")
_TYPES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def to_message(kind: type[_M], body: bytes) -> _M:
    """The message that a JSON object says, with field names as in the proto or in lowerCamelCase.

    Raises:
        InvalidRequestError: it has fields that the message does not.
        MalformedRequestError: it is no JSON in UTF-8, or has a value that its field cannot hold; a field given twice and
            NaN are such, too.
    """
    message, descriptor = kind(), cast("Descriptor", kind.DESCRIPTOR)
    try:
        fields = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        _check_names(fields, descriptor, "")
        json_format.ParseDict(fields, message, max_recursion_depth=_MAX_DEPTH)
    except (InvalidRequestError, MalformedRequestError):
        raise
    except (ValueError, RecursionError, json_format.ParseError) as error:
        # Only ParseError quotes the body, and its text begins with what is wrong where.
        raise MalformedRequestError(f"the body is no {descriptor.full_name} in JSON: {error}") from error
    return message


def has_read_mask(message: Message) -> bool:
    """Whether a request, or a template in it, names the fields that it wants."""
    return any(
        field.name == "read_mask" or (field.message_type and not field.is_repeated and has_read_mask(value))
        for field, value in message.ListFields()
    )


def to_json(message: Message, *, with_empty: bool = True) -> bytes:
    """The message as JSON in UTF-8, with names as in the proto.

    Args:
        message: what to write.
        with_empty: whether fields of plain values and lists are written also where they are empty.
    """
    fields = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=with_empty
    )
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _check_names(fields: Any, kind: Descriptor, path: str) -> None:
    """Refuse what protobuf's parser would let pass, or would refuse without a path: unknown names, and no objects."""
    if not isinstance(fields, dict):
        got = _TYPES.get(type(fields), "a number")
        raise MalformedRequestError(f"{path or 'the body'}: expected an object, got {got}")
    known = _fields(kind)
    given = set()
    for name, value in fields.items():
        field = known.get(name)
        if field is None:
            raise _unknown(f"{path}.{name[:_MAX_NAME_CHARS]}".lstrip("."), name[:_MAX_NAME_CHARS], kind)
        if field.number in given:
            raise ValueError(f"{field.name} is given by both its names")
        given.add(field.number)
        if field.type == field.TYPE_BYTES:
            _check_base64(value, field.name)
        if field.message_type is not None and value is not None:
            _check_messages(value, field, f"{path}.{field.name}".lstrip("."))


def _check_messages(value: Any, field: FieldDescriptor, path: str) -> None:
    kind: Descriptor | None = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        kind = kind.fields_by_name["value"].message_type
        inner = value.items() if isinstance(value, dict) else ()
        places = [(f"{path}[{key[:_MAX_NAME_CHARS]}]", each) for key, each in inner]
    elif field.is_repeated:
        places = [(f"{path}[{at}]", each) for at, each in enumerate(value if isinstance(value, list) else ())]
    else:
        places = [(path, value)]
    # Those of google.protobuf have forms of their own.
    if kind is not None and not kind.full_name.startswith("google.protobuf."):
        for place, each in places:
            _check_names(each, kind, place)


def _check_base64(value: Any, name: str) -> None:
    # Protobuf's parser leaves out what is none.
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and not _BASE64.fullmatch(text):
            raise ValueError(f"{name} is not base64")


@functools.cache
def _fields(kind: Descriptor) -> dict[str, FieldDescriptor]:
    return {name: field for field in kind.fields for name in (field.json_name, field.name)}


def _unknown(path: str, name: str, kind: Descriptor) -> InvalidRequestError:
    near = difflib.get_close_matches(name, kind.fields_by_name, 1)
    hint = f"; {near[0]} is near" if near else ""
    return InvalidRequestError((Violation(path, f"expected a field of {kind.full_name}{hint}"),))
