"""Rings as a ledger keeps them for decisions that name their version: members are pseudonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore.errors import CorruptError, NotFoundError
from recocore.fraud.decision.rings import RingSize, touched
from recocore.storage.document import digest, parse, seal
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recocore.fraud.decision import KnownRings
    from recocore.state.keys import KeyFile


class KeptRings:
    """The rings of a file that `keep_rings` wrote: they say of an event what the rings themselves say.

    Args:
        path: the file.
        keys: that make pseudonyms.

    Raises:
        NotFoundError: there is no such file.
        CorruptError: it is damaged or foreign.
    """

    def __init__(self, path: Path, keys: KeyFile) -> None:
        try:
            body = parse(read_plain(path))
        except FileNotFoundError:
            raise NotFoundError(f"{path}: these rings are not kept") from None
        said = body.pop("digest", None)
        if digest(body) != said:
            raise CorruptError(f"{path}: changed after it was written; restore it from a backup")
        self._keys = keys
        self.version: str = body["version"]
        self._columns: list[str] = body["columns"]
        self._sizes = [RingSize(*size) for size in body["sizes"]]
        self._members: dict[str, int] = body["members"]

    def of(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As `KnownRings.of`."""
        return touched(
            event, self._columns, lambda name, value: self._members.get(_name(self._keys, name, value)), self._sizes
        )


def keep_rings(path: Path, rings: KnownRings, keys: KeyFile) -> None:
    """Write rings, durably."""
    members = {_name(keys, name, value): place for (name, value), place in rings.members.items()}
    sizes = [[size.density, size.accounts, size.entities] for size in rings.sizes]
    body = {"version": rings.version, "columns": list(rings.columns), "sizes": sizes, "members": members}
    replace_plain(path, seal(body), mode=0o600)


def _name(keys: KeyFile, column: str, value: str) -> str:
    return keys.event(f"ring\x1f{column}\x1f{value}").hex()
