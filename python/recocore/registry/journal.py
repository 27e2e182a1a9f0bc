"""The journal of alias changes: a line of JSON each, only ever added to, each with the digest of the line before.

The alias file says how long the journal is and which digest it ends with. What stands behind that end is of a writer that
was killed before its change was made: nobody reads it, and the next writer cuts it off.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from recocore.errors import CorruptError
from recocore.registry.names import is_alias, is_version
from recocore.storage.document import count, digest, parse, take
from recocore.storage.plain_file import open_plain, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

JOURNAL_NAME = "journal.jsonl"

Action: TypeAlias = Literal["set", "remove", "rollback"]

_ACTIONS: dict[str, Action] = {action: action for action in get_args(Action)}
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class AliasChange:
    """One change of one alias.

    Attributes:
        generation: the registry's after the change.
        time: UTC, whole seconds.
        who: changed it.
        action: "set", "remove" or "rollback".
        alias: that was changed.
        before: the version it pointed to; None where there was no such alias.
        after: the version it pointed to from then on; None where it was removed.
    """

    generation: int
    time: datetime
    who: str
    action: Action
    alias: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class JournalEnd:
    """Where the journal ends.

    Attributes:
        size: bytes.
        digest: of the last line; empty where there is none.
    """

    size: int = 0
    digest: str = ""


def append(path: Path, end: JournalEnd, change: AliasChange) -> JournalEnd:
    """Add a change behind `end`, durably: where the journal ends then. One writer at a time.

    Raises:
        CorruptError: the journal is missing or shorter than `end`.
        OSError: the file system refuses; what was written stands behind `end`, where nobody reads it.
    """
    body = {
        "generation": change.generation,
        "time": change.time.strftime(_TIME),
        "who": change.who,
        "action": change.action,
        "alias": change.alias,
        "before": change.before,
        "after": change.after,
        "previous": end.digest,
    }
    line = _spell(body)
    try:
        descriptor = open_plain(path, os.O_WRONLY)
    except FileNotFoundError:
        raise _missing(path) from None
    with os.fdopen(descriptor, "wb") as sink:
        _check_size(path, os.fstat(descriptor).st_size, end)
        sink.truncate(end.size)
        sink.seek(end.size)
        sink.write(line)
        sink.flush()
        os.fsync(descriptor)
    return JournalEnd(end.size + len(line), digest(body))


def read(path: Path, end: JournalEnd) -> tuple[AliasChange, ...]:
    """Every change up to `end`, first to last. O(bytes).

    Raises:
        CorruptError: the journal is missing or was changed since it was written; the message names the line.
    """
    try:
        data = read_plain(path)
    except FileNotFoundError:
        raise _missing(path) from None
    _check_size(path, len(data), end)
    changes, last = [], ""
    for number, line in enumerate(data[: end.size].splitlines(keepends=True), 1):
        try:
            change, last = _parse(line, last)
        except CorruptError as error:
            raise CorruptError(f"{path}: line {number}: {error}; restore it from a backup") from error
        changes.append(change)
    if last != end.digest:
        raise CorruptError(f"{path}: ends with another change than the alias file says; restore both from a backup")
    return tuple(changes)


def earlier_versions(changes: Iterable[AliasChange], alias: str) -> list[str]:
    """The versions that rolling back goes to, the next one last.

    A change puts the version that it leaves on a stack, and rolling back takes it off again: rolling back twice goes two
    versions back, it does not return to the version that was fled from.

    Example:
        >>> at = datetime(2026, 1, 1, tzinfo=UTC)
        >>> def change(action, before, after):
        ...     return AliasChange(1, at, "ann", action, "stable", before, after)
        >>> log = [change("set", None, "a"), change("set", "a", "b"), change("set", "b", "c")]
        >>> earlier_versions(log, "stable")
        ['a', 'b']
        >>> earlier_versions([*log, change("rollback", "c", "b")], "stable")
        ['a']
    """
    stack: list[str] = []
    for change in changes:
        if change.alias != alias:
            continue
        if change.action == "rollback":
            del stack[-1:]
        elif change.before is not None:
            stack.append(change.before)
    return stack


def _spell(body: dict[str, Any]) -> bytes:
    return (json.dumps({**body, "digest": digest(body)}, ensure_ascii=False) + "\n").encode()


def _parse(line: bytes, previous: str) -> tuple[AliasChange, str]:
    """The change of a line and the line's digest."""
    body = parse(line)
    said = take(body, "digest", str)
    body.pop("digest")
    try:
        unchanged = _spell(body) == line
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"not a line that recocore writes: {error}") from error
    if not unchanged:
        raise CorruptError("its digest does not match its content: it was changed after it was written")
    if take(body, "previous", str) != previous:
        raise CorruptError("it does not follow the line before")
    action = _ACTIONS.get(take(body, "action", str))
    alias = take(body, "alias", str)
    if action is None or not is_alias(alias):
        raise CorruptError(f"expected a change of an alias, got {body['action']!r:.40} of {alias!r:.80}")
    change = AliasChange(
        generation=count(body, "generation"),
        time=_time(take(body, "time", str)),
        who=take(body, "who", str),
        action=action,
        alias=alias,
        before=_version(body, "before"),
        after=_version(body, "after"),
    )
    return change, said


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise CorruptError(f"time: {error}") from error


def _version(body: dict[str, Any], key: str) -> str | None:
    if body.get(key) is None:
        return None
    version = take(body, key, str)
    if not is_version(version):
        raise CorruptError(f"{key}: expected twelve hexadecimal digits, got {version!r:.80}")
    return version


def _check_size(path: Path, size: int, end: JournalEnd) -> None:
    if size < end.size:
        raise CorruptError(f"{path}: expected at least {end.size} bytes, got {size}; restore it from a backup")


def _missing(path: Path) -> CorruptError:
    return CorruptError(f"{path}: missing; restore it from a backup, or publish the versions to a new registry")
