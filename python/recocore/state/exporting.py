"""Everything held of one person, as JSON holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore.state.history import declared_in, link_in, purpose_and_answer
from recocore.state.rows import iso, json_event, unpack
from recocore.state.segment import CONSENT, DECLARED, EVENT, LINKED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recocore.state.segment import Row
    from recocore.state.values import UserRecord


def exported(
    identifier: str, subject: bytes, record: UserRecord | None, rows: Iterable[tuple[Row, bytes]], *, visitor: bool
) -> dict[str, Any]:
    """The id, the pseudonym, the record, answers, declared attributes and merges with their history, and the events.

    Args:
        identifier: the user's, or the visitor's.
        subject: the pseudonym.
        record: what readers see.
        rows: the person's rows of the log, with their plain payloads.
        visitor: the id is a visitor_id.
    """
    events, answers, said, links = [], [], [], []
    for row, plain in rows:
        if row.kind == EVENT:
            events.append(json_event(unpack(plain)))
        elif row.kind == CONSENT:
            purpose, granted = purpose_and_answer(plain)
            answers.append({"time": iso(row.time), "purpose": purpose, "granted": granted})
        elif row.kind == DECLARED:
            said += [{**each._asdict(), "time": iso(each.time)} for each in declared_in(plain)]
        elif row.kind == LINKED:
            links.append({**link_in(plain)._asdict(), "time": iso(row.time)})
    recent = () if record is None else record.recent
    return {
        "visitor_id" if visitor else "user_id": identifier,
        "pseudonym": subject.hex(),
        "forgotten": record is not None and record.forgotten,
        "seen": [] if record is None else list(record.seen),
        "recent": [{**event._asdict(), "time": iso(event.time)} for event in recent],
        "consent": {} if record is None else dict(record.consent),
        "consent_history": answers,
        "declared": {} if record is None else {each.name: each.value for each in record.declared},
        "declared_history": said,
        "links": links,
        "events": events,
    }
