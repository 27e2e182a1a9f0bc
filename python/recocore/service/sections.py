"""Sections of settings: frozen dataclasses filled from values that a file, the environment or a command line gives."""

from __future__ import annotations

import difflib
import math
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")

# A secret is given by the name of the file that holds it, never by its value: a file has an owner and a mode.
_SECRET_SUFFIX = "_file"
_REDACTED = "(redacted)"
_MOST_SECRET_BYTES = 4096
# What TOML calls the types.
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True, slots=True)
class Given:
    """A value and where it is from.

    Attributes:
        value: as TOML has it, or text where `is_text`.
        source: for people, such as `recocore.toml` or `environment RECOCORE_SERVER_PORT`.
        is_text: the value is a text that stands for a value of another type, as in the environment.
    """

    value: Any
    source: str
    is_text: bool = False


def keys_of(section: type) -> dict[str, Any]:
    """The keys that a section takes, with their types; the key of a secret ends in `_file` and is a path."""
    hints = get_type_hints(section)
    return {
        f"{entry.name}{_SECRET_SUFFIX}" if _is_secret(hints[entry.name]) else entry.name: hints[entry.name]
        for entry in fields(section)
        if entry.init
    }


def read_section(section: type[_T], name: str, given: Mapping[str, Given]) -> _T:
    """A section with the values given and its defaults for the others.

    Raises:
        InvalidArgumentError: an unknown key, or a value of the wrong type or out of range; `field` is `name.key`.
    """
    known = keys_of(section)
    values: dict[str, Any] = {}
    for key, what in given.items():
        if key not in known:
            raise refuse_name(f"{name}.{key}", what.source, "key", key, known)
        values[key.removesuffix(_SECRET_SUFFIX) if _is_secret(known[key]) else key] = _value(
            what, known[key], f"{name}.{key}"
        )
    try:
        return section(**values)
    except InvalidArgumentError as error:
        path = error.field.removeprefix(f"{name}.")
        key = path.partition(".")[0]
        source = given[key].source if key in given else ", ".join(dict.fromkeys(each.source for each in given.values()))
        raise InvalidArgumentError(
            f"{source}: section [{name}]: {error}", field=f"{name}.{path}" if path else name
        ) from error


def refuse_name(where: str, source: str, kind: str, got: str, known: Iterable[str]) -> InvalidArgumentError:
    """The refusal of an unknown name, with the nearest known one."""
    names = sorted(known)
    nearest = difflib.get_close_matches(got, names, n=1)
    step = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(names)}"
    return InvalidArgumentError(f"{source}: {where}: no such {kind}; {step}", field=where)


def shown(section: Any) -> dict[str, Any]:
    """A section's values by key, as JSON can hold them, secrets redacted."""
    values: dict[str, Any] = {}
    for key, hint in keys_of(type(section)).items():
        if _is_secret(hint):
            values[key] = None if getattr(section, key.removesuffix(_SECRET_SUFFIX)) is None else _REDACTED
        else:
            values[key] = _plain(getattr(section, key))
    return values


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return shown(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner) for inner in value]
    return value


def _is_secret(hint: Any) -> bool:
    return hint is bytes or bytes in get_args(hint)


def _value(given: Given, hint: Any, where: str) -> Any:
    if _is_secret(hint):
        return _secret(given, where)
    value = given.value
    if given.is_text and not _takes_text(hint):
        try:
            tables = tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError:
            tables = {}
        # More lines than one would be more keys.
        if len(tables) != 1:
            raise _refuse(given, where, hint, value)
        value = tables["value"]
    return _convert(value, hint, where, given)


def _takes_text(hint: Any) -> bool:
    origin = get_origin(hint)
    return hint is str or origin is Literal or (origin in {Union, types.UnionType} and str in get_args(hint))


def _convert(value: Any, hint: Any, where: str, given: Given) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        [inner] = [argument for argument in arguments if argument is not type(None)]
        return _convert(value, inner, where, given)
    if origin is Literal and isinstance(value, str) and value not in arguments:
        raise refuse_name(where, given.source, f"choice as {value!r}", value, map(str, arguments))
    if hint is float and _is_number(value):
        # Every bound of a setting would let nan pass.
        if not math.isfinite(value):
            raise _refuse(given, where, hint, value)
        return float(value)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(inner, arguments[0], f"{where}[{place}]", given) for place, inner in enumerate(value))
    if isinstance(value, dict):
        if is_dataclass(hint) and isinstance(hint, type):
            return _table(value, hint, where, given)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {key: _convert(inner, arguments[1], f"{where}.{key}", given) for key, inner in value.items()}
    # Not isinstance: true is no number here.
    if type(value) is hint or (origin is Literal and value in arguments):
        return value
    raise _refuse(given, where, hint, value)


def _table(value: dict[str, Any], kind: type, where: str, given: Given) -> Any:
    values = {key: Given(inner, given.source) for key, inner in value.items()}
    # A name that nobody knows says more than what is missing: it may be that, misspelt.
    if values.keys() <= keys_of(kind).keys():
        for entry in fields(kind):
            if entry.default is entry.default_factory is MISSING and entry.name not in values:
                key = f"{where}.{entry.name}"
                raise InvalidArgumentError(f"{given.source}: {key}: expected a value, got none", field=key)
    return read_section(kind, where, values)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _refuse(given: Given, where: str, hint: Any, got: Any) -> InvalidArgumentError:
    return InvalidArgumentError(f"{given.source}: {where}: expected {_name(hint)}, got {got!r}", field=where)


def _name(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return " or ".join(_name(argument) for argument in arguments if argument is not type(None))
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin is tuple:
        return f"a list, each {_name(arguments[0])}"
    return _NAMES.get(hint, "a table")


def _secret(given: Given, where: str) -> bytes:
    if not isinstance(given.value, str) or not given.value:
        raise InvalidArgumentError(
            f"{given.source}: {where}: expected the path of a file that holds the secret", field=where
        )
    try:
        with Path(given.value).open("rb") as file:
            secret = file.read(_MOST_SECRET_BYTES + 1).strip()
    except (OSError, ValueError) as error:
        # The value may be the secret itself, put here by mistake: it is not repeated.
        why = error.strerror if isinstance(error, OSError) else "no path"
        raise InvalidArgumentError(
            f"{given.source}: {where}: cannot read the file it names: {why}; name a readable file", field=where
        ) from None
    if not 0 < len(secret) <= _MOST_SECRET_BYTES:
        raise InvalidArgumentError(
            f"{given.source}: {where}: expected a file of 1 to {_MOST_SECRET_BYTES} bytes", field=where
        )
    return secret
