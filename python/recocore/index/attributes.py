"""What is known of items beside who had them."""

from __future__ import annotations

from typing import Literal, TypeAlias

FieldType: TypeAlias = Literal["text", "number", "flag"]

# Texts of a field that was given as lists come as a list.
AttributeValue: TypeAlias = str | list[str] | float | bool
