"""What is stated of people: what they said of themselves, and which ids are one person. Each is a row of the log."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from recocore.errors import AlreadyExistsError, ConflictError, InvalidArgumentError, NoConsentError, NotFoundError
from recocore.state.changes import Change
from recocore.state.draft import Draft
from recocore.state.history import pack_declared, pack_link
from recocore.state.people import Forgotten, User
from recocore.state.rows import MAX_ID, MAX_TEXT, now_us
from recocore.state.segment import DECLARED, LINKED, NO_EVENT, sealed_row
from recocore.state.values import PROFILING, Declared, Link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.state.commits import Commits

    # Whose row it is, of which kind, what it says, and that as bytes.
    _Stated = tuple[bytes, User, int, tuple[object, ...], bytes]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
# Of one record; a person has a few devices and accounts.
_MOST_LINKS = 200


def declare(
    commits: Commits, user_id: str | int, attributes: Mapping[str, str | None], source: str, version: int | None
) -> int:
    """Keep what a user said, durably: the commit. See `StateStore.declare`."""
    if not attributes:
        raise InvalidArgumentError("attributes: expected at least one, got none", field="attributes")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise InvalidArgumentError(
                f"attributes: expected names of a-z, 0-9 and _, up to 64, got {name!r:.80}", field="attributes"
            )
        if value is not None and len(value) > MAX_TEXT:
            raise InvalidArgumentError(
                f"attributes: expected at most {MAX_TEXT} characters for {name}, got {len(value)}", field="attributes"
            )
    with commits.writing():
        user = _person(commits, commits.keys.subject(user_id), "user_id")
        if version is not None and user.record.declared_version != version:
            raise ConflictError(
                f"version: expected {user.record.declared_version}, the commit that changed the attributes last, got "
                f"{version}; read them again, then decide"
            )
        now = now_us()
        said = tuple(Declared(name, value or "", source, now) for name, value in attributes.items())
        draft = Draft(commits.log.last)
        _write(commits, draft, [(commits.keys.subject(user_id), user, DECLARED, said, pack_declared(said))], now)
        return draft.commit


def link(commits: Commits, source_id: str | int, target_id: str | int, *, visitor: bool, why: str) -> int:
    """State that a user or visitor is another user, durably: the link's number. See `StateStore.link`."""
    if len(why) > MAX_ID:
        raise InvalidArgumentError(f"why: expected at most {MAX_ID} characters, got {len(why)}", field="why")
    keys, field = commits.keys, "visitor_id" if visitor else "source_id"
    source, target = keys.subject(source_id, visitor=visitor), keys.subject(target_id)
    with commits.writing():
        # Looked at before anything is made: a refused merge begins no record.
        known = commits.people.find(source)
        if isinstance(known, User) and (into := _merged_into(known)) is not None:
            if into.id == str(target_id):  # sent again, as after an answer that was lost
                return into.number
            raise AlreadyExistsError(f"{field}: {source_id} is merged into {into.id} already; take that back first")
        if source in _above(commits, target):
            raise InvalidArgumentError(f"{field}: expected somebody else than the target, got {source_id}", field=field)
        into_user, from_user = _person(commits, target, "target_id"), _person(commits, source, field)
        if max(len(into_user.record.links), len(from_user.record.links)) >= _MOST_LINKS:
            raise InvalidArgumentError(f"target_id: expected at most {_MOST_LINKS} links of one id", field="target_id")
        draft = Draft(commits.log.last)
        rows = linked_rows(
            draft, (source, str(source_id), visitor, from_user), (target, str(target_id), into_user), why
        )
        draft.end_frame(rows)
        commits.write(draft, durable=True)
        return draft.commit


def can_be_linked(commits: Commits, source: bytes, known: User, target: bytes, user: User) -> bool:
    """Whether nothing stands against a link that nobody has asked for: what `link` refuses is left alone."""
    return (
        _merged_into(known) is None
        and source not in _above(commits, target)
        and max(len(known.record.links), len(user.record.links)) < _MOST_LINKS
        and all(each.record.consent.get(PROFILING, True) for each in (known, user))
    )


