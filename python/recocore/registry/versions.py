"""The versions of a registry: index folders under their versions, each whole or not there."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.index import Index
from recocore.index.loading import read_manifest
from recocore.index.manifest import MANIFEST_NAME
from recocore.registry.locks import exclusive_if_free, shared
from recocore.registry.names import is_version
from recocore.storage.folder import published, sync

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from recocore.index.manifest import Manifest

VERSIONS_NAME = "versions"

# What is written before it has its name, or deleted after it lost it. The second dot is of an index that is saved, not copied.
_LEFTOVER = re.compile(r"\.{1,2}(?:removed-)?[0-9a-f]{12}(?:\.tmp)?-[0-9a-f]{12}(?:\.tmp-[0-9a-f]{12})?(?:-old)?")
_TOKEN_BYTES = 6


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A version of a registry, by its manifest.

    Attributes:
        version: twelve hexadecimal digits.
        path: its folder.
        aliases: that point to it, in order.
        model: the name of the model's class; empty where the version is damaged, and so are those below.
        created: when the index was built, UTC; None where damaged.
        counts: users, items and interactions.
        metrics: measured quality that travels with the index.
        bytes: of its files.
        damaged: why its manifest does not read; None where it does.
    """

    version: str
    path: Path
    aliases: tuple[str, ...] = ()
    model: str = ""
    created: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    bytes: int = 0
    damaged: str | None = None


class VersionFolders:
    """The folder of the versions.

    Args:
        path: it, which may be missing until something is asked of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """The versions that are there, in order; links and files that stand under such a name too. O(versions)."""
        return sorted(name for name in os.listdir(self.path) if is_version(name))

    def strangers(self) -> list[str]:
        """What else lies there in plain sight."""
        return sorted(name for name in os.listdir(self.path) if not is_version(name) and not name.startswith("."))

    def describe(self, version: str, aliases: tuple[str, ...]) -> VersionInfo:
        """What the manifest says of a version, or what is wrong with it.

        Raises:
            NotFoundError: there is no such version.
        """
        path = self.path / version
        try:
            manifest = self.manifest(version)
        except (CorruptError, OSError) as error:
            return VersionInfo(version, path, aliases, damaged=str(error))
        return VersionInfo(
            version=version,
            path=path,
            aliases=aliases,
            model=manifest.model,
            created=manifest.created,
            counts=manifest.counts,
            metrics=manifest.metrics,
            bytes=sum(entry.size for entry in manifest.files.values()),
        )

    def require(self, version: str) -> None:
        """See that there is something under a version's name.

        Raises:
            NotFoundError: there is nothing.
        """
        if not os.path.lexists(self.path / version):
            raise self._absent(version)

    def manifest(self, version: str) -> Manifest:
        """The manifest of a version.

        Raises:
            NotFoundError: there is no such version.
            CorruptError: its manifest is damaged or newer, or of another version.
        """
        path = self._folder(version)
        manifest = read_manifest(path)
        _check_holds(path, manifest.version, version)
        return manifest

    def load(self, version: str, *, verify: bool) -> Index:
        """Map a version. O(bytes); `verify=False` leaves out the SHA-256 alone.

        Raises:
            NotFoundError: there is no such version.
            CorruptError: it is damaged, newer, or another version than its name says.
        """
        path = self._folder(version)
        index = Index.load(path, verify)
        _check_holds(path, index.version, version)
        return index

    def add(self, index: Index, source: Path | None) -> bool:
        """Put an index under its version, whole or not at all; whether it replaced a damaged copy.

        One that is there and sound stays as it is.

        Args:
            index: what to add.
            source: the folder that it was loaded from, whose files are copied; None to save it.

        Raises:
            CorruptError: a link or a file stands in its place, or the source changed while it was copied.
            OSError: the file system refuses; nothing is left behind.
        """
        self.clean()
        with shared(self.path):
            try:
                self.load(index.version, verify=True)
            except NotFoundError:
                return self._write(index, source, replace=False)
            except CorruptError:
                self._folder(index.version)  # what is no folder is not replaced
                return self._write(index, source, replace=True)
            return False

    def take_away(self, version: str) -> Path:
        """Take a version out of sight in one step: what is left of it, for `delete`.

        Raises:
            NotFoundError: there is no such version.
        """
        aside = self.path / f".removed-{version}-{secrets.token_hex(_TOKEN_BYTES)}"
        try:
            (self.path / version).rename(aside)
        except FileNotFoundError:
            raise self._absent(version) from None
        sync(self.path)
        return aside

    def delete(self, aside: Path) -> None:
        """Delete what was taken away; who has mapped it reads on."""
        with shared(self.path):  # so that nobody cleans up the same files
            if aside.is_dir() and not aside.is_symlink():
                shutil.rmtree(aside)
            else:
                aside.unlink(missing_ok=True)

    def clean(self) -> None:
        """Delete what killed processes left, unless somebody is adding or deleting a version right now."""
        with exclusive_if_free(self.path) as alone:
            if alone:
                for name in filter(_LEFTOVER.fullmatch, os.listdir(self.path)):
                    shutil.rmtree(self.path / name, ignore_errors=True)

    def _write(self, index: Index, source: Path | None, *, replace: bool) -> bool:
        target = self.path / index.version
        try:
            with published(target, replace=replace) as folder:
                if source is None:
                    _save(index, folder)
                else:
                    _copy(index.version, source, folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Another process was first with the same version.
            self.load(index.version, verify=True)
            return False
        return replace

    def _folder(self, version: str) -> Path:
        path = self.path / version
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            raise self._absent(version) from None
        if not stat.S_ISDIR(mode):
            raise CorruptError(
                f"{path}: expected a folder, got a link, file or device; remove the version, publish it again"
            )
        return path

    def _absent(self, version: str) -> NotFoundError:
        return NotFoundError(
            f"version: {version} is not in {self.path.parent}; list the registry to see what is, or publish the version again"
        )


def _save(index: Index, folder: Path) -> None:
    index.save(folder)
    if (saved := read_manifest(folder).version) != index.version:
        raise InvalidArgumentError(
            f"index: expected an index that this installation saves as it was loaded, {index.version}, got {saved}; "
            "publish its folder instead",
            field="index",
        )


def _copy(version: str, source: Path, folder: Path) -> None:
    """Copy the files of an index and check the copy as it will be read."""
    try:
        for name in (*read_manifest(source).files, MANIFEST_NAME):
            shutil.copyfile(source / name, folder / name, follow_symlinks=False)
        copied = Index.load(folder).version
    except (CorruptError, FileNotFoundError) as error:
        raise CorruptError(f"{source}: changed while it was copied: {error}; publish it again") from error
    if copied != version:
        raise CorruptError(f"{source}: changed while it was copied, to version {copied}; publish it again")


def _check_holds(path: Path, held: str, version: str) -> None:
    if held != version:
        raise CorruptError(f"{path}: holds version {held}; move it away, and publish it to keep it")
