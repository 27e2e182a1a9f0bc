"""Notes: numbers beside a ledger's log, each a small file that is replaced whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recocore.errors import CorruptError
from recocore.storage.document import count, digest, parse, seal
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from pathlib import Path

# The time, microseconds since 1970, before which events were dropped.
CUT: Final = "retention"
# The commit up to which a state was followed.
FOLLOWED: Final = "followed"


def read_note(folder: Path, name: str) -> int | None:
    """What was noted; None where nothing was.

    Raises:
        CorruptError: the file is damaged.
    """
    path = folder / f"{name}.json"
    try:
        body = parse(read_plain(path))
    except FileNotFoundError:
        return None
    said = body.pop("digest", None)
    if digest(body) != said or body.get("format") != f"recocore-fraud-{name}" or count(body, "format_version") != 1:
        raise CorruptError(f"{path}: damaged, or of a later version; restore it from a backup")
    return count(body, "value")


def write_note(folder: Path, name: str, value: int) -> None:
    """Note a number, durably."""
    body = {"format": f"recocore-fraud-{name}", "format_version": 1, "value": value}
    replace_plain(folder / f"{name}.json", seal(body), mode=0o600)
