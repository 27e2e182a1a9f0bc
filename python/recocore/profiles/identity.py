"""Identities: which visitors, accounts and aliases are one person, when that was known, and how to undo it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from recocore.data import EventBatch
from recocore.data.checks import is_whole
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.storage.document import take
from recocore.storage.sealed_file import load_sealed, save_sealed

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

Kind = Literal["user", "visitor", "alias"]
Id = str | int
Node = tuple[Kind, Id]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Link:
    """One statement that two ids are one person.

    Attributes:
        number: its place in the history, from 0.
        source: kind and id of what is merged.
        target: kind and id of what it is merged into.
        made: when it was stated.
        unmade: when it was taken back; None while it holds.
        why: what told so, such as login or support.
    """

    number: int
    source: Node
    target: Node
    made: datetime
    unmade: datetime | None
    why: str

    def holds(self, as_of: datetime | None) -> bool:
        """Whether it was stated before `as_of` and not taken back before; None is now."""
        if as_of is None:
            return self.unmade is None
        return self.made < as_of and (self.unmade is None or self.unmade >= as_of)


class Identities:
    """Links between ids, each with its history; who somebody is follows from those that hold.

    The links that hold are read in the order in which they were made; each joins two groups, and the group takes the name
    of the target's. A group with a user is named by a user. A link within a group joins nothing, so cycles are
    harmless, and counts again when the link that made it superfluous is taken back: after `unmerge` everything is as if
    the link had never been made.

    Example:
        >>> from datetime import UTC, datetime
        >>> known = Identities()
        >>> at = datetime(2026, 3, 1, tzinfo=UTC)
        >>> number = known.merge_visitor("cookie-1", "ann", at=at, why="login")
        >>> _ = known.merge_users("ann-old", "ann", at=datetime(2026, 4, 1, tzinfo=UTC), why="support")
        >>> known.user_of_visitor("cookie-1"), known.resolve("ann-old"), known.members("ann")
        ('ann', 'ann', [('user', 'ann'), ('user', 'ann-old'), ('visitor', 'cookie-1')])
        >>> known.resolve("ann-old", as_of=datetime(2026, 3, 15, tzinfo=UTC))  # not known then
        'ann-old'
        >>> known.unmerge(number, at=datetime(2026, 5, 1, tzinfo=UTC))
        >>> known.user_of_visitor("cookie-1") is None
        True
    """

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._links = list(links)
        self._roots: dict[datetime | None, dict[Node, Node]] = {}

    def __len__(self) -> int:
        return len(self._links)

    @property
    def history(self) -> tuple[Link, ...]:
        """Every link that was ever made, first to last, those taken back included."""
        return tuple(self._links)

    def merge_visitor(self, visitor: str, user: Id, *, at: datetime, why: str = "") -> int:
        """State that a visitor is a user: at a login. Returns the link's number.

        Raises:
            InvalidArgumentError: an empty id, or a time without a zone or before the last one.
        """
        return self._merge(("visitor", visitor), ("user", user), at, why)

    def merge_users(self, source: Id, target: Id, *, at: datetime, why: str = "") -> int:
        """State that two accounts are one person, who is named by `target` from now on. Returns the link's number.

        Raises:
            InvalidArgumentError: as `merge_visitor`, or both are the same id.
        """
        return self._merge(("user", source), ("user", target), at, why)

    def add_alias(self, alias: str, user: Id, *, at: datetime, why: str = "") -> int:
        """State another name of a user, such as the id in another system. Returns the link's number.

        Raises:
            InvalidArgumentError: as `merge_visitor`.
        """
        return self._merge(("alias", alias), ("user", user), at, why)

    def unmerge(self, number: int, *, at: datetime) -> None:
        """Take a link back. It stays in the history, and look-ups as of a time before still see it.

        Raises:
            NotFoundError: there is no such link, or it was taken back before.
            InvalidArgumentError: a time without a zone or before the link's own.
        """
        if not 0 <= number < len(self._links) or self._links[number].unmade is not None:
            raise NotFoundError(f"number: expected a link that holds, got {number}; history lists them")
        link = self._links[number]
        if _checked(at) < link.made:
            raise InvalidArgumentError(
                f"at: expected {link.made.isoformat()} or later, when the link was made, got {at.isoformat()}",
                field="at",
            )
        self._links[number] = replace(link, unmade=at)
        self._roots.clear()

    def resolve(self, user: Id, as_of: datetime | None = None) -> Id:
        """The user that an account belongs to; itself where no link holds. O(1) after the first look-up as of a time."""
        return self._root(("user", user), as_of)[1]

    def user_of_visitor(self, visitor: str, as_of: datetime | None = None) -> Id | None:
        """The user that a visitor is, None where that is not known."""
        return self._user(("visitor", visitor), as_of)

    def user_of_alias(self, alias: str, as_of: datetime | None = None) -> Id | None:
        """The user of another name, None where that is not known."""
        return self._user(("alias", alias), as_of)

    def members(self, user: Id, as_of: datetime | None = None) -> list[Node]:
        """Kind and id of everything that is this person, the user first, the others by kind and id."""
        root = self._root(("user", user), as_of)
        others = [node for node in self._known(as_of) if self._root(node, as_of) == root and node != root]
        return [root, *sorted(others, key=lambda node: (node[0], str(node[1])))]

    def apply(self, events: EventBatch, as_of: datetime | None = None) -> EventBatch:
        """Events under the users that they belong to: before a build, with the same `as_of`.

        An event with a user goes to whom the account belongs to. One with a visitor alone goes to the visitor's user, and
        keeps a missing user where there is none. What happened before a merge counts for the merged person too.
        O(rows + distinct ids).
        """
        users = events.column("user_id")
        whole_numbers = pa.types.is_integer(users.type)

        def user_of(node: Node) -> Id | None:
            found = self._user(node, as_of)
            return None if found is None or isinstance(found, int) is not whole_numbers else found

        mapped = _map(users, lambda user: user_of(("user", user)))
        if events.has("visitor_id"):
            by_visitor = _map(events.column("visitor_id"), lambda visitor: user_of(("visitor", visitor)), users.type)
            mapped = pc.coalesce(mapped, by_visitor)
        table = events.table
        return EventBatch(table.set_column(table.column_names.index("user_id"), table.schema.field("user_id"), mapped))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole history as a JSON document, whole or not at all.

        Raises:
            OSError: the file system refuses.
        """
        links = [
            [*link.source, *link.target, link.made.isoformat(), link.unmade and link.unmade.isoformat(), link.why]
            for link in self._links
        ]
        save_sealed(path, "identities", _FORMAT, {"links": links})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Identities:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: nothing is there.
            CorruptError: the file is damaged or of another kind.
        """
        body = load_sealed(path, "identities", _FORMAT)
        try:
            return cls(_link(number, entry) for number, entry in enumerate(take(body, "links", list)))
        except (CorruptError, ValueError, TypeError) as error:
            raise CorruptError(f"{path}: {error}; save the identities again") from None

    def _merge(self, source: Node, target: Node, at: datetime, why: str) -> int:
        for kind, name in (source, target):
            if not (name if isinstance(name, str) else is_whole(name)):
                raise InvalidArgumentError(f"{kind}: expected an id, got {name!r}", field=kind)
        if source == target:
            raise InvalidArgumentError(
                f"source: expected another id than the target, got {source[1]!r}", field="source"
            )
        if self._links and _checked(at) < self._links[-1].made:
            raise InvalidArgumentError(
                f"at: expected {self._links[-1].made.isoformat()} or later, the time of the last link, got {at.isoformat()}; "
                "add links in the order of time",
                field="at",
            )
        self._links.append(Link(len(self._links), source, target, _checked(at), None, why))
        self._roots.clear()
        return len(self._links) - 1

    def _root(self, node: Node, as_of: datetime | None) -> Node:
        return self._known(as_of).get(node, node)

    def _user(self, node: Node, as_of: datetime | None) -> Id | None:
        root = self._root(node, as_of)
        return root[1] if root[0] == "user" else None

    def _known(self, as_of: datetime | None) -> dict[Node, Node]:
        """The name of the group of every id that a link names, as of a time."""
        if as_of is not None:
            _checked(as_of, "as_of")
        if as_of not in self._roots:
            parents: dict[Node, Node] = {}
            for link in self._links:
                if link.holds(as_of):
                    source, target = _find(parents, link.source), _find(parents, link.target)
                    if source[0] == "user" and target[0] != "user":
                        source, target = target, source
                    parents.setdefault(target, target)
                    parents[source] = target
            self._roots[as_of] = {node: _find(parents, node) for node in parents}
        return self._roots[as_of]


def _find(parents: dict[Node, Node], node: Node) -> Node:
    root = node
    while (parent := parents.get(root, root)) != root:
        root = parent
    while (parent := parents.get(node, node)) != root:
        parents[node], node = root, parent
    return root


def _checked(at: Any, argument: str = "at") -> datetime:
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise InvalidArgumentError(f"{argument}: expected a datetime with a zone, got {at!r}", field=argument)
    return at


def _map(column: pa.ChunkedArray, to: Any, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    """Each distinct value replaced by what `to` gives for it; null stays null."""
    encoded = column.combine_chunks().dictionary_encode()
    images = pa.array([to(value) for value in encoded.dictionary.to_pylist()], kind or column.type)
    return pa.chunked_array([images.take(encoded.indices)])


def _link(number: int, entry: Any) -> Link:
    source_kind, source, target_kind, target, made, unmade, why = entry
    if {source_kind, target_kind} - set(get_args(Kind)):
        raise CorruptError(f"link {number}: expected kinds {', '.join(get_args(Kind))}")
    back = None if unmade is None else datetime.fromisoformat(unmade)
    return Link(
        number, (source_kind, source), (target_kind, target), datetime.fromisoformat(made).astimezone(UTC), back, why
    )
