"""What people may ask of a store: to keep their answers, to say everything it holds of them, and to forget them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from recocore.errors import InvalidArgumentError
from recocore.state.changes import Change
from recocore.state.draft import Draft
from recocore.state.exporting import exported
from recocore.state.history import pack_consent
from recocore.state.people import Forgotten, User, view_of
from recocore.state.rows import iso, now_us
from recocore.state.segment import CONSENT, FORGET, NO_EVENT, NO_SLOT, sealed_row
from recocore.state.statements import merged
from recocore.state.values import ForgetReceipt

if TYPE_CHECKING:
    from recocore.state.commits import Commits

_PURPOSE = re.compile(r"[a-z0-9_-]{1,64}")


def set_consent(commits: Commits, subject: bytes, purpose: str, granted: bool) -> int:
    """Keep an answer durably: the commit. See `StateStore.set_consent`."""
    given: Any = (purpose, granted)
    if not isinstance(given[0], str) or not _PURPOSE.fullmatch(purpose):
        raise InvalidArgumentError(
            f"purpose: expected up to 64 characters of a-z, 0-9, _ and -, got {purpose!r:.80}", field="purpose"
        )
    if not isinstance(given[1], bool):
        raise InvalidArgumentError(f"granted: expected True or False, got {granted!r:.40}", field="granted")
    with commits.writing():
        now, draft = now_us(), Draft(commits.log.last)
        user = commits.meet(subject)
        if isinstance(user, Forgotten):
            raise InvalidArgumentError(
                "user_id: expected a user of whom answers may be kept, got one who was forgotten", field="user_id"
            )
        commit = draft.commit + 1
        plain, nonce = pack_consent(purpose, granted), os.urandom(12)
        draft.changes.append(Change(CONSENT, commit, subject, user.slot, now, facts=(purpose, granted)))
        draft.end_frame([sealed_row(CONSENT, user.slot, now, subject, NO_EVENT, plain, commit, user.cipher, nonce)])
        commits.write(draft, durable=True)
        return commit


def consents(commits: Commits, subject: bytes) -> dict[str, bool]:
    """Somebody's answers: purpose → granted."""
    with commits.reading():
        user = commits.people.find(subject)
        return dict(user.record.consent) if isinstance(user, User) else {}


def forget(commits: Commits, subject: bytes) -> ForgetReceipt:
    """Destroy a key and a record, durably. See `StateStore.forget`."""
    with commits.writing():
        now, draft = now_us(), Draft(commits.log.last)
        user = commits.people.find(subject)
        if isinstance(user, Forgotten):
            return ForgetReceipt(user.commit, subject.hex(), iso(user.time), key_destroyed=False, events=0)
        held, rows = 0, []
        # Who was merged into somebody is the same person.
        for each in (subject, *(other for _, other in merged(commits, subject))):
            found = commits.people.find(each)
            if isinstance(found, Forgotten):
                continue
            slot = NO_SLOT if found is None else found.slot
            held += 0 if found is None else len(found.record.times)
            rows.append(commits.plain_row(FORGET, now, b"", draft.commit + 1, draft, subject=each, slot=slot))
        draft.end_frame(rows)
        commits.write(draft, durable=True)
        return ForgetReceipt(draft.commit, subject.hex(), iso(now), key_destroyed=user is not None, events=held)


def export(commits: Commits, identifier: str, *, visitor: bool) -> dict[str, Any]:
    """Everything held of somebody. See `StateStore.export_user`."""
    with commits.reading():
        subject = commits.keys.subject(identifier, visitor=visitor)
        others = [(link.id, link.visitor, other) for link, other in merged(commits, subject)]
    made, *further = (_export(commits, *who) for who in ((identifier, visitor, subject), *others))
    return {**made, "merged": further}


def _export(commits: Commits, identifier: str, visitor: bool, subject: bytes) -> dict[str, Any]:
    """Everything held under one id."""
    with commits.reading():
        found, until, cutoff = commits.people.find(subject), commits.log.last, commits.table.progress.cutoff
    rows = commits.history.of(subject, until, cutoff) if isinstance(found, User) else ()
    return exported(identifier, subject, view_of(found), rows, visitor=visitor)
