"""What a state knows of users, and what that changes in an answer: see `People.add_to`.

A record is read once a call, before the cache of answers is asked: its version is part of the answer's key. Nothing is
locked, and the owner of the state need not be alive.
"""

from __future__ import annotations

import asyncio
import functools
import struct
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from recocore.index.asking import SessionEvent
from recocore.service.convert.checks import id_problem
from recocore.service.events import commit_tokens
from recocore.service.events.problems import CommitNotSeenError, NoStateError
from recocore.state.merged import joined, merged_records
from recocore.state.recent import items_and_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.service.call import Call
    from recocore.service.engine import Engine, Known
    from recocore.service.profiles.blending import Blend
    from recocore.service.queries import Template
    from recocore.state import StateReader, UserRecord

# Without it a user is ranked for as anybody is; whoever said nothing has not withdrawn it.
PERSONALIZATION = "personalization"

# A commit that has been acknowledged is there to be read at once, a buffered one within some ten milliseconds.
_LONGEST_WAIT_SECONDS = 1.0
# On a thread, of which there are few: what was made up must not keep them from others.
_LONGEST_WAIT_HERE_SECONDS = 0.1
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.001, 0.02
# What an answer takes once the commit is there.
_ANSWER_SECONDS = 0.01

_VERSION = struct.Struct(">QQ")


class People:
    """What is known of users beside the models. This one knows nobody: the service has no state. Safe from any thread."""

    @property
    def are_known(self) -> bool:
        """Whether there may be a record of anybody."""
        return False

    @property
    def known(self) -> Known | None:
        """`add_to` by the id of the user; None where nobody is known."""
        return None

    def record(self, user_id: str) -> UserRecord | None:
        """What is known of a user, and of whom they were merged with; None for nothing."""
        return None

    def version(self, record: UserRecord | None) -> bytes:
        """Changes whenever what a record adds to an answer may have changed; the same length for all."""
        return b""

    def hides(self, user_id: str) -> bool:
        """Whether a user must not be ranked by what they did."""
        return False

    def check(self, min_commit: str) -> None:
        """See that a commit token, empty for none, can be answered.

        Raises:
            NoStateError: there is one, and no state.
        """
        if min_commit:
            raise NoStateError("min_commit_token")

    async def wait(self, min_commit: str, call: Call) -> None:
        """Wait until a commit can be read, on the event loop.

        Raises:
            NoStateError: there is no state.
            CommitNotSeenError: it cannot be read within a second, or the call's deadline.
        """
        self.check(min_commit)

    def wait_here(self, min_commit: str, call: Call) -> None:
        """`wait` on a thread, for a tenth of a second at most."""
        self.check(min_commit)

    def known_to(self, engine: Engine) -> Known | None:
        """`known`, with what the profile of the user adds for a model."""
        return self.known

    def blend(self, template: Template, record: UserRecord | None, user_id: str, engine: Engine) -> Template:
        """What to ask for a user once what the profile says is added: see `recocore.service.profiles.blending`."""
        return template

    def add_to(self, template: Template, record: UserRecord | None) -> Template:
        """What to ask for a user of whom a record is known.

        Recent events go before the session events of the request, and items bought are seen. Somebody who withdrew consent to
        personalization is ranked for as with PERSONALIZATION_NONE, somebody who was forgotten as one whom no model knows.
        """
        return template


NOBODY = People()


class StatePeople(People):
    """Reads a state.

    Args:
        reader: of the state.
        recent_events: how many events of a user's record count as session events.
        blend: adds what profiles say; None for nothing.
    """

    def __init__(self, reader: StateReader, recent_events: int, blend: Blend | None = None) -> None:
        self._reader = reader
        self._recent_events = recent_events
        self._blend = blend

    @property
    def are_known(self) -> bool:
        """See People."""
        return True

    @property
    def known(self) -> Known | None:
        """See People."""
        return lambda user_id, template: self.add_to(template, self.record(user_id))

    def known_to(self, engine: Engine) -> Known | None:
        """See People."""
        if self._blend is None:
            return self.known

        def known(user_id: str, template: Template) -> Template:
            record = self.record(user_id)
            return self.blend(self.add_to(template, record), record, user_id, engine)

        return known

    def blend(self, template: Template, record: UserRecord | None, user_id: str, engine: Engine) -> Template:
        """See People."""
        return template if self._blend is None else self._blend.add(template, record, user_id, engine)

    def record(self, user_id: str) -> UserRecord | None:
        """See People."""
        if id_problem(user_id):
            return None
        record = self._reader.user(user_id)
        if record is None or record.forgotten or not record.links:
            return record
        # Somebody who was merged is one person under any of their ids.
        return joined(merged_records(self._look, user_id, False, record).records)

    def _look(self, id_: str, visitor: bool) -> UserRecord | None:
        return self._reader.user(id_, visitor=visitor)

    def version(self, record: UserRecord | None) -> bytes:
        """See People. What a profile adds grows old by itself."""
        if record is None:
            return _VERSION.pack(0, 0)
        return _VERSION.pack(record.version, 0 if self._blend is None else self._blend.age)

    def hides(self, user_id: str) -> bool:
        """See People."""
        record = self.record(user_id)
        return record is not None and (record.forgotten or not _allows(record))

    def check(self, min_commit: str) -> None:
        """See People."""

    async def wait(self, min_commit: str, call: Call) -> None:
        """See People."""
        if min_commit:
            for pause in self._pauses(commit_tokens.decode(min_commit), call, _LONGEST_WAIT_SECONDS):
                await asyncio.sleep(pause)

    def wait_here(self, min_commit: str, call: Call) -> None:
        """See People."""
        if min_commit:
            for pause in self._pauses(commit_tokens.decode(min_commit), call, _LONGEST_WAIT_HERE_SECONDS):
                time.sleep(pause)

    def add_to(self, template: Template, record: UserRecord | None) -> Template:
        """See People."""
        if record is None:
            return template
        ask = template.ask
        if record.forgotten:
            return replace(template, as_unknown=True)
        if not _allows(record):
            return replace(template, ask=replace(ask, personalization="none"), asked=ask)
        if ask.personalization != "full":
            return template
        newest = items_and_weights(record.recent, self._recent_events)
        recent = tuple([_session_event(item_id, weight) for item_id, weight in newest if weight])
        had = record.seen if ask.exclude_seen else ()
        if not recent and not had:
            return template
        return replace(template, ask=replace(ask, session=(*recent, *ask.session), had=had), asked=ask)

    def _pauses(self, commit: int, call: Call, longest: float) -> Iterator[float]:
        """Pauses until a commit can be read."""
        end = time.monotonic() + min(longest, call.seconds_left - _ANSWER_SECONDS)
        pause = _FIRST_PAUSE_SECONDS
        while (seen := self._reader.commit) < commit:
            left = end - time.monotonic()
            if left <= 0:
                raise CommitNotSeenError(commit, seen)
            call.checkpoint()
            yield min(pause, left)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


# Checked once for each item and weight: twenty of them anew take 30 us.
@functools.lru_cache(maxsize=65_536)
def _session_event(item_id: str, weight: float) -> SessionEvent:
    return SessionEvent(item_id, weight)


def _allows(record: UserRecord) -> bool:
    return record.consent.get(PERSONALIZATION, True)
