"""The alias file: which version each alias points to, how often that changed, and where the journal ends.

It is one small document with its own digest, replaced whole. Replacing it is what makes a change: what a writer did before,
such as adding to the journal, counts for nothing until then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recocore.errors import CorruptError
from recocore.registry.journal import JournalEnd
from recocore.registry.names import is_alias, is_version
from recocore.storage.document import count, parse, seal, take
from recocore.storage.plain_file import read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ALIAS_FILE_NAME = "aliases.json"
FORMAT = "recocore-registry"
FORMAT_VERSION = 1

_DIGEST = re.compile(r"([0-9a-f]{64})?")  # empty while nothing has changed


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that points to a version.

    Attributes:
        name: the alias.
        version: what it points to.
        generation: the registry's when it was last set, at least 1; no two changes have the same. It tells whether
            somebody else has changed the alias since it was read.
    """

    name: str
    version: str
    generation: int


@dataclass(frozen=True, slots=True)
class AliasFile:
    """What the alias file says.

    Attributes:
        generation: the number of changes so far.
        aliases: by name.
        journal: where the journal ends.
    """

    generation: int = 0
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    journal: JournalEnd = field(default_factory=JournalEnd)

    def names_of(self, version: str) -> tuple[str, ...]:
        """The aliases that point to a version, in order."""
        return tuple(sorted(alias.name for alias in self.aliases.values() if alias.version == version))

    def to_bytes(self) -> bytes:
        """The one spelling of this file."""
        aliases = {
            name: {"version": alias.version, "generation": alias.generation}
            for name, alias in sorted(self.aliases.items())
        }
        return seal(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "generation": self.generation,
                "journal": {"size": self.journal.size, "digest": self.journal.digest},
                "aliases": aliases,
            }
        )

    @classmethod
    def read(cls, path: Path) -> AliasFile:
        """Read the file.

        Raises:
            FileNotFoundError: it is not there.
            CorruptError: it is damaged, foreign or newer; the message names it.
        """
        data = read_plain(path)
        try:
            return cls._from_bytes(data)
        except CorruptError as error:
            raise CorruptError(
                f"{path}: {error}; restore it from a backup, or publish the versions to a new registry"
            ) from error

    @classmethod
    def _from_bytes(cls, data: bytes) -> AliasFile:
        body = parse(data)
        if body.get("format") != FORMAT:
            raise CorruptError(f'not of a registry: expected format "{FORMAT}", got {body.get("format")!r:.60}')
        version = count(body, "format_version")
        if version != FORMAT_VERSION:
            raise CorruptError(f"format_version: expected {FORMAT_VERSION}, got {version}; another recocore wrote it")
        journal = take(body, "journal", dict)
        if not _DIGEST.fullmatch(take(journal, "digest", str)):
            raise CorruptError(f"journal: expected a SHA-256, got {journal['digest']!r:.80}")
        read = cls(
            generation=count(body, "generation"),
            aliases={name: _alias(name, entry) for name, entry in take(body, "aliases", dict).items()},
            journal=JournalEnd(count(journal, "size"), journal["digest"]),
        )
        if read.to_bytes() != data:
            raise CorruptError("its digest does not match its content: it was changed after it was written")
        return read


def _alias(name: str, entry: Any) -> Alias:
    if not is_alias(name) or not isinstance(entry, dict):
        raise CorruptError(f"aliases: expected names that point to versions, got {name!r:.80}: {entry!r:.80}")
    version = take(entry, "version", str)
    if not is_version(version):
        raise CorruptError(f"aliases: {name}: expected twelve hexadecimal digits, got {version!r:.80}")
    return Alias(name, version, count(entry, "generation"))