def linked_rows(
    draft: Draft, source: tuple[bytes, str, bool, User], target: tuple[bytes, str, User], why: str
) -> list[bytes]:
    """The two rows of a link in the next commit of a draft, which notes what they change.

    Args:
        draft: of commits.
        source: pseudonym, id, whether it is a visitor's, and what is known.
        target: pseudonym, id, and what is known.
        why: what told so.
    """
    now, number = now_us(), draft.commit + 1
    theirs = Link(number, False, source[2], source[1], now, None, why)
    ours = Link(number, True, False, target[1], now, None, why)
    rows = [
        (target[0], target[2], LINKED, theirs, pack_link(theirs)),
        (source[0], source[3], LINKED, ours, pack_link(ours)),
    ]
    return _sealed(draft, rows, now)


def unlink(commits: Commits, target_id: str | int, number: int) -> int:
    """Take a link into a user back, durably: the commit. See `StateStore.unlink`."""
    keys = commits.keys
    with commits.writing():
        target = keys.subject(target_id)
        user = commits.people.find(target)
        holds = [
            link
            for link in (user.record.links if isinstance(user, User) else ())
            if link.number == number and not link.into and link.unmade is None
        ]
        if not holds:
            raise NotFoundError(f"number: expected a merge into this user that holds, got {number}")
        assert isinstance(user, User)
        now, draft = now_us(), Draft(commits.log.last)
        undone = holds[0]._replace(unmade=now)
        rows = [(target, user, LINKED, undone, pack_link(undone))]
        source = keys.subject(undone.id, visitor=undone.visitor)
        other = commits.people.find(source)
        if isinstance(other, User):
            theirs = undone._replace(into=True, visitor=False, id=str(target_id))
            rows.append((source, other, LINKED, theirs, pack_link(theirs)))
        _write(commits, draft, rows, now)
        return draft.commit


def merged(commits: Commits, subject: bytes) -> list[tuple[Link, bytes]]:
    """Who was merged into somebody, and into those in turn: the links that hold, and the pseudonyms; while `reading`."""
    found: list[tuple[Link, bytes]] = []
    met = {subject}
    waiting = [subject]
    while waiting:
        user = commits.people.find(waiting.pop())
        for each in user.record.links if isinstance(user, User) else ():
            other = commits.keys.subject(each.id, visitor=each.visitor)
            if not each.into and each.unmade is None and other not in met:
                met.add(other)
                found.append((each, other))
                waiting.append(other)
    return found


def _above(commits: Commits, subject: bytes) -> set[bytes]:
    """Somebody, whom they were merged into, and so on."""
    met: set[bytes] = set()
    while subject not in met:
        met.add(subject)
        user = commits.people.find(subject)
        into = _merged_into(user) if isinstance(user, User) else None
        if into is not None:
            subject = commits.keys.subject(into.id)
    return met


def _merged_into(user: User) -> Link | None:
    return next((link for link in user.record.links if link.into and link.unmade is None), None)


def _person(commits: Commits, subject: bytes, field: str) -> User:
    user = commits.meet(subject)
    if isinstance(user, Forgotten):
        raise InvalidArgumentError(
            f"{field}: expected somebody of whom something may be kept, got one who was forgotten", field=field
        )
    if not user.record.consent.get(PROFILING, True):
        raise NoConsentError(f"{field}: this person wants no profile; ask for consent to {PROFILING} first")
    return user


def _write(commits: Commits, draft: Draft, rows: Sequence[_Stated], now: int) -> None:
    draft.end_frame(_sealed(draft, rows, now))
    commits.write(draft, durable=True)


def _sealed(draft: Draft, rows: Sequence[_Stated], now: int) -> list[bytes]:
    commit, made = draft.commit + 1, []
    for subject, user, kind, facts, plain in rows:
        draft.changes.append(Change(kind, commit, subject, user.slot, now, facts=facts))
        made.append(sealed_row(kind, user.slot, now, subject, NO_EVENT, plain, commit, user.cipher, os.urandom(12)))
    return made
