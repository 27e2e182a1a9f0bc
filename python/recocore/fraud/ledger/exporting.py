"""What a ledger holds as files to fit on: its events, and the labels that its reports make, while a desk may be writing it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from recocore.data import EventBatch
from recocore.data.files import check_target, write_parquet
from recocore.data.schema import EVENT_SCHEMA
from recocore.fraud.ledger.contents import is_report, read_event, read_report
from recocore.fraud.ledger.ledger import RULES
from recocore.fraud.ledger.notes import CUT, read_note
from recocore.state.folder import LOG, USER_KEYS, StateFolder
from recocore.state.log_files import growing_name, read_frames, sealed_segments
from recocore.state.segment import HEADER_BYTES, check_header, frame_at
from recocore.state.user_keys import UserKeys
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from recocore.fraud.decision import OutcomeReport
    from recocore.state.keys import KeyFile
    from recocore.state.segment import Frame, Row


def export_ledger(
    path: str | os.PathLike[str],
    events: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    keys: KeyFile | None = None,
) -> tuple[int, int]:
    """Write the events, in the order in which they counted, as Parquet, and the reports on them as CSV: how many of each.

    The CSV has `event_id`, `y`, `ts` (when it became known, microseconds since 1970), `source` and `confidence`, the surest
    report on an event last and of equally sure ones the latest, as `recocore.fraud.labels.read_labels` reads it. Events from
    before those that were dropped for their age are left out: they could not be counted as they were. The files are not
    encrypted. O(bytes of the log); the events are in memory.

    Args:
        path: the ledger's folder.
        events: the Parquet file.
        labels: the CSV file; None for none.
        keys: the master keys; by default those in PATH.key.

    Raises:
        NotFoundError: there is no ledger, or no key file.
        InvalidArgumentError: the keys are of another ledger.
        CorruptError: it is damaged; the message names the file.
    """
    check_target(events)
    folder = StateFolder.open(path, keys)
    reader = UserKeys(folder.path / USER_KEYS, folder.state_id, folder.keys)
    rows: list[dict[str, Any]] = []
    reports: list[OutcomeReport] = []
    event_ids: dict[bytes, str] = {}
    cut = read_note(folder.path, CUT) or 0
    try:
        for frame in _frames(folder):
            first, *more = frame.rows
            if first.kind == RULES:
                continue
            plain = _plain(first, frame.commit, reader)
            if is_report(plain):
                reports.append(read_report(plain))
                continue
            if first.time < cut:
                continue
            rows.append(read_event(plain))
            event_ids.update((row.event, str(rows[-1]["event_id"])) for row in more)
    finally:
        reader.close()
    write_parquet(_table(rows), events)
    reports = [report for report in reports if bytes.fromhex(report.decision_id) in event_ids]
    if labels is not None:
        replace_plain(Path(labels), _csv(reports, event_ids).encode(), mode=0o600)
    return len(rows), len(reports)


def _frames(folder: StateFolder) -> Iterator[Frame]:
    """Every frame that is whole, without the desk's word on which is the last."""
    log = folder.path / LOG
    sealed = sealed_segments(log)
    last = sealed[-1].last if sealed else 0
    yield from read_frames(log, folder.state_id, until=last)
    data, offset = read_plain(log / growing_name(last + 1)), HEADER_BYTES
    check_header(data, folder.state_id, last + 1, 0)
    while (found := frame_at(data, offset)) is not None:
        yield found
        offset = found.end


def _plain(row: Row, commit: int, keys: UserKeys) -> bytes:
    cipher = keys.cipher(row.slot)
    assert cipher is not None, "the key of a segment is never destroyed"
    return row.open(commit, cipher)


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    named = {name for row in rows for name in row}
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in EVENT_SCHEMA
        if field.name in named
    }
    return EventBatch.from_arrow(pa.table(columns)).table


def _csv(reports: Sequence[OutcomeReport], event_ids: dict[bytes, str]) -> str:
    told = io.StringIO()
    lines = csv.writer(told, lineterminator="\n")
    lines.writerow(("event_id", "y", "ts", "source", "confidence"))
    for report in sorted(reports, key=lambda report: (report.confidence, report.ts)):
        event_id = event_ids[bytes.fromhex(report.decision_id)]
        lines.writerow((event_id, report.y, report.ts, report.source, report.confidence))
    return told.getvalue()
