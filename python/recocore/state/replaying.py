"""Recording a log again: the same events, answers and tombstones under the keys of another store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError
from recocore.state.draft import Draft
from recocore.state.people import User
from recocore.state.segment import CUTOFF, EVENT, FORGET, NO_SLOT, OFFSETS, sealed_row

if TYPE_CHECKING:
    from recocore.state.changes import Change
    from recocore.state.commits import Commits
    from recocore.state.segment import Row

# Changes that are written together.
_TOGETHER = 10_000


def replay(source: Commits, into: Commits) -> int:
    """Record a store's log in an empty one, with its commits: the number of events. See `StateStore.replay`."""
    if into.log.last or source.keys.fingerprint != into.keys.fingerprint:
        raise InvalidArgumentError(
            "source: expected a store of the same pseudonym key, for an empty store to replay it", field="source"
        )
    new = 0
    draft, rows, last = Draft(0), list[bytes](), 0
    with into.writing():
        for row, change, plain in source.history.rows(until=source.log.last):
            if change.commit != last and rows:
                draft.end_frame(rows, last)
                rows = []
                if len(draft.changes) >= _TOGETHER:
                    into.write(draft, durable=False)
                    draft = Draft(last)
            last = change.commit
            new += row.kind == EVENT
            rows.append(_again(into, row, change, plain, draft))
        if rows:
            draft.end_frame(rows, last)
        into.write(draft, durable=True)
    return new


def _again(into: Commits, row: Row, change: Change, plain: bytes, draft: Draft) -> bytes:
    """A row of another store, under this one's keys."""
    if row.kind in (FORGET, OFFSETS, CUTOFF):
        found = into.people.find(row.subject) if row.kind == FORGET else None
        slot = found.slot if isinstance(found, User) else NO_SLOT
        return into.plain_row(
            row.kind, row.time, plain, change.commit, draft, subject=row.subject, slot=slot, offsets=change.offsets
        )
    user = into.meet(row.subject)
    assert isinstance(user, User), "a row behind the tombstone of its user"
    draft.changes.append(change._replace(slot=user.slot))
    if row.kind == EVENT:
        draft.tally.see(row.time, row.event)
    return sealed_row(
        row.kind, user.slot, row.time, row.subject, row.event, plain, change.commit, user.cipher, os.urandom(12)
    )
