"""The end of a log that somebody else writes: what came since the last look, without reading the rest again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from recocore.state.log_files import growing_name, read_frames, sealed_segments
from recocore.state.segment import HEADER_BYTES, check_header, frame_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recocore.state.segment import Frame


class LogTail:
    """Frames after a commit, once each, look after look.

    Args:
        folder: of the log.
        state_id: 16 bytes.
        after: the commit before the first.

    Attributes:
        commit: the last that was given, or passed over because the log has it no longer.
    """

    def __init__(self, folder: Path, state_id: bytes, after: int) -> None:
        self._folder, self._state_id = folder, state_id
        self.commit = after
        # The growing segment that was looked into last, and how far.
        self._first, self._offset = 0, HEADER_BYTES

    def frames(self, until: int) -> Iterator[Frame]:
        """Frames of `commit < each <= until`, first to last. O(bytes that came since).

        Args:
            until: a commit that was written whole.

        Raises:
            CorruptError: a file is damaged; the message names it.
        """
        while self.commit < until:
            yield from self._growing(until)
            if self.commit >= until:
                return
            # The segment was sealed, or this is the first look.
            sealed = sealed_segments(self._folder)
            last = sealed[-1].last if sealed else 0
            if self.commit < last:
                for frame in read_frames(self._folder, self._state_id, after=self.commit, until=min(until, last)):
                    self.commit = frame.commit
                    yield frame
                self.commit = max(self.commit, min(until, last))
            elif self._first == last + 1:
                return  # the file has not what the log's owner has promised yet
            self._first, self._offset = last + 1, HEADER_BYTES

    def _growing(self, until: int) -> Iterator[Frame]:
        if not self._first:
            return
        try:
            with (self._folder / growing_name(self._first)).open("rb") as file:
                if self._offset == HEADER_BYTES:
                    check_header(file.read(HEADER_BYTES), self._state_id, self._first, 0)
                file.seek(self._offset, os.SEEK_SET)
                data = file.read()
        except FileNotFoundError:
            self._first = 0  # compacted meanwhile
            return
        at = 0
        while (frame := frame_at(data, at)) is not None and frame.commit <= until:
            self._offset += frame.end - at
            at = frame.end
            if frame.commit > self.commit:
                self.commit = frame.commit
                yield frame
