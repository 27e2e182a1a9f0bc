"""The folder of a state: what says that it is one, and the lock of its owner.

    state.json      which state it is, and whose pseudonym key it needs
    owner.sock      where an owner listens, unless it was told otherwise
    owner.lock      held by the owner, with flock
    user.keys       see `user_keys`
    log/            see `log_files`
    records/        see `table`
    records.json    see `table`

The master keys lie beside the folder, in FOLDER.key, or wherever the caller keeps them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from recocore.errors import CorruptError, InUseError, InvalidArgumentError, NotFoundError
from recocore.state.disk import refused
from recocore.state.keys import KeyFile
from recocore.state.user_keys import UserKeyWriter
from recocore.storage.document import count, digest, parse, seal, take
from recocore.storage.folder import sync
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

LOG = "log"
SOCKET = "owner.sock"
USER_KEYS = "user.keys"
DOCUMENT = "state.json"
_LOCK = "owner.lock"
_TABLE_MARK = "records.json"
_FORMAT = "recocore-state"
# Readers that open a state look whether it has an owner, for less than a millisecond.
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A state's folder.

    Attributes:
        path: of the folder.
        state_id: 16 bytes.
        keys: the master keys.
    """

    path: Path
    state_id: bytes
    keys: KeyFile

    @classmethod
    def open(cls, path: str | os.PathLike[str], keys: KeyFile | None) -> StateFolder:
        """A folder that is there.

        Raises:
            NotFoundError: there is none, or no key file.
            CorruptError: it is damaged or of a version that this one does not know.
            InvalidArgumentError: these are not its keys.
        """
        path = Path(path)
        document = path / DOCUMENT
        try:
            body = parse(read_plain(document))
            said = body.pop("digest", None)
            if body.get("format") != _FORMAT or count(body, "format_version") != 1 or digest(body) != said:
                raise CorruptError(
                    "not the document of a state that this version knows, or changed after it was written"
                )
            state_id, fingerprint = bytes.fromhex(take(body, "state_id", str)), take(body, "fingerprint", str)
        except FileNotFoundError:
            raise NotFoundError(f"{path}: there is no state here; the owner makes one") from None
        except (CorruptError, ValueError) as error:
            raise CorruptError(f"{document}: {error}; restore it from a backup") from None
        keys = keys or KeyFile.open(default_key_path(path))
        if keys.fingerprint != fingerprint:
            raise InvalidArgumentError(
                f"keys: expected those that {path} was made with, got others from {keys.path}", field="keys"
            )
        return cls(path, state_id, keys)

    @classmethod
    def open_or_make(cls, path: str | os.PathLike[str], keys: KeyFile | None) -> StateFolder:
        """A folder, made where there is none; the caller holds its lock.

        Raises:
            As `open`; InvalidArgumentError also where the folder holds something else.
        """
        path = Path(path)
        if not (path / DOCUMENT).exists():
            if (path / _TABLE_MARK).exists() or any((path / LOG).glob("*")):
                raise CorruptError(f"{path / DOCUMENT}: missing; restore it from a backup")
            # A killed owner may have begun to make a state.
            left = {entry.name for entry in path.iterdir()} - {_LOCK, USER_KEYS, LOG, SOCKET}
            if left:
                raise InvalidArgumentError(
                    f"path: expected a state or an empty folder, got {path} with other files", field="path"
                )
            keys = keys or KeyFile.open(default_key_path(path), create=True)
            state_id = secrets.token_bytes(16)
            (path / LOG).mkdir(mode=0o700, exist_ok=True)
            UserKeyWriter.create(path / USER_KEYS, state_id)
            body = {
                "format": _FORMAT,
                "format_version": 1,
                "state_id": state_id.hex(),
                "fingerprint": keys.fingerprint,
            }
            replace_plain(path / DOCUMENT, seal(body), mode=0o600)
        return cls.open(path, keys)


def default_key_path(path: Path) -> Path:
    """Where the master keys are if nobody says otherwise: beside the folder, so that a copy of it does not hold them."""
    path = path.absolute()
    return path.with_name(f"{path.name}.key")


def owned(path: Path, keys: KeyFile | None, make: Callable[[StateFolder, int], _T]) -> _T:
    """What `make` makes of a folder, which is made where there is none, and of the descriptor that holds its lock.

    Raises:
        InUseError: another process owns it.
        NotFoundError, InvalidArgumentError, CorruptError: see `StateFolder.open_or_make`.
        StorageError: the disk refuses.
    """
    try:
        make_folder(path)
        descriptor = lock(path)
        try:
            return make(StateFolder.open_or_make(path, keys), descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise refused(path, error) from error


def make_folder(path: Path) -> None:
    """Have a folder that only its owner may use."""
    if not path.is_dir():
        try:
            path.mkdir(mode=0o700)
        except FileNotFoundError:
            raise NotFoundError(f"{path}: its folder does not exist; create {path.parent} first") from None
        sync(path.parent)


def lock(path: Path) -> int:
    """Become the owner of a folder: the descriptor that holds the lock, until it is closed or the process dies.

    Raises:
        InUseError: there is an owner.
    """
    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(descriptor)
                raise InUseError(f"{path}: another process owns this state; ask it, or stop it first") from None
            time.sleep(0.005)
        else:
            return descriptor


def is_owned(path: Path) -> bool:
    """Whether a living process owns a folder."""
    try:
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
