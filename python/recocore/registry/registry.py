"""The registry: versions of an index on disk, and aliases that move between them.

    PATH/aliases.json           what each alias points to; replaced whole, see `aliases`
    PATH/journal.jsonl          who moved which alias when; only ever added to, see `journal`
    PATH/versions/<version>/    index folders as `Index.save` writes them; each whole or not there

Everything is a file, and nothing here runs on its own: any number of processes of one machine may read and write at once.
Writers of aliases take turns by a lock on PATH; readers need no lock and no permission to write. Where the folder lies on a
network, its file system has to support locks on folders between machines.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

from recocore.errors import InUseError, InvalidArgumentError, NotFoundError
from recocore.index import Index
from recocore.registry.journal import earlier_versions
from recocore.registry.ledger import Ledger, current_alias
from recocore.registry.names import check_alias, check_name, check_path, check_version, check_who, is_version
from recocore.registry.versions import VERSIONS_NAME, VersionFolders, VersionInfo
from recocore.storage.plain_file import read_plain

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from recocore.registry.aliases import Alias
    from recocore.registry.journal import AliasChange

_T = TypeVar("_T")


class Registry:
    """A folder of versions of an index: trainers publish to it, servers read from it.

    Nothing is opened or made until it is asked for, and nothing is kept in memory: a registry may be shared by threads and
    every call sees what the last change of any process left.

    Args:
        path: the folder. The first `publish` makes it; its parent must be there.
        who: for the journal; by default the user and host of this process.

    Raises:
        InvalidArgumentError: no path, or `who` is no line of text.

    Example:
        >>> import tempfile, pathlib
        >>> from recocore import Index, Interactions
        >>> from recocore.models import ItemKNN
        >>> log = Interactions.from_coo(["ann", "ann", "bob"], ["tea", "pot", "tea"])
        >>> registry = Registry(pathlib.Path(tempfile.mkdtemp()) / "models")
        >>> first = registry.publish(Index.build(ItemKNN(k=10).fit(log), log), alias="stable")
        >>> second = registry.publish(Index.build(ItemKNN(k=10, shrinkage=5).fit(log), log))
        >>> moved = registry.set_alias("stable", second.version, expected=registry.aliases()["stable"].generation)
        >>> registry.rollback("stable").version == first.version
        True
        >>> registry.load("stable").recommend(["bob"], k=1)[0].items[0].item_id
        'pot'
    """

    def __init__(self, path: str | os.PathLike[str], *, who: str | None = None) -> None:
        self._path = check_path(path)
        self._ledger = Ledger(self._path, check_who(who))
        self._versions = VersionFolders(self._path / VERSIONS_NAME)

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    def publish(self, index: Index | str | os.PathLike[str], *, alias: str | None = None) -> VersionInfo:
        """Put an index under its version, whole or not at all, even when the process is killed.

        A version that is there already is read through: sound it stays, with its own manifest; damaged it is replaced.

        Args:
            index: an index, or the folder of a saved one, which is copied. O(bytes).
            alias: to point to it afterwards, as `set_alias` does.

        Raises:
            NotFoundError: there is no index at that path, or no folder to make the registry in.
            CorruptError: the index or the registry is damaged; the message names the file.
            InvalidArgumentError: a malformed alias, something that is neither an index nor a path, or a folder that holds
                something else than a registry.
            OSError: the file system refuses; the registry is as it was.
        """
        if alias is not None:
            check_alias(alias)
        source = None if isinstance(index, Index) else check_path(index)
        loaded = index if isinstance(index, Index) else Index.load(index)
        version = loaded.version
        self._ledger.make()
        if self._versions.add(loaded, source):
            with self._ledger.locked() as state:
                # The same versions as before, and yet a change: a reader who had given up on this one should try again.
                self._ledger.touch(state)
        if alias is not None:
            self.set_alias(alias, version)
        return self.get(version)

    def list(self) -> tuple[VersionInfo, ...]:
        """Every version, the newest index first and damaged ones last. Reads manifests only.

        Raises:
            NotFoundError: there is no registry.
            CorruptError: the alias file is damaged.
        """
        state = self._ledger.read()
        found = []
        for version in self._versions.names():
            try:
                found.append(self._versions.describe(version, state.names_of(version)))
            except NotFoundError:
                continue  # removed since its name was read
        return tuple(sorted(found, key=_newest_first))

    def get(self, name: str) -> VersionInfo:
        """A version, or the one that an alias points to. Reads its manifest only.

        Raises:
            InvalidArgumentError: neither a version nor an alias by its form.
            NotFoundError: there is none.
            CorruptError: the alias file is damaged; a damaged version is described by what is wrong with it.
        """
        return self._follow(
            name, lambda version: self._versions.describe(version, self._ledger.read().names_of(version))
        )

    def resolve(self, name: str) -> str:
        """The version that an alias points to; a version that is there stands for itself. Reads one small file.

        Raises:
            InvalidArgumentError: neither a version nor an alias by its form.
            NotFoundError: there is none.
            CorruptError: the alias file is damaged.
        """
        check_name(name)
        state = self._ledger.read()
        if is_version(name):
            self._versions.require(name)
            return name
        if name not in state.aliases:
            raise self._ledger.unknown(name, state)
        return state.aliases[name].version

    def load(self, name: str, verify: bool = True) -> Index:
        """Map a version, or the one that an alias points to. O(bytes).

        Args:
            name: version or alias.
            verify: compare the SHA-256 of every file; without it everything else is still checked.

        Raises:
            InvalidArgumentError: neither a version nor an alias by its form.
            NotFoundError: there is none.
            CorruptError: the version or the alias file is damaged; the message names the file.
        """
        return self._follow(name, lambda version: self._versions.load(version, verify=verify))

    def aliases(self) -> dict[str, Alias]:
        """Every alias by its name, in order.

        Raises:
            NotFoundError: there is no registry.
            CorruptError: the alias file is damaged.
        """
        return dict(sorted(self._ledger.read().aliases.items()))

    def history(self, alias: str | None = None) -> tuple[AliasChange, ...]:
        """The changes of an alias, or of all, first to last. O(changes).

        Raises:
            NotFoundError: there is no registry.
            CorruptError: the alias file or the journal is damaged.
        """
        if alias is not None:
            check_alias(alias)
        changes = self._ledger.changes(self._ledger.read())
        return tuple(change for change in changes if alias in (None, change.alias))

    def set_alias(self, alias: str, version: str, *, expected: int | None = None) -> Alias:
        """Point an alias to a version, once that has been read through and found sound. O(bytes) for the reading.

        The change is durable when this returns. Setting an alias to what it points to changes nothing.

        Args:
            alias: the name; it need not be there.
            version: the version, or an alias for what that points to now.
            expected: the alias's generation as it was last read, 0 for an alias that must not be there; if somebody else
                was faster, nothing is changed. None overrides whatever is there.

        Raises:
            InvalidArgumentError: a malformed name or generation.
            NotFoundError: there is no such version.
            ConflictError: the alias is not of the generation `expected`.
            CorruptError: the version is damaged, or the alias file or journal is; the alias stays as it is.
            OSError: the file system refuses; the alias stays as it is, unless only the last wait for the disk failed.
        """
        check_alias(alias)
        _check_expected(expected)
        target = self.resolve(version)
        self._versions.load(target, verify=True)  # without the lock: this takes as long as the version is large
        with self._ledger.locked() as state:
            current = current_alias(state, alias, expected)
            if current is not None and current.version == target:
                return current
            self._versions.require(target)  # still there
            return self._ledger.change(state, alias, target, "set").aliases[alias]

    def remove_alias(self, alias: str, *, expected: int | None = None) -> None:
        """Remove an alias; `rollback` brings it back.

        Args:
            alias: the name.
            expected: as in `set_alias`.

        Raises:
            InvalidArgumentError: a malformed name or generation.
            NotFoundError: there is no such alias.
            ConflictError: the alias is not of the generation `expected`.
            CorruptError: the alias file or journal is damaged.
            OSError: the file system refuses, as in `set_alias`.
        """
        check_alias(alias)
        _check_expected(expected)
        with self._ledger.locked() as state:
            if current_alias(state, alias, expected) is None:
                raise self._ledger.unknown(alias, state)
            self._ledger.change(state, alias, None, "remove")

    def rollback(self, alias: str, *, expected: int | None = None) -> Alias:
        """Point an alias to what it pointed to before; again, to what it pointed to before that.

        Rolling back undoes changes one by one, from the last: it never returns to a version that was rolled back from. A
        removed alias comes back to its last version. The version is read through first, as `set_alias` does. O(bytes).

        Args:
            alias: the name.
            expected: as in `set_alias`.

        Raises:
            InvalidArgumentError: a malformed name or generation.
            NotFoundError: nothing came before, or the version that did was removed.
            ConflictError: the alias is not of the generation `expected`.
            CorruptError: that version is damaged, or the alias file or journal is; the alias stays as it is.
            OSError: the file system refuses, as in `set_alias`.
        """
        check_alias(alias)
        _check_expected(expected)
        while True:
            seen = self._ledger.read()
            current_alias(seen, alias, expected)
            earlier = earlier_versions(self._ledger.changes(seen), alias)
            if not earlier:
                raise NotFoundError(
                    f"alias: {alias} has pointed to no earlier version; set it to one that the registry lists"
                )
            self._versions.load(earlier[-1], verify=True)
            with self._ledger.locked() as state:
                if state == seen:
                    return self._ledger.change(state, alias, earlier[-1], "rollback").aliases[alias]

    def remove(self, version: str) -> None:
        """Delete a version that no alias points to; who has loaded it reads on.

        Raises:
            InvalidArgumentError: not a version by its form.
            NotFoundError: there is no such version.
            InUseError: an alias points to it.
            CorruptError: the alias file is damaged.
            OSError: the file system refuses.
        """
        check_version(version)
        with self._ledger.locked() as state:
            if aliases := state.names_of(version):
                raise InUseError(
                    f"version: expected one that no alias points to, got {version}, which is {', '.join(aliases)}; "
                    "point that elsewhere first"
                )
            aside = self._versions.take_away(version)
        self._versions.delete(aside)

    def prune(self, keep: int) -> tuple[str, ...]:
        """Delete all but the newest versions and those that an alias points to: the versions that were deleted.

        What a rollback would go to is not held back. A version whose manifest does not read stays: a newer recocore may
        read it, and `remove` takes it by name.

        Args:
            keep: how many of the newest indexes to keep, at least 0.

        Raises:
            InvalidArgumentError: a malformed number.
            NotFoundError: there is no registry.
            CorruptError: the alias file is damaged.
            OSError: the file system refuses.
        """
        if not _is_count(keep):
            raise InvalidArgumentError(f"keep: expected a whole number of at least 0, got {keep!r:.80}", field="keep")
        with self._ledger.locked():
            sound = [info for info in self.list() if info.damaged is None]
            doomed = [info.version for info in sound[keep:] if not info.aliases]
            asides = [self._versions.take_away(version) for version in doomed]
        for aside in asides:
            self._versions.delete(aside)
        self._versions.clean()
        return tuple(doomed)

    def strangers(self) -> tuple[str, ...]:
        """What lies among the versions and is none; it is never touched.

        Raises:
            NotFoundError: there is no registry.
        """
        self._ledger.read()
        return tuple(self._versions.strangers())

    def watch_token(self) -> str:
        """A few characters that change when an alias or the set of versions does, and only then.

        Cheap enough to ask for several times a second: it reads one small file and the names of the versions, and takes
        neither a lock nor a look into any version. After a change, ask `resolve`; a token is compared and says nothing else.

        Raises:
            NotFoundError: there is no registry.
            CorruptError: its alias file or its folder of versions is missing or a link. Damage inside the file is a change.
        """
        try:
            hashed = hashlib.sha256(read_plain(self._ledger.alias_file))
            hashed.update("".join(self._versions.names()).encode())
        except (FileNotFoundError, NotADirectoryError):
            self._ledger.read()  # says what is missing
            raise
        return hashed.hexdigest()[:16]

    def _follow(self, name: str, use: Callable[[str], _T]) -> _T:
        """What `use` makes of a version; once more where an alias moved on and its old version was removed meanwhile."""
        while True:
            version = self.resolve(name)
            try:
                return use(version)
            except NotFoundError:
                if self.resolve(name) == version:
                    raise


def _check_expected(expected: Any) -> None:
    if expected is not None and not _is_count(expected):
        raise InvalidArgumentError(
            f"expected: expected an alias's generation, 0 for no such alias, or None, got {expected!r:.80}",
            field="expected",
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _newest_first(info: VersionInfo) -> tuple[bool, float, str]:
    return (info.created is None, -info.created.timestamp() if info.created else 0.0, info.version)
