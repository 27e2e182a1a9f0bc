"""KnownRings: the rings that the last search found, for decisions to name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.fraud.rings import Ring
from recocore.fraud.velocity.specs import ID_COLUMNS
from recocore.storage.document import digest, parse, seal
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

_FORMAT: Final = "recocore-fraud-rings"
_ACCOUNT: Final = "user_id"


class Rings(Protocol):
    """What a decision asks of the rings that are known."""

    @property
    def version(self) -> str:
        """Of the rings."""
        ...

    def of(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rings that an event belongs to or touches, the densest first."""
        ...


@dataclass(frozen=True, slots=True)
class RingSize:
    """What a decision tells of a ring: nobody in it by name, so that who is forgotten stands in no decision on another."""

    density: float
    accounts: int
    entities: int


def touched(
    event: Mapping[str, Any],
    columns: Sequence[str],
    place_of: Callable[[str, str], int | None],
    sizes: Sequence[RingSize],
) -> list[dict[str, Any]]:
    """The rings that an event belongs to or touches, in their order, each with what ties the event to it.

    Args:
        event: columns by name.
        columns: in which members may be.
        place_of: the ring of a column's value.
        sizes: of the rings.
    """
    found: dict[int, list[str]] = {}
    for name in columns:
        value = event.get(name)
        place = None if value is None else place_of(name, str(value))
        if place is not None:
            found.setdefault(place, []).append(name)
    return [
        {
            "ring": place,
            "via": via,
            "density": round(sizes[place].density, 9),
            "account_count": sizes[place].accounts,
            "entity_count": sizes[place].entities,
        }
        for place, via in sorted(found.items())
    ]


@dataclass(frozen=True, eq=False)
class KnownRings:
    """Rings whose accounts are `user_id`s and whose entities are (column, id), such as ("device", "d-17").

    Attributes:
        rings: the densest first.
        found: when the search was, microseconds since 1970.

    Example:
        >>> rings = KnownRings((Ring(("ann", "bob"), (("device", "d-17"),), 0.7),), 0)
        >>> [match["via"] for match in rings.of({"user_id": "eve", "device": "d-17"})]
        [['device']]
    """

    rings: tuple[Ring, ...]
    found: int

    def __post_init__(self) -> None:
        for place, ring in enumerate(self.rings):
            if not all(isinstance(account, str) for account in ring.accounts):
                raise InvalidArgumentError(f"rings[{place}]: expected accounts that are texts", field="rings")
            for entity in ring.entities:
                if not (isinstance(entity, tuple) and len(entity) == 2 and entity[0] in ID_COLUMNS):
                    raise InvalidArgumentError(
                        f"rings[{place}]: expected entities as (column of the events, id), got {entity!r:.80}; find rings "
                        "with kinds",
                        field="rings",
                    )
        ordered = tuple(sorted(self.rings, key=lambda ring: -ring.density))
        object.__setattr__(self, "rings", ordered)

    @cached_property
    def version(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the rings."""
        return hashlib.sha256(json.dumps(self._body()["rings"]).encode()).hexdigest()[:16]

    @cached_property
    def members(self) -> dict[tuple[str, str], int]:
        """The ring of each (column, id); of several the densest."""
        members: dict[tuple[str, str], int] = {}
        for place, ring in enumerate(self.rings):
            for member in (*((_ACCOUNT, str(account)) for account in ring.accounts), *_entities(ring)):
                members.setdefault(member, place)
        return members

    @cached_property
    def sizes(self) -> tuple[RingSize, ...]:
        """What decisions tell of each."""
        return tuple(RingSize(ring.density, len(ring.accounts), len(ring.entities)) for ring in self.rings)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """In which members may be."""
        return tuple(dict.fromkeys((_ACCOUNT, *(name for name, _ in self.members))))

    def of(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rings that an event belongs to or touches, the densest first: what ties it to each. O(kinds of entities)."""
        return touched(event, self.columns, lambda name, value: self.members.get((name, value)), self.sizes)

    def _body(self) -> dict[str, Any]:
        rings = [
            {"accounts": list(ring.accounts), "entities": [list(entity) for entity in _entities(ring)],
             "density": ring.density}
            for ring in self.rings
        ]  # fmt: skip
        return {"format": _FORMAT, "format_version": 1, "found": self.found, "rings": rings}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, whole or not at all, that only its owner may read: it names people.

        Raises:
            OSError: the file system refuses.
        """
        replace_plain(Path(path), seal(self._body()), mode=0o600)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged or foreign.
        """
        try:
            body = parse(read_plain(Path(path)))
        except FileNotFoundError:
            raise NotFoundError(
                f"{path}: there are no rings; `recocore fraud rings LOG --out FILE` finds some"
            ) from None
        except CorruptError as error:
            raise CorruptError(f"{path}: {error}") from None
        said = body.pop("digest", None)
        if body.get("format") != _FORMAT or body.get("format_version") != 1 or digest(body) != said:
            raise CorruptError(f"{path}: expected a file of rings, got another, or one that was changed")
        return cls(_rings(body["rings"]), body["found"])


def _entities(ring: Ring) -> tuple[tuple[str, str], ...]:
    """Column and id of each, as KnownRings has looked at them."""
    return cast("tuple[tuple[str, str], ...]", ring.entities)


def _rings(told: Sequence[Mapping[str, Any]]) -> tuple[Ring, ...]:
    return tuple(
        Ring(tuple(ring["accounts"]), tuple((name, value) for name, value in ring["entities"]), ring["density"])
        for ring in told
    )
