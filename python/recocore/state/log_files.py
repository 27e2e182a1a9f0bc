"""The files of a log, as anybody may read them while the owner writes.

    FIRST.json              a sealed segment: what its files must be; replaced whole when the segment is compacted
    FIRST.GENERATION.seg    its frames, or those of the segment that still grows, which has no FIRST.json; see `segment`
    FIRST.GENERATION.ids    the ids of its events; see `event_ids`

FIRST is the segment's first commit in 20 digits. Segments follow each other without a gap, so that one that is missing is
missed.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from recocore.errors import CorruptError
from recocore.state.segment import HEADER_BYTES, check_header, frame_at, frames, frames_naming
from recocore.storage.document import count, parse, seal, take
from recocore.storage.plain_file import read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recocore.state.segment import Frame

_FORMAT = "recocore-log-segment"
_FILE = re.compile(r"(\d{20})\.(\d+)\.(seg|ids)|(\d{20})\.json")


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is known of a sealed segment.

    Attributes:
        first: commit.
        last: commit, whether or not the file still has rows of it.
        generation: grows with every compaction.
        size: bytes of the frames' file.
        sha256: of the frames' file, hexadecimal.
        events: in the file.
        oldest: event time in microseconds; 0 without events.
        newest: event time in microseconds; 0 without events.
        ids: how many events have an id.
        ids_sha256: of the ids' file, hexadecimal.
    """

    first: int
    last: int
    generation: int
    size: int
    sha256: str
    events: int
    oldest: int
    newest: int
    ids: int
    ids_sha256: str

    @property
    def name(self) -> str:
        """Of the frames' file."""
        return segment_name(self.first, self.generation)

    @property
    def ids_name(self) -> str:
        """Of the ids' file."""
        return ids_name(self.first, self.generation)

    @property
    def document_name(self) -> str:
        """Of the document that says all this."""
        return document_name(self.first)

    def spell(self) -> bytes:
        """The document."""
        return seal({"format": _FORMAT, "format_version": 1, **asdict(self)})

    @classmethod
    def read(cls, path: Path) -> Sealed:
        """From its document.

        Raises:
            FileNotFoundError: it is missing.
            CorruptError: it is damaged.
        """
        data = read_plain(path)
        try:
            body = parse(data)
            body.pop("digest", None)
            if seal(body) != data:
                raise CorruptError("its digest does not match its content")
            if body.get("format") != _FORMAT or count(body, "format_version") != 1:
                raise CorruptError("not the description of a segment that this version knows")
            return cls(**{name: _field(body, name) for name in cls.__slots__})
        except CorruptError as error:
            raise CorruptError(f"{path}: {error}; restore it from a backup") from None


def _field(body: dict[str, Any], name: str) -> Any:
    return take(body, name, str) if name.endswith("sha256") else count(body, name)


def segment_name(first: int, generation: int) -> str:
    """The name of a frames' file."""
    return f"{first:020d}.{generation}.seg"


def ids_name(first: int, generation: int) -> str:
    """The name of an ids' file."""
    return f"{first:020d}.{generation}.ids"


def document_name(first: int) -> str:
    """The name of a sealed segment's document."""
    return f"{first:020d}.json"


def sealed_segments(folder: Path) -> list[Sealed]:
    """The sealed segments, first to last.

    Raises:
        CorruptError: one is damaged, or missing between the others.
    """
    while True:
        try:
            found = [Sealed.read(path) for path in sorted(folder.glob("*.json"))]
            break
        except FileNotFoundError:  # taken away between the look and the reading
            continue
    expected = 1
    for each in found:
        if each.first != expected:
            raise CorruptError(
                f"{folder}: expected a segment that begins with commit {expected}, got one that begins with {each.first}; "
                "restore what is missing from a backup"
            )
        expected = each.last + 1
    return found


def strangers(folder: Path, sealed: list[Sealed]) -> list[Path]:
    """Files that no segment needs: what a killed owner left, and generations that were replaced."""
    growing = sealed[-1].last + 1 if sealed else 1
    needed = {growing_name(growing)} | {
        name for each in sealed for name in (each.name, each.ids_name, each.document_name)
    }
    found = [path for path in folder.iterdir() if _FILE.fullmatch(path.name.removeprefix(".").removesuffix(".tmp"))]
    return [path for path in found if path.name not in needed]


def growing_name(first: int) -> str:
    """The name of the frames' file that still grows."""
    return segment_name(first, 0)


def read_frames(
    folder: Path,
    state_id: bytes,
    *,
    after: int = 0,
    until: int,
    start: int = 0,
    end: int = 2**62,
    subject: bytes = b"",
    naming: bytes = b"",
) -> Iterator[Frame]:
    """The frames of commits `after < commit <= until`, first to last, a file in memory at a time.

    Sealed segments without an event of `start <= time < end`, in microseconds, are passed over, and so are files without a row
    of `subject`, where that is given; frames in which `naming` does not stand are not even looked at. Safe while the owner
    appends and compacts: a segment is read in the generation that is found when it is opened.

    Raises:
        CorruptError: a file is damaged, and the message names it.
    """
    while after < until:
        segments = sealed_segments(folder)
        sealed = next((each for each in segments if each.last > after), None)
        try:
            if sealed is None:
                first = segments[-1].last + 1 if segments else 1
                yield from _growing(folder, state_id, first, after, until, subject, naming)
                return
            if not sealed.events or (sealed.newest >= start and sealed.oldest < end):
                yield from _read(folder, state_id, sealed, after, until, subject, naming)
        except FileNotFoundError:
            if sealed_segments(folder) != segments:
                continue  # sealed or compacted in between
            name = growing_name(first) if sealed is None else sealed.name
            raise CorruptError(f"{folder / name}: missing; restore it from a backup") from None
        after = sealed.last


def _read(
    folder: Path, state_id: bytes, sealed: Sealed, after: int, until: int, subject: bytes, naming: bytes
) -> Iterator[Frame]:
    path = folder / sealed.name
    data = read_plain(path)
    try:
        if len(data) != sealed.size:
            raise CorruptError(f"expected {sealed.size} bytes, got {len(data)}; restore it from a backup")
        check_header(data, state_id, sealed.first, sealed.generation)
        found = frames_naming(data, naming) if naming else frames(data)
        for frame in found if subject in data else ():
            if after < frame.commit <= until:
                yield frame
    except CorruptError as error:
        raise CorruptError(f"{path}: {error}") from None


def _growing(
    folder: Path, state_id: bytes, first: int, after: int, until: int, subject: bytes, naming: bytes
) -> Iterator[Frame]:
    path = folder / growing_name(first)
    data = read_plain(path)
    try:
        check_header(data, state_id, first, 0)
        if naming:
            yield from (frame for frame in frames_naming(data, naming) if after < frame.commit <= until)
            return
        reached, offset = after, HEADER_BYTES
        while reached < until and subject in data:
            frame = frame_at(data, offset)
            if frame is None:
                raise CorruptError(f"the frame at byte {offset} is damaged or cut; restore it from a backup")
            if after < frame.commit <= until:
                yield frame
            reached, offset = max(reached, frame.commit), frame.end
    except CorruptError as error:
        raise CorruptError(f"{path}: {error}") from None
