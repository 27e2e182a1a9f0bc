"""A segment of the log: a file of frames, each the rows of one commit.

    40 bytes: "RCLOG001", the state's id (16), the first commit (u64), the file's generation (u32), CRC-32 of these (u32)
    frame:    length of the rows (u32), CRC-32 of what follows (u32), commit (u64), number of rows (u16), rows
    row:      kind (u8), slot of the user's key (u32), time (i64, microseconds), subject (16), event (16), length (u32),
              nonce (12), ciphertext and tag of AES-256-GCM under the user's key

`subject` is the pseudonym of the user, `event` that of the event_id; both, with kind, slot, time and commit, are authenticated
by the row's tag. Rows that are nobody's or have no secret have a keyed hash (8) in place of nonce and tag. Numbers are
little-endian. Commits ascend; a compacted file lacks some.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from recocore._native import Aead, frame_heads
from recocore._native import sealed_rows as native_rows
from recocore.errors import CorruptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recocore.state.ciphers import Cipher
    from recocore.state.keys import KeyFile

EVENT: Final = 1
CONSENT: Final = 2
FORGET: Final = 3
OFFSETS: Final = 4
CUTOFF: Final = 5
DECLARED: Final = 6
LINKED: Final = 7

# The slot of rows that are nobody's.
NO_SLOT: Final = 2**32 - 1
NO_SUBJECT: Final = bytes(16)
# The event of rows that are no event, and of events without an id.
NO_EVENT: Final = bytes(16)

_MAGIC = b"RCLOG001"
_SEGMENT = struct.Struct("<8s16sQI")
HEADER_BYTES: Final = _SEGMENT.size + 4
_FRAME = struct.Struct("<IIQH")
_ROW = struct.Struct("<BIq16s16sI")
_HEAD = struct.Struct("<BIq16s16s")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_NONCE = 12
_MAC = 8
# As far as one looks for a sound frame behind a broken one; a call's frame is shorter than that.
_LOOK = 1 << 22


class Row(NamedTuple):
    """A row as it is kept.

    Attributes:
        kind: EVENT, CONSENT, FORGET, OFFSETS, CUTOFF, DECLARED or LINKED.
        slot: of the user's key.
        time: microseconds since 1970.
        subject: 16 bytes.
        event: 16 bytes; zeros for what cannot be sent twice.
        payload: nonce, ciphertext and tag; of FORGET, OFFSETS and CUTOFF a mac (8) and plain bytes.
    """

    kind: int
    slot: int
    time: int
    subject: bytes
    event: bytes
    payload: bytes

    def open(self, commit: int, cipher: Cipher) -> bytes:
        """The plain bytes of the payload.

        Raises:
            CorruptError: the row is not what was written.
        """
        plain = cipher.decrypt(self.payload[:_NONCE], self.payload[_NONCE:], _aad(_HEAD.pack(*self[:5]), commit))
        if plain is None:
            raise CorruptError(f"commit {commit}: a row was changed after it was written; restore it from a backup")
        return plain

    def open_plain(self, commit: int, keys: KeyFile) -> bytes:
        """The payload of a row that is encrypted for nobody.

        Raises:
            CorruptError: the row is not what was written.
        """
        plain = self.payload[_MAC:]
        if keys.mac(_aad(_HEAD.pack(*self[:5]), commit) + plain) != self.payload[:_MAC]:
            raise CorruptError(f"commit {commit}: a row was changed after it was written; restore it from a backup")
        return plain

    def spell(self) -> bytes:
        """The bytes of the row."""
        return _HEAD.pack(*self[:5]) + _U32.pack(len(self.payload)) + self.payload


class Frame(NamedTuple):
    """The rows of one commit, and where they stand: `start <= offset < end`."""

    commit: int
    rows: tuple[Row, ...]
    start: int
    end: int


def sealed_row(
    kind: int,
    slot: int,
    time: int,
    subject: bytes,
    event: bytes,
    plain: bytes,
    commit: int,
    cipher: Cipher,
    nonce: bytes,
) -> bytes:
    """The bytes of a row, its payload encrypted."""
    head = _HEAD.pack(kind, slot, time, subject, event)
    sealed = cipher.encrypt(nonce, plain, head + _U64.pack(commit))
    return b"".join((head, _U32.pack(_NONCE + len(sealed)), nonce, sealed))


def sealed_rows(
    kind: int,
    commit: int,
    ciphers: list[Any],
    slots: list[int],
    times: list[int],
    subjects: list[bytes],
    events: list[bytes],
    plains: list[bytes],
    nonces: bytes,
) -> list[bytes]:
    """`sealed_row` for the rows of a commit, each argument a column: 0.5 us a row, where one by one takes 2."""
    if all(isinstance(cipher, Aead) for cipher in ciphers):
        return native_rows(kind, commit, ciphers, slots, times, subjects, events, plains, nonces)
    columns = zip(slots, times, subjects, events, plains, ciphers, strict=True)
    return [
        sealed_row(kind, slot, time, subject, event, plain, commit, cipher, nonces[12 * at : 12 * at + 12])
        for at, (slot, time, subject, event, plain, cipher) in enumerate(columns)
    ]


def plain_row(keys: KeyFile, kind: int, slot: int, time: int, subject: bytes, plain: bytes, commit: int) -> bytes:
    """The bytes of a row that is encrypted for nobody."""
    head = _HEAD.pack(kind, slot, time, subject, NO_EVENT)
    payload = keys.mac(_aad(head, commit) + plain) + plain
    return head + _U32.pack(len(payload)) + payload


def frame(commit: int, rows: Sequence[bytes]) -> bytes:
    """The bytes of a frame."""
    body = b"".join(rows)
    checked = _U64.pack(commit) + len(rows).to_bytes(2, "little") + body
    return _U32.pack(len(body)) + _U32.pack(zlib.crc32(checked)) + checked


def segment_header(state_id: bytes, first: int, generation: int) -> bytes:
    """The first bytes of a file."""
    head = _SEGMENT.pack(_MAGIC, state_id, first, generation)
    return head + _U32.pack(zlib.crc32(head))


def check_header(data: bytes, state_id: bytes, first: int, generation: int) -> None:
    """Refuse a file that is not this segment of this state.

    Raises:
        CorruptError: it is another, or damaged.
    """
    if data[:HEADER_BYTES] != segment_header(state_id, first, generation):
        raise CorruptError("its first bytes are not those of this segment; restore it from a backup")


def frames(data: bytes) -> Iterator[Frame]:
    """The frames of a file that is whole.

    Raises:
        CorruptError: a frame is damaged; the message says where.
    """
    offset = HEADER_BYTES
    while offset < len(data):
        found = frame_at(data, offset)
        if found is None:
            raise CorruptError(f"the frame at byte {offset} is damaged; restore it from a backup")
        yield found
        offset = found.end


def frames_naming(data: bytes, name: bytes) -> Iterator[Frame]:
    """The frames of a file in which these bytes stand; the others are passed over, 0.3 us each. It ends where a frame is cut.

    Raises:
        CorruptError: a frame in which they stand is damaged; the message says where.
    """
    offset = HEADER_BYTES
    at = data.find(name, offset)
    while at >= 0:
        end = offset
        while end <= at:
            offset = end
            if offset + _FRAME.size > len(data):
                return
            end = offset + _FRAME.size + _U32.unpack_from(data, offset)[0]
        if end > len(data):
            return
        found = frame_at(data, offset)
        if found is None:
            raise CorruptError(f"the frame at byte {offset} is damaged; restore it from a backup")
        yield found
        offset = found.end
        at = data.find(name, offset)


def frame_at(data: bytes, offset: int) -> Frame | None:
    """The frame that begins there, None where no whole and sound one does."""
    start = offset + _FRAME.size
    if start > len(data):
        return None
    length, crc, commit, count = _FRAME.unpack_from(data, offset)
    end = start + length
    if end > len(data) or zlib.crc32(memoryview(data)[offset + 8 : end]) != crc:
        return None
    rows, at = [], start
    for _ in range(count):
        if at + _ROW.size > end:
            return None
        kind, slot, time, subject, event, size = _ROW.unpack_from(data, at)
        at += _ROW.size
        rows.append(Row(kind, slot, time, subject, event, data[at : at + size]))
        at += size
    return Frame(commit, tuple(rows), offset, end) if at == end else None


class FrameHead(NamedTuple):
    """What the rows of one commit say in the clear; `ids` are 16 bytes for each event that has one."""

    commit: int
    end: int
    events: int
    oldest: int
    newest: int
    ids: bytes


def frame_head(data: bytes, offset: int) -> FrameHead | None:
    """`frame_at` for who needs no rows: 0.1 us a row, not 2."""
    start = offset + _FRAME.size
    if start > len(data):
        return None
    length, crc, commit, count = _FRAME.unpack_from(data, offset)
    end = start + length
    if end > len(data) or zlib.crc32(memoryview(data)[offset + 8 : end]) != crc:
        return None
    heads = frame_heads(data, start, end, count)
    return None if heads is None else FrameHead(commit, end, *heads)


def sound_frame_behind(data: bytes, offset: int, last: int) -> bool:
    """Whether a sound frame of a commit after `last` stands somewhere behind `offset`: then what is before it is damaged."""
    for at in range(offset + 1, min(len(data) - _FRAME.size, offset + _LOOK) + 1):
        length, _, commit, _ = _FRAME.unpack_from(data, at)
        if last < commit <= last + 2**32 and at + _FRAME.size + length <= len(data) and frame_at(data, at) is not None:
            return True
    return False


def _aad(head: bytes, commit: int) -> bytes:
    return head + _U64.pack(commit)
