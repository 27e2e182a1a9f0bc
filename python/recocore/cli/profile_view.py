"""One profile in the terminal, from a table or from a running service."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.cli.terminal import console, print_json, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Seconds for a service to answer: somebody is waiting in front of a terminal.
_PATIENCE = 10.0


def print_profile(values: Mapping[str, Any], reasons: Iterable[str]) -> None:
    """A table of what has a value, then the reasons of tags, a line each."""
    shown = table("feature", "value", text=2)
    for name, value in values.items():
        if value is not None and value != []:
            shown.add_row(name, _spell(value))
    target = console()
    target.print(shown)
    for why in reasons:
        target.print(why, soft_wrap=True, markup=False)


def show_served(address: str, id_: str, visitor: bool, ca: str | None, api_key_file: str | None, as_json: bool) -> None:
    """Print what a service says of a user or visitor.

    Raises:
        ServiceError: it has no such profile, or cannot be reached.
        OSError: a file cannot be read.
    """
    from recocore.client import Client  # noqa: PLC0415  # gRPC takes a fifth of a second of a start

    key = None if api_key_file is None else Path(api_key_file).read_text(encoding="utf-8").strip()
    with Client(address, timeout=_PATIENCE, ca=None if ca is None else Path(ca), api_key=key) as client:
        given = client.profiles.get(visitor_id=id_) if visitor else client.profiles.get(id_)
    if as_json:
        print_json(json_ready(dataclasses.asdict(given)))
        return
    about = {
        "visitor_id" if visitor and given.visitor_id else "user_id": given.visitor_id or given.user_id,
        "as_of": given.as_of,
        "complete_since": given.complete_since,
        "currency": given.currency or None,
    }
    said = {name: f"{attribute.value} (said: {attribute.source})" for name, attribute in given.attributes.items()}
    others = {
        "segments": ", ".join(given.segments) or None,
        "merged": ", ".join(each.user_id or each.visitor_id for each in given.merges) or None,
    }
    print_profile(about | given.features | given.lifetime | said | others, (tag.explanation for tag in given.tags))


def json_ready(value: Any) -> Any:
    """A value as JSON holds it: times as ISO 8601."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case dict():
            return {key: json_ready(inner) for key, inner in value.items()}
        case list() | tuple():
            return [json_ready(inner) for inner in value]
    return value


def _spell(value: Any) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case float():
            return f"{value:,.6g}"
        case list():
            return ", ".join(_entry(entry) for entry in value[:8]) + (
                f", … {len(value) - 8} more" if len(value) > 8 else ""
            )
        case int():
            return f"{value:,}"
    return str(value)


def _entry(entry: Any) -> str:
    values: Sequence[Any] = list(entry.values()) if isinstance(entry, dict) else [entry]
    *names, last = values
    return f"{' → '.join(map(str, names))} {_spell(last)}".strip()
