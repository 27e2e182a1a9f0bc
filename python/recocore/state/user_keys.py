"""The users' keys: a file of slots, each a key of AES-256 wrapped by a master key, or zeros where it was destroyed.

    64 bytes: "RCKEYS01", the state's id (16 bytes), zeros
    64 bytes a slot: number of the master key (u32), nonce (12), wrapped key and tag (48)

A slot lies within one sector, so that it changes whole. Slots are made ahead, in hundreds, with one fsync: a user who is new
takes the next one, and the log says which, in the commit that brings the user. Destroying a key overwrites its slot.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from recocore._native import Aead, opened_entries
from recocore.errors import CorruptError
from recocore.state.ciphers import cipher_of

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.state.ciphers import Cipher
    from recocore.state.disk import Disk
    from recocore.state.keys import KeyFile

MAGIC = b"RCKEYS01"
SLOT_BYTES = 64
_NUMBER = struct.Struct("<I")
_ZEROS = bytes(SLOT_BYTES)
# Made at once, with one fsync for as many new users.
_REFILL = 1_024
# A slot is rewritten while a reader reads it: the tag tells, and the next look finds it whole.
_LOOKS = 5
# Ciphers that are kept, each with the slot that it is from; the slot is read at every look-up all the same, so that a key
# that is destroyed is missed at once.
_KEPT = 4_096


class UserKeys:
    """Reads keys of users; `UserKeyWriter` makes and destroys them.

    Args:
        path: the file of slots.
        state_id: 16 bytes that bind slots to their state.
        keys: the master keys.
    """

    def __init__(self, path: Path, state_id: bytes, keys: KeyFile) -> None:
        self._path, self._keys = path, keys
        self._aad = b"slot" + state_id
        self._kept: dict[int, tuple[bytes, Cipher]] = {}
        try:
            self._descriptor = os.open(path, self._flags() | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise CorruptError(f"{path}: missing; restore the state from a backup") from None
        head = os.pread(self._descriptor, SLOT_BYTES, 0)
        if head != MAGIC + state_id + bytes(SLOT_BYTES - len(MAGIC) - len(state_id)):
            self.close()
            raise CorruptError(f"{path}: not the keys of this state; restore them from a backup")

    def _flags(self) -> int:
        return os.O_RDONLY

    @property
    def capacity(self) -> int:
        """How many slots there are."""
        return os.fstat(self._descriptor).st_size // SLOT_BYTES - 1

    def cipher(self, slot: int) -> Cipher | None:
        """The cipher of a user's key, None where it was destroyed.

        Raises:
            CorruptError: the slot is damaged or missing.
        """
        for _ in range(_LOOKS):
            data = os.pread(self._descriptor, SLOT_BYTES, SLOT_BYTES * (slot + 1))
            kept = self._kept.get(slot)
            if kept is not None and kept[0] == data:
                return kept[1]
            if data == _ZEROS:
                self._kept.pop(slot, None)
                return None
            if len(data) < SLOT_BYTES:
                break
            key = self._unwrap(slot, data)
            if key is None:
                continue
            cipher = cipher_of(key)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[slot] = (data, cipher)
            return cipher
        raise CorruptError(f"{self._path}: the key in slot {slot} is damaged or missing; restore it from a backup")

    def opened(self, entries: list[tuple[bytes, bytes]]) -> list[tuple[int, Aead, bytes, int] | None]:
        """Slot, cipher, record and share of the sum of entries of the table, natively: 2 us each, where one by one takes 9.

        None for an entry of which there is anything to be said: `cipher` and the rest find it.
        """
        ciphers = self._keys.ciphers
        if not isinstance(ciphers[self._keys.active], Aead):
            return [None] * len(entries)
        return opened_entries(entries, self._descriptor, self._aad, dict(ciphers))

    def _unwrap(self, slot: int, data: bytes) -> bytes | None:
        """The key in a slot, None where the slot is damaged."""
        try:
            master = self._keys.cipher(_NUMBER.unpack_from(data)[0])
        except CorruptError as error:
            raise CorruptError(f"{self._path}: slot {slot} is damaged, or of other keys: {error}") from None
        return master.decrypt(data[4:16], data[16:], self._aad + _NUMBER.pack(slot))

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class UserKeyWriter(UserKeys):
    """Makes and destroys users' keys; one at a time.

    Args:
        path: the file of slots, see `create`.
        state_id: 16 bytes that bind slots to their state.
        keys: the master keys.
        disk: the calls that write.

    Attributes:
        first_free: the slot that the next new user takes.
    """

    def __init__(self, path: Path, state_id: bytes, keys: KeyFile, disk: Disk) -> None:
        super().__init__(path, state_id, keys)
        self._disk = disk
        self.first_free = 0
        self._synced = False  # what a killed owner wrote may not be

    def _flags(self) -> int:
        return os.O_RDWR

    @staticmethod
    def create(path: Path, state_id: bytes) -> None:
        """Make a file without slots."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, (MAGIC + state_id).ljust(SLOT_BYTES, b"\0"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def take(self) -> tuple[int, Cipher]:
        """A slot that nobody has, and its cipher.

        Raises:
            OSError: more slots were needed, and the disk refuses them.
        """
        while True:
            if self.first_free >= self.capacity:
                self._refill()
            slot = self.first_free
            self.first_free += 1
            cipher = self.cipher(slot)
            if cipher is not None:
                return slot, cipher

    def _refill(self) -> None:
        start = self.capacity
        keys = [os.urandom(32) for _ in range(_REFILL)]
        made = [self._wrap(start + at, key) for at, key in enumerate(keys)]
        try:
            self._disk.write_all(self._descriptor, b"".join(made), SLOT_BYTES * (start + 1))
            self._disk.sync(self._descriptor)
        except OSError:
            self._disk.truncate(self._descriptor, SLOT_BYTES * (start + 1))
            raise
        # They are about to be taken, and need not be unwrapped again.
        self._kept = {
            start + at: (wrapped, cipher_of(key)) for at, (wrapped, key) in enumerate(zip(made, keys, strict=True))
        }

    def destroy(self, slot: int) -> bool:
        """Overwrite a key durably: whether it was there.

        Raises:
            OSError: the disk refuses.
        """
        self._kept.pop(slot, None)
        was = os.pread(self._descriptor, SLOT_BYTES, SLOT_BYTES * (slot + 1)) not in (_ZEROS, b"")
        if was:
            self._synced = False
            self._disk.write_all(self._descriptor, _ZEROS, SLOT_BYTES * (slot + 1))
        if not self._synced:
            self._disk.sync(self._descriptor)
            self._synced = True
        return was

    def rewrap(self, first: int, last: int) -> None:
        """Wrap the keys in slots `first <= slot < last` with the active master key, durably.

        Raises:
            CorruptError: a slot is damaged.
            OSError: the disk refuses; each slot is wrapped with the old key or with the new one.
        """
        for slot in range(first, min(last, self.capacity)):
            data = os.pread(self._descriptor, SLOT_BYTES, SLOT_BYTES * (slot + 1))
            if data == _ZEROS or _NUMBER.unpack_from(data)[0] == self._keys.active:
                continue
            key = self._unwrap(slot, data)
            if key is None:
                raise CorruptError(f"{self._path}: the key in slot {slot} is damaged; restore it from a backup")
            self._disk.write_all(self._descriptor, self._wrap(slot, key), SLOT_BYTES * (slot + 1))
        self._disk.sync(self._descriptor)

    def destroyed(self) -> set[int]:
        """The slots whose keys are destroyed. O(slots)."""
        data = os.pread(self._descriptor, SLOT_BYTES * (self.capacity + 1), 0)
        return {slot for slot in range(self.capacity) if data.startswith(_ZEROS, SLOT_BYTES * (slot + 1))}

    def content(self) -> bytes:
        """The bytes of the file, for a backup."""
        return os.pread(self._descriptor, SLOT_BYTES * (self.capacity + 1), 0)

    def content_bytes(self) -> int:
        """How many bytes the file has."""
        return os.fstat(self._descriptor).st_size

    def _wrap(self, slot: int, key: bytes) -> bytes:
        nonce, number = os.urandom(12), self._keys.active
        wrapped = self._keys.cipher(number).encrypt(nonce, key, self._aad + _NUMBER.pack(slot))
        return _NUMBER.pack(number) + nonce + wrapped
