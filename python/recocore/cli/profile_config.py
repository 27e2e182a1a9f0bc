"""The configuration of profiles, as people write it."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.cli.parameters import duration
from recocore.errors import InvalidArgumentError
from recocore.profiles import ProfileConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta


def profile_config(
    path: str | None, weights: Mapping[str, float] | None = None, half_life: timedelta | None = None
) -> ProfileConfig:
    """The configuration of a TOML file, and what options say in place of it.

    Args:
        path: fields of `ProfileConfig`, durations as text such as "30d"; None for none.
        weights: in place of the file's.
        half_life: in place of the file's.

    Raises:
        FileNotFoundError: no such file.
        InvalidArgumentError: not TOML, a field that is not there, or a value that it does not take.
    """
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidArgumentError(f"{path}: {error}", field="config") from None
    fields = {field.name for field in dataclasses.fields(ProfileConfig)} - {"cuts"}
    if unknown := sorted(set(given) - fields):
        raise InvalidArgumentError(
            f"{path}: expected fields of ProfileConfig ({', '.join(sorted(fields))}), got {', '.join(unknown)}",
            field="config",
        )
    spans = {field.name for field in dataclasses.fields(ProfileConfig) if "timedelta" in str(field.type)} - {
        "half_lives"
    }
    values = {name: _span(value) if name in spans else value for name, value in given.items()}
    if isinstance(values.get("half_lives"), dict):
        values["half_lives"] = {name: _span(value) for name, value in values["half_lives"].items()}
    if weights is not None:
        values["weights"] = weights
    if half_life is not None:
        values["half_life"] = half_life
    ready: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        return ProfileConfig(**ready)
    except (TypeError, AttributeError) as error:  # a value of a kind that the field's own check does not foresee
        raise InvalidArgumentError(f"{path}: {error}; see the fields of ProfileConfig", field="config") from None


def _span(value: Any) -> Any:
    return duration(value) if isinstance(value, str) else value
