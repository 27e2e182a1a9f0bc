"""The alias file and the journal together: one writer at a time, and a change is made or not."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recocore.errors import ConflictError, CorruptError, InvalidArgumentError, NotFoundError
from recocore.registry import journal
from recocore.registry.aliases import ALIAS_FILE_NAME, Alias, AliasFile
from recocore.registry.journal import JOURNAL_NAME, AliasChange
from recocore.registry.locks import exclusive
from recocore.registry.versions import VERSIONS_NAME
from recocore.storage.folder import published
from recocore.storage.plain_file import replace_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recocore.registry.journal import Action


class Ledger:
    """What the aliases of a registry are and were.

    Args:
        root: the registry's folder.
        who: goes into the journal.
    """

    def __init__(self, root: Path, who: str) -> None:
        self.alias_file = root / ALIAS_FILE_NAME
        self._root = root
        self._who = who
        self._journal = root / JOURNAL_NAME

    def make(self) -> None:
        """Make the registry's folder, with all that it has from the first, unless it is there.

        Raises:
            NotFoundError: there is no folder to make it in.
            InvalidArgumentError: something else stands there.
            CorruptError: the registry that stands there is damaged.
        """
        if os.path.lexists(self.alias_file):
            self.read()
            return
        target = self._root.resolve()
        if not target.parent.is_dir():
            raise NotFoundError(f"path: the folder {target.parent} does not exist; create it first")
        if target.exists() and not target.is_dir():
            raise InvalidArgumentError(f"path: {target} is a file; a registry is a folder, name another", field="path")
        if target.is_dir() and any(target.iterdir()):
            if os.path.lexists(self.alias_file):  # another process was first
                return
            self._refuse_what_is_half_there()
            raise InvalidArgumentError(
                f"path: {target} is not empty and no registry; name a folder that is free", field="path"
            )
        try:
            with published(target, replace=False) as folder:
                (folder / VERSIONS_NAME).mkdir()
                (folder / JOURNAL_NAME).touch()
                (folder / ALIAS_FILE_NAME).write_bytes(AliasFile().to_bytes())
        except OSError:
            if not os.path.lexists(self.alias_file):  # else another process was first
                raise

    def read(self) -> AliasFile:
        """What the aliases are. Reads one small file.

        Raises:
            NotFoundError: there is no registry.
            CorruptError: the alias file is damaged, or the folder of versions is not there.
        """
        try:
            state = AliasFile.read(self.alias_file)
        except (FileNotFoundError, NotADirectoryError):
            self._refuse_what_is_half_there()
            raise NotFoundError(
                f"{self._root}: there is no registry here; Registry.publish or `recocore registry publish` makes one"
            ) from None
        versions = self._root / VERSIONS_NAME
        if versions.is_symlink() or not versions.is_dir():
            raise CorruptError(f"{versions}: expected a folder, which every registry has; restore it from a backup")
        return state

    def changes(self, state: AliasFile) -> tuple[AliasChange, ...]:
        """What led to a state, first to last.

        Raises:
            CorruptError: the journal is damaged.
        """
        return journal.read(self._journal, state.journal)

    @contextmanager
    def locked(self) -> Iterator[AliasFile]:
        """What the aliases are while nobody else changes them; raises as `read`."""
        self.read()  # says what is wrong where there is no registry
        with exclusive(self._root):
            yield self.read()

    def change(self, state: AliasFile, alias: str, version: str | None, action: Action) -> AliasFile:
        """Point an alias to a version, or to none, from the state that `locked` gave: the new state.

        Raises:
            CorruptError: the journal is missing or cut.
            OSError: the file system refuses.
        """
        generation = state.generation + 1
        current = state.aliases.get(alias)
        change = AliasChange(
            generation=generation,
            time=datetime.now(UTC).replace(microsecond=0),
            who=self._who,
            action=action,
            alias=alias,
            before=current.version if current else None,
            after=version,
        )
        end = journal.append(self._journal, state.journal, change)
        aliases = {name: other for name, other in state.aliases.items() if name != alias}
        if version is not None:
            aliases[alias] = Alias(alias, version, generation)
        changed = AliasFile(generation, aliases, end)
        replace_plain(self.alias_file, changed.to_bytes())
        return changed

    def touch(self, state: AliasFile) -> None:
        """Count a change that no alias shows."""
        replace_plain(self.alias_file, AliasFile(state.generation + 1, state.aliases, state.journal).to_bytes())

    def unknown(self, alias: str, state: AliasFile) -> NotFoundError:
        """The error that there is no such alias."""
        known = ", ".join(sorted(state.aliases)) or "none yet"
        return NotFoundError(f"alias: expected one of {self._root} ({known}), got {alias}; set it, or publish with it")

    def _refuse_what_is_half_there(self) -> None:
        half_there = os.path.lexists(self._root / VERSIONS_NAME) or os.path.lexists(self._journal)
        if half_there and not os.path.lexists(self.alias_file):  # else it was made a moment ago
            raise CorruptError(
                f"{self.alias_file}: missing; restore it from a backup, or publish the versions to a new registry"
            )


def current_alias(state: AliasFile, alias: str, expected: int | None) -> Alias | None:
    """The alias as it is.

    Raises:
        ConflictError: it is of another generation than `expected`.
    """
    current = state.aliases.get(alias)
    generation = current.generation if current else 0
    if expected is not None and generation != expected:
        got = f"{generation}, at {current.version}" if current else "0: there is no such alias"
        raise ConflictError(
            f"alias: expected {alias} to be of generation {expected}, got {got}; somebody else changed it: look, then decide"
        )
    return current
