"""Backups: a folder of copies with a manifest that has the SHA-256 of each, replaced last; the next backup adds what is new.

    manifest.json    {"format": "recocore-backup", "kind": KIND, "files": {NAME: {"size", "sha256"}}, ...}, where KIND is
                     "state", "registry" or "fraud"
    files/NAME       the copies

Sealed segments never change, so a backup of a state copies each once. The users' keys are copied every time, and so is the
segment that grows. A backup has no table of records, which follows from the log, and no master keys: keep those apart.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError, StorageError
from recocore.state.folder import DOCUMENT, LOG, USER_KEYS
from recocore.storage.document import count, digest, parse, seal, take
from recocore.storage.folder import published, sync
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from recocore.state.log_files import Sealed

_FORMAT = "recocore-backup"
_MANIFEST = "manifest.json"
_FILES = "files"
_CHUNK = 1 << 20
# Replaced last by a registry's writers.
_ALIASES = "aliases.json"
# A registry's file that is replaced or deleted under the copy is looked for again so often.
_TRIES = 10

Entry = dict[str, Any]


def back_up_folder(
    path: Path,
    dest: Path,
    sealed: tuple[Sealed, ...],
    growing: tuple[Path, int],
    user_keys: bytes,
    commit: int,
    *,
    kind: str = "state",
    more: Iterable[str] = (),
) -> dict[str, int]:
    """Copy the folder of a log whose segments stay as they are meanwhile: a state, or a ledger of fraud.

    Args:
        path: the folder.
        dest: of the backup.
        sealed: its sealed segments.
        growing: the file that grows, and how many bytes of it.
        user_keys: the content of the file of users' keys.
        commit: the last of these.
        kind: what the manifest says that it is.
        more: further files of the folder, as they are now.
    """
    with _Backup(dest, kind) as backup:
        for each in sealed:
            backup.copy(path / LOG / each.name, f"{LOG}/{each.name}", {"size": each.size, "sha256": each.sha256})
            backup.put(f"{LOG}/{each.document_name}", each.spell())
        with growing[0].open("rb") as source:
            backup.put(f"{LOG}/{growing[0].name}", source.read(growing[1]))
        backup.put(USER_KEYS, user_keys)
        backup.put(DOCUMENT, read_plain(path / DOCUMENT))
        for name in more:
            backup.put_file(path / name, name)
        return backup.finish({"commit": commit})


def back_up_registry(registry: str | os.PathLike[str], dest: str | os.PathLike[str]) -> dict[str, int]:
    """Copy the folder of a registry of models while it is used; versions that an earlier backup has are not copied again.

    Raises:
        NotFoundError: there is none.
        StorageError: the disk refuses.
        CorruptError: what was copied cannot be read back.
    """
    path = Path(registry)
    if not path.is_dir():
        raise NotFoundError(f"{path}: there is no registry here")
    for left in reversed(range(_TRIES)):
        try:
            with _Backup(Path(dest), "registry") as backup:
                # What the file of aliases names was there before it was written, and is there after it was read.
                if (path / _ALIASES).is_file():
                    backup.put_file(path / _ALIASES, _ALIASES)
                for name in files_of(path):
                    if name != _ALIASES:
                        backup.put_file(path / name, name)
                return backup.finish({})
        except FileNotFoundError:
            if not left:
                raise
    raise AssertionError("unreachable")


def restore(
    backup: str | os.PathLike[str], dest: str | os.PathLike[str], progress: Callable[[float], None] | None = None
) -> str:
    """Restore a backup to a folder, which appears whole or not at all.

    Every file's SHA-256 is compared while it is copied. Of a state, the owner that opens it next makes the records from the
    log; that and a ledger of fraud need the key file.

    Args:
        backup: the folder that `StateStore.backup` or `back_up_registry` wrote.
        dest: must not be there, or be an empty folder.
        progress: is called with the part done.

    Returns:
        What it was: "state", "registry" or "fraud".

    Raises:
        NotFoundError: there is no backup.
        CorruptError: a file of it is damaged or missing; the message names it, and nothing is restored.
        StorageError: the disk refuses.
    """
    source, target = Path(backup), Path(dest)
    manifest = _read_manifest(source)
    if manifest is None:
        raise NotFoundError(f"{source}: there is no backup here")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidArgumentError(f"dest: expected a new or empty folder, got {target} with files in it", field="dest")
    files = take(manifest, "files", dict)
    try:
        with published(target, replace=False) as folder:
            folder.chmod(0o700)
            for done, (name, entry) in enumerate(files.items()):
                _check_name(source, name)
                (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                got = _copy(source / _FILES / name, folder / name)
                if got != entry:
                    raise CorruptError(f"{source / _FILES / name}: its SHA-256 or size differs; use another backup")
                if progress is not None:
                    progress((done + 1) / len(files))
            for child in folder.rglob("*"):
                if child.is_dir():
                    sync(child)
    except FileNotFoundError as error:
        raise CorruptError(f"{error.filename}: missing in the backup; use another backup") from None
    except OSError as error:
        raise StorageError(f"{target}: {error.strerror}; free some space or check the disk") from error
    return take(manifest, "kind", str)


def check_backup(backup: str | os.PathLike[str]) -> int:
    """Read a backup and compare every SHA-256: the number of its files.

    Raises:
        NotFoundError: there is none.
        CorruptError: a file is damaged or missing; the message names it.
    """
    source = Path(backup)
    manifest = _read_manifest(source)
    if manifest is None:
        raise NotFoundError(f"{source}: there is no backup here")
    files = take(manifest, "files", dict)
    for name, entry in files.items():
        _check_name(source, name)
        try:
            if _entry_of(source / _FILES / name) != entry:
                raise CorruptError(f"{source / _FILES / name}: its SHA-256 or size differs; make or use another backup")
        except FileNotFoundError:
            raise CorruptError(f"{source / _FILES / name}: missing; make or use another backup") from None
    return len(files)


class _Backup:
    """Writes a backup; a context manager that turns refusals of the disk into errors."""

    def __init__(self, dest: Path, kind: str) -> None:
        self._dest, self._kind = dest, kind
        self._entries: dict[str, Entry] = {}
        self._copied = 0
        try:
            dest.mkdir(mode=0o700, exist_ok=True)
            (dest / _FILES).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _refused(dest, error) from error
        earlier = _read_manifest(dest)
        if earlier is None and any((dest / _FILES).iterdir()) and not (dest / ".started").exists():
            raise InvalidArgumentError(
                f"dest: expected a backup or an empty folder, got {dest} with other files", field="dest"
            )
        if earlier is not None and earlier.get("kind") != kind:
            raise InvalidArgumentError(
                f"dest: expected a backup of a {kind}, got one of a {earlier.get('kind')!r:.40}", field="dest"
            )
        (dest / ".started").touch()
        self._earlier: Mapping[str, Entry] = {} if earlier is None else take(earlier, "files", dict)

    def __enter__(self) -> _Backup:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise _refused(self._dest, error) from error

    def copy(self, source: Path, name: str, entry: Entry) -> None:
        """Have a file whose size and SHA-256 are known; it is copied unless the backup has it, and read back in any case."""
        target = self._target(name)
        if self._earlier.get(name) != entry or not target.is_file() or _entry_of(target) != entry:
            got = _copy(source, target)
            if got != entry:
                raise CorruptError(
                    f"{source}: its SHA-256 or size differs from what was written; restore it from a backup"
                )
            self._read_back(target, entry)
            self._copied += 1
        self._entries[name] = entry

    def put_file(self, source: Path, name: str) -> None:
        """Have a file as it is now."""
        entry = _entry_of(source)
        target = self._target(name)
        if not target.is_file() or _entry_of(target) != entry:
            entry = _copy(source, target)
            self._read_back(target, entry)
            self._copied += 1
        self._entries[name] = entry

    def put(self, name: str, content: bytes) -> None:
        """Have a file of this content."""
        entry = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        target = self._target(name)
        if not target.is_file() or _entry_of(target) != entry:
            replace_plain(target, content, mode=0o600)
            self._read_back(target, entry)
            self._copied += 1
        self._entries[name] = entry

    def finish(self, about: Mapping[str, Any]) -> dict[str, int]:
        """Replace the manifest, and delete what it does not name."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "format": _FORMAT,
            "format_version": 1,
            "kind": self._kind,
            "time": time,
            **about,
            "files": self._entries,
        }
        replace_plain(self._dest / _MANIFEST, seal(body), mode=0o600)
        files = self._dest / _FILES
        for path in sorted(files.rglob("*"), reverse=True):
            name = path.relative_to(files).as_posix()
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif name not in self._entries:
                path.unlink()
        return {
            "files": len(self._entries),
            "copied": self._copied,
            "bytes": sum(entry["size"] for entry in self._entries.values()),
        }

    def _target(self, name: str) -> Path:
        target = self._dest / _FILES / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return target

    def _read_back(self, target: Path, entry: Entry) -> None:
        if _entry_of(target) != entry:
            raise StorageError(f"{target}: what was written does not read back; check the disk")


