"""Random messages of any kind, by descriptor: many of them sound, some at the limits, some beyond; and mutated bytes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from google.protobuf.message import Message

_USERS = ["even", "odd", "who"]
_IDS = [*_USERS, *(f"i{number:02}" for number in range(12))]
_ODD_TEXTS = ["", " ", "\x00", "x" * 256, "x" * 257, "ü" * 128, "😀" * 65, "items.item_id", "stable", "../..", "%s%n"]
_NUMBERS: dict[int, list[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: [0, 1, 3, 10, 500, 501, -1, 2**31 - 1, -(2**31)],
    FieldDescriptor.CPPTYPE_INT64: [0, 1, 10, -1, 2**63 - 1, -(2**63)],
    FieldDescriptor.CPPTYPE_UINT32: [0, 1, 10, 2**32 - 1],
    FieldDescriptor.CPPTYPE_UINT64: [0, 1, 10, 2**64 - 1],
    FieldDescriptor.CPPTYPE_FLOAT: [0.0, 0.5, 1.0, -1.0, 3e38, math.inf, -math.inf, math.nan],
    FieldDescriptor.CPPTYPE_DOUBLE: [0.0, 0.5, 1.0, -1.0, 1e308, 5e-324, math.inf, math.nan],
    FieldDescriptor.CPPTYPE_BOOL: [False, True],
}
# What a comment says of a field without which a request is refused.
_REQUIRED = re.compile(r"^Required\.|\b1 to [\d,]+\b")
_DEEPEST = 6


class RandomMessages:
    """Draws messages; the comments of the protos say which fields must be there.

    Args:
        rng: where chance comes from.
        comments: the comment of each field, by full name.
    """

    def __init__(self, rng: random.Random, comments: Mapping[str, str]) -> None:
        self._rng = rng
        self._comments = comments

    def bytes_for(self, kind: type[Message]) -> bytes:
        """Bytes that may be a message of the kind: it as drawn, it mutated, or noise."""
        drawn = self._rng.random()
        if drawn < 0.2:
            return self._rng.randbytes(self._rng.randint(0, 200))
        data: bytes = self.message(kind).SerializeToString()
        return data if drawn < 0.6 else mutated(self._rng, data)

    def message(self, kind: type[Message], depth: int = 0) -> Any:
        """A message with its required fields, mostly, and some others."""
        message: Any = kind()
        descriptor: Any = kind.DESCRIPTOR
        share = self._rng.choice([0.0, 0.05, 0.2, 0.6]) if depth == 0 else 0.4
        for field in descriptor.fields:
            required = _REQUIRED.search(self._comments.get(field.full_name, "")) is not None
            # A token that is made up is refused, and then nothing else of the message matters.
            chance = share / 5 if field.name.endswith("_token") else share
            if self._rng.random() < (0.95 if required else chance):
                self._fill(message, field, depth, required=required)
        return message

    def _fill(self, message: Any, field: Any, depth: int, *, required: bool) -> None:
        if field.message_type is not None and depth >= _DEEPEST:
            return
        if field.is_repeated:
            self._fill_many(message, field, depth, least=int(required))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(self._value(field, depth))
        else:
            setattr(message, field.name, self._value(field, depth))

    def _fill_many(self, message: Any, field: Any, depth: int, least: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
            for _ in range(self._rng.randint(0, 3)):
                entries, name = getattr(message, field.name), self._value(key, depth)
                if value.message_type is None:
                    entries[name] = self._value(value, depth)
                else:
                    entries[name].CopyFrom(self._value(value, depth))
            return
        plain = field.message_type is None
        count = 1_100 if plain and self._rng.random() < 0.01 else self._rng.randint(least, 4)
        getattr(message, field.name).extend(self._value(field, depth) for _ in range(count))

    def _value(self, field: Any, depth: int) -> Any:
        rng = self._rng
        if field.message_type is not None:
            return self.message(message_factory.GetMessageClass(field.message_type), depth + 1)
        if field.enum_type is not None:
            return rng.choice([17, -1]) if rng.random() < 0.05 else rng.choice(field.enum_type.values).number
        if field.type == FieldDescriptor.TYPE_BYTES:
            return rng.randbytes(rng.randint(0, 40))
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return rng.choice(_ODD_TEXTS if rng.random() < 0.04 else _USERS if "user" in field.name else _IDS)
        numbers = _NUMBERS[field.cpp_type]
        return rng.choice(numbers if rng.random() < 0.2 else numbers[:3])


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The bytes after a few changes such as a faulty or hostile caller makes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at:at] = rng.randbytes(rng.randint(1, 6))
            case 2:
                del changed[at : at + rng.randint(1, 6)]
            case 3:
                # The longest varint, and one that never ends.
                changed[at:at] = rng.choice([b"\xff" * 9 + b"\x01", b"\xff" * 12])
            case _:
                changed[at:at] = changed[: rng.randint(0, 20)]
    return bytes(changed)
