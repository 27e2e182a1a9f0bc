"""What is popular in each segment: for users whom no model knows yet."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from recocore.errors import CorruptError
from recocore.ops.arguments import integer
from recocore.storage.document import take
from recocore.storage.sealed_file import load_sealed, save_sealed

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping

    from recocore.data import EventBatch

_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class SegmentPopular:
    """The items that most users of a segment have, the most popular first.

    Attributes:
        items: segment → item ids as text, equals in the order of their ids.

    Example:
        >>> from recocore.data import EventBatch
        >>> import pyarrow as pa
        >>> table = pa.table({"user_id": ["ann", "bob", "bob", "eve"], "item_id": ["tea", "tea", "mug", "pen"]})
        >>> events = EventBatch.from_arrow(table.append_column("type", pa.array(["buy"] * 4)))
        >>> dict(SegmentPopular.count(events, {"1": {"ann", "bob"}, "2": {"eve"}}, top=2).items)
        {'1': ('tea', 'mug'), '2': ('pen',)}
    """

    items: Mapping[str, tuple[str, ...]]

    @classmethod
    def count(
        cls,
        events: EventBatch,
        segments: Mapping[str, Collection[Any]],
        *,
        types: Collection[str] = ("buy",),
        top: int = 50,
    ) -> Self:
        """Count, for each item, the users of a segment who did something with it.

        Args:
            events: of the users.
            segments: segment → its users.
            types: of the events that count.
            top: items kept of a segment.

        Raises:
            InvalidArgumentError: `top` below 1.
        """
        integer(top, "top", 1)
        of_user: dict[Any, list[str]] = defaultdict(list)
        for segment, users in segments.items():
            for user in users:
                of_user[user].append(segment)
        counts: dict[str, Counter[str]] = {segment: Counter() for segment in segments}
        columns = (events.column(name).to_pylist() for name in ("user_id", "item_id", "type"))
        seen = {(user, item) for user, item, kind in zip(*columns, strict=True) if kind in types and item is not None}
        for user, item in seen:
            for segment in of_user.get(user, ()):
                counts[segment][str(item)] += 1
        ranked = {
            segment: tuple(sorted(counted, key=lambda item: (-counted[item], item))[:top])
            for segment, counted in counts.items()
        }
        return cls(MappingProxyType(ranked))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON document, whole or not at all.

        Raises:
            OSError: the file system refuses.
        """
        save_sealed(path, "segment_popular", _FORMAT, {"items": {name: list(ids) for name, ids in self.items.items()}})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: nothing is there.
            CorruptError: the file is damaged or of another kind.
        """
        body = load_sealed(path, "segment_popular", _FORMAT)
        listed = take(body, "items", dict)
        if not all(isinstance(ids, list) and all(isinstance(each, str) for each in ids) for ids in listed.values()):
            raise CorruptError(f"{path}: expected lists of item ids; count the items again")
        return cls(MappingProxyType({name: tuple(ids) for name, ids in listed.items()}))