def _copy(source: Path, target: Path) -> Entry:
    """Copy a file durably: what was read."""
    told, size = hashlib.sha256(), 0
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as sink, source.open("rb") as content:
            while piece := content.read(_CHUNK):
                told.update(piece)
                size += len(piece)
                sink.write(piece)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(target.parent)
    return {"size": size, "sha256": told.hexdigest()}


def _entry_of(path: Path) -> Entry:
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        return {"size": source.tell(), "sha256": sha256}


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / _MANIFEST
    try:
        body = parse(read_plain(path))
        said = body.pop("digest", None)
        if body.get("format") != _FORMAT or count(body, "format_version") != 1 or digest(body) != said:
            raise CorruptError("not the manifest of a backup that this version knows, or changed after it was written")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except CorruptError as error:
        raise CorruptError(f"{path}: {error}; use another backup") from None
    return body


def _check_name(source: Path, name: str) -> None:
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise CorruptError(f"{source / _MANIFEST}: names a file outside of the backup: {name!r:.80}")


def files_of(path: Path) -> list[str]:
    """The files of a folder by their names in it, without what a writer has begun and not published."""
    return sorted(
        found.relative_to(path).as_posix()
        for found in path.rglob("*")
        if found.is_file()
        and not found.is_symlink()
        and not any(part.startswith(".") for part in found.relative_to(path).parts)
    )


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: {error.strerror}; free some space or check the disk, and back up again")
