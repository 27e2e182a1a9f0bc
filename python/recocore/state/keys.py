"""The master keys: they wrap the users' keys, and name users by pseudonyms.

    {"format": "recocore-keys", "format_version": 1, "pseudonym_key": HEX, "active": N, "keys": {"N": HEX, ...}, "digest": ...}

The pseudonym key stays for the life of a state: every user's record is found by it. The master keys rotate.
"""

from __future__ import annotations

import hashlib
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recocore._native import EventRows
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.state.ciphers import cipher_of
from recocore.storage.document import count, digest, parse, seal, take
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from recocore.state.ciphers import Cipher

_FORMAT = "recocore-keys"
_KEY_BYTES = 32
SUBJECT_BYTES = 16


class KeyFile:
    """The master keys in a file that only its owner may read.

    Whoever has this file and the state folder can read everything; whoever has the folder alone can read nothing but how
    many users and events there are, when they happened, and which events belong to the same pseudonym.

    Args:
        path: the file, which must be there: see `open`.

    Example:
        >>> import tempfile, pathlib
        >>> keys = KeyFile.open(pathlib.Path(tempfile.mkdtemp()) / "master.key", create=True)
        >>> keys.active, keys
        (1, KeyFile(1 key, active 1))
        >>> len(keys.pseudonym("ann")), keys.pseudonym("ann") == keys.pseudonym("ann", visitor=True)
        (32, False)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.reload()

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False) -> Self:
        """Read the keys.

        Args:
            path: the file.
            create: make it, with new keys and mode 0600, where there is none.

        Raises:
            NotFoundError: there is none.
            InvalidArgumentError: everybody may read it.
            CorruptError: it is damaged.
        """
        path = Path(path)
        if create and not path.exists():
            _write(path, secrets.token_bytes(_KEY_BYTES), 1, {1: secrets.token_bytes(_KEY_BYTES)})
        return cls(path)

    def __repr__(self) -> str:
        return f"KeyFile({len(self._keys)} key{'s' * (len(self._keys) > 1)}, active {self._active})"

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def active(self) -> int:
        """The number of the key that wraps new users' keys."""
        return self._active

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all keys."""
        return tuple(sorted(self._keys))

    @property
    def fingerprint(self) -> str:
        """What a state keeps to know its pseudonym key again; it tells nothing of the key."""
        return hashlib.blake2b(b"fingerprint", key=self._pseudonym_key, digest_size=16).hexdigest()

    def cipher(self, number: int) -> Cipher:
        """The cipher of a master key; the file is read again for a number that is new.

        Raises:
            CorruptError: there is no such key.
        """
        cipher = self._ciphers.get(number)
        if cipher is None:
            self.reload()
            cipher = self._ciphers.get(number)
        if cipher is None:
            raise CorruptError(
                f"{self._path}: holds keys {', '.join(map(str, self.numbers))}, but a user's key is wrapped with {number}; "
                "give the file that was in use when the state was written"
            )
        return cipher

    @property
    def ciphers(self) -> Mapping[int, Cipher]:
        """Those of the master keys by their numbers, as the file was read last."""
        return self._ciphers

    def subject(self, identifier: str | int, *, visitor: bool = False) -> bytes:
        """The 16 bytes under which a user, or a visitor, is kept."""
        told = (self._visitors if visitor else self._users).copy()
        told.update(str(identifier).encode("utf-8", "surrogatepass"))
        return told.digest()

    def pseudonym(self, user_id: str | int, *, visitor: bool = False) -> str:
        """The keyed hash of an id, 32 hexadecimal digits: what logs and metrics may name."""
        return self.subject(user_id, visitor=visitor).hex()

    def event(self, event_id: str) -> bytes:
        """The 16 bytes by which an event is known again."""
        told = self._events.copy()
        told.update(event_id.encode("utf-8", "surrogatepass"))
        return told.digest()

    def event_rows(self, fields: list[tuple[str, str, int, int]], itemless: list[str], default_type: str) -> EventRows:
        """What checks rows natively, and names whom they are about as `subject` and `event` do."""
        return EventRows(fields, itemless, default_type, self._pseudonym_key)

    def mac(self, data: bytes) -> bytes:
        """Eight bytes that only a holder of the file can compute, for what is kept in the clear."""
        return hashlib.blake2b(data, key=self._pseudonym_key, digest_size=8, person=b"mac").digest()

    def add_key(self) -> int:
        """Add a new key and make it the active one, durably: its number."""
        number = max(self._keys) + 1
        self._save(number, {**self._keys, number: secrets.token_bytes(_KEY_BYTES)})
        return number

    def keep_only(self, number: int) -> None:
        """Delete all keys but one: what was wrapped with them, in old backups too, can be read by nobody any longer."""
        self._save(number, {number: self._keys[number]})

    def reload(self) -> None:
        """Read the file again."""
        try:
            mode = self._path.stat().st_mode
            body = parse(read_plain(self._path))
        except FileNotFoundError:
            raise NotFoundError(
                f"{self._path}: there is no key file; give the one that the state was made with, or create=True for a new one"
            ) from None
        except CorruptError as error:
            raise CorruptError(f"{self._path}: {error}; restore the key file from where you keep a copy") from None
        if stat.S_IMODE(mode) & 0o007:
            raise InvalidArgumentError(
                f"keys: expected a file that not everybody may use, got mode {stat.S_IMODE(mode):04o} of {self._path}; "
                f"chmod 600 {self._path}",
                field="keys",
            )
        try:
            self._take(body)
        except (CorruptError, ValueError) as error:
            raise CorruptError(f"{self._path}: {error}; restore the key file from where you keep a copy") from None

    def _take(self, body: dict[str, Any]) -> None:
        said = body.pop("digest", None)
        if body.get("format") != _FORMAT or digest(body) != said:
            raise CorruptError("not a key file, or changed after it was written")
        keys = {int(number): bytes.fromhex(key) for number, key in take(body, "keys", dict).items()}
        active, pseudonym_key = count(body, "active"), bytes.fromhex(take(body, "pseudonym_key", str))
        if active not in keys or any(len(key) != _KEY_BYTES for key in (*keys.values(), pseudonym_key)):
            raise CorruptError("expected 32 bytes a key, and the active one among the keys")
        self._keys, self._active, self._pseudonym_key = keys, active, pseudonym_key
        self._ciphers = {number: cipher_of(key) for number, key in keys.items()}
        # Copied for each id: a keyed hash takes twice as long to begin as to copy.
        self._users, self._visitors, self._events = (
            hashlib.blake2b(key=pseudonym_key, digest_size=SUBJECT_BYTES, person=person)
            for person in (b"user", b"visitor", b"event")
        )

    def _save(self, active: int, keys: Mapping[int, bytes]) -> None:
        _write(self._path, self._pseudonym_key, active, keys)
        self.reload()


def _write(path: Path, pseudonym_key: bytes, active: int, keys: Mapping[int, bytes]) -> None:
    body = {
        "format": _FORMAT,
        "format_version": 1,
        "pseudonym_key": pseudonym_key.hex(),
        "active": active,
        "keys": {str(number): key.hex() for number, key in sorted(keys.items())},
    }
    replace_plain(path, seal(body), mode=0o600)
