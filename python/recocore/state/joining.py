"""Visitors who become users: an event that names both links the one to the other, as `StateStore.link` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from recocore.state.people import User
from recocore.state.statements import can_be_linked, linked_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recocore.state.commits import Commits
    from recocore.state.draft import Draft

# Pairs of ids of which it is known that there is nothing to do; some 200 bytes each.
_MOST_SETTLED = 100_000
_WHY = "event"


class _Ids(msgspec.Struct, array_like=True):
    """Whose an event is, as the log keeps it; what stands behind is passed over."""

    event_id: msgspec.Raw
    event_time: msgspec.Raw
    known_time: msgspec.Raw
    user_id: str | None
    visitor_id: str | None


_IDS = msgspec.msgpack.Decoder(_Ids).decode


class Joiner:
    """Finds visitors in events, and links those of whom something is known.

    Whoever was linked once to a user is left to those who take links back: neither the same link is made again, nor
    one to somebody else while it holds.

    Args:
        commits: of the state.
    """

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._settled: set[tuple[str, str]] = set()

    def rows(self, events: Iterable[bytes], draft: Draft, met: set[bytes]) -> list[bytes]:
        """The rows of the links that events of one call make, for the same frame; 0.5 us an event that names no visitor.

        Args:
            events: as the log keeps them, recorded.
            draft: notes what the rows change.
            met: pseudonyms in links that the draft makes, which nobody sees in their records yet; further ones are added.
        """
        rows: list[bytes] = []
        for event in events:
            ids = _IDS(event)
            user_id, visitor_id = ids.user_id, ids.visitor_id
            if user_id is None or visitor_id is None or user_id == visitor_id or (user_id, visitor_id) in self._settled:
                continue
            # Events before a login may name the visitor as either: RecordEvents asks for a user_id in each.
            for visitor in (True, False):
                rows += self._link(user_id, visitor_id, visitor, draft, met)
        return rows

    def _link(self, user_id: str, visitor_id: str, visitor: bool, draft: Draft, met: set[bytes]) -> list[bytes]:
        keys, people = self._commits.keys, self._commits.people
        source, target = keys.subject(visitor_id, visitor=visitor), keys.subject(user_id)
        known, user = people.find(source), people.find(target)
        if not isinstance(known, User) or not isinstance(user, User) or source in met:
            return []
        if any(link.into and link.id == user_id for link in known.record.links):
            self._settle(user_id, visitor_id)
            return []
        if target in met or not can_be_linked(self._commits, source, known, target, user):
            return []
        met |= {source, target}
        return linked_rows(draft, (source, visitor_id, visitor, known), (target, user_id, user), _WHY)

    def _settle(self, user_id: str, visitor_id: str) -> None:
        if len(self._settled) >= _MOST_SETTLED:
            self._settled.clear()
        self._settled.add((user_id, visitor_id))
