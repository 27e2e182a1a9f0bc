"""What an index can be asked: how to rank, whoever it is for.

The items that may come back are those of `allow` that meet `where`, are not in `block` and, with `exclude_seen`, that nobody
in question has had. Among them a list is put together in this order:

1. What the model ranks, best first. Boosts are added to its scores, and diversity and caps choose by them.
2. What the fallbacks rank, one after the other, of items that are not in the list yet.
3. Buried items, in the same order: those that the model ranks, then those of each fallback.

Pins stand at their places in all of that, and caps hold over the whole list. The list does not depend on `k` and `offset`:
they cut a page out of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from recocore.errors import InvalidArgumentError
from recocore.index.checks import whole
from recocore.index.filters import FILTERS, Filter

if TYPE_CHECKING:
    from recocore.index.results import ExternalId

# Whose record and deeds a ranking may use.
Personalization: TypeAlias = Literal["full", "context", "none"]

# What fills the places that the model leaves open.
FallbackName: TypeAlias = Literal["similar", "popular"]

Action: TypeAlias = Literal["boost", "bury", "pin"]

# Maximal marginal relevance chooses among the best so many; those after them follow by score. Lists are shorter than that,
# and what is no longer relevant makes no list better for being different. Measured with 30,000 items of 64 factors, the
# choice of 20 of 1,000 takes 5 to 8 ms.
DIVERSE_AMONG = 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """What a merchandiser asks of a list. It says which items by a filter or by their ids, and never shows what may not be.

    Attributes:
        action: "boost" adds `weight` to the model's score; several boosts of an item add up. An item that the model has no
            score for is ranked by a boost above 0 alone. A fallback's order knows no boosts.
            "bury" puts items after all others.
            "pin" puts an item at place `slot`. Of `item_ids`, the first stands at `slot`, the next one behind it, and so on.
            Of `where`, the one that would otherwise come first in the list. A place that is taken passes the pin on to the
            next free one; an item is pinned by the first rule that does; where the list ends before the place, it comes last.
        where: the items that meet it; None where `item_ids` says which.
        item_ids: the items; ids that the index does not know are reported and passed over.
        weight: of a boost, in the units of the scores; below 0 it demotes.
        slot: of a pin, from 0.
    """

    action: Action
    where: Filter | None = None
    item_ids: tuple[ExternalId, ...] = ()
    weight: float = 0.0
    slot: int = 0

    def __post_init__(self) -> None:
        _one_of(self.action, get_args(Action), "action")
        _filter(self.where)
        _ids(self.item_ids, "item_ids")
        if (self.where is None) == (not self.item_ids):
            raise InvalidArgumentError("rule: expected one of where and item_ids, got both or neither", field="rule")
        if not abs(_real(self.weight, "weight")) <= 1e30:  # sums of boosts stay finite in float32
            raise InvalidArgumentError(f"weight: expected at most 1e30 from 0, got {self.weight!r}", field="weight")
        whole(self.slot, 0, "slot")


@dataclass(frozen=True, slots=True)
class Diversity:
    """How unlike each other the items of a list are to be.

    Attributes:
        relevance: the lambda of maximal marginal relevance in [0, 1], see `recocore.retrieval.diversity`: 1 is the order of
            scores, smaller is more diverse; None leaves it. It weighs scores as they are against cosines, and chooses among
            the `DIVERSE_AMONG` best items that the model ranks, never among pinned or buried ones or those of a fallback.
        max_per_group: how many items of a group the whole list may have, pins counted and shown even beyond it; None leaves it.
        group_field: the text by which items are of a group, such as a brand: where it holds several, the first of them. Items
            without one are of none, and never capped.
    """

    relevance: float | None = None
    max_per_group: int | None = None
    group_field: str | None = None

    def __post_init__(self) -> None:
        if self.relevance is not None and not 0 <= _real(self.relevance, "relevance") <= 1:
            raise InvalidArgumentError(
                f"relevance: expected a number in [0, 1], got {self.relevance!r}", field="relevance"
            )
        if self.max_per_group is not None:
            whole(self.max_per_group, 1, "max_per_group")
        if self.group_field is not None and not isinstance(self.group_field, str):
            raise InvalidArgumentError(
                f"group_field: expected the name of an attribute, got {self.group_field!r}", field="group_field"
            )
        if (self.max_per_group is None) != (self.group_field is None):
            given, missing = "max_per_group", "group_field"
            if self.max_per_group is None:
                given, missing = missing, given
            raise InvalidArgumentError(f"{missing}: expected it beside {given}, got None", field=missing)


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that a user did just now.

    Attributes:
        item_id: with which item.
        weight: as that of an interaction: how much it counts, below 0 for a dislike; with a model of ratings, the rating. 0
            counts for nothing. What is long ago counts less by the caller's choice.
    """

    item_id: ExternalId
    weight: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.item_id, bool) or not isinstance(self.item_id, (str, int)):
            raise InvalidArgumentError(f"item_id: expected an id, got {self.item_id!r:.80}", field="item_id")
        if not abs(_real(self.weight, "weight")) <= 1e9:  # squares of sums stay finite in float32
            raise InvalidArgumentError(f"weight: expected at most 1e9 from 0, got {self.weight!r}", field="weight")


@dataclass(frozen=True, slots=True)
class Ask:
    """How to rank. Two that are equal get equal answers, and it hashes, so that users with one `Ask` are ranked together.

    Attributes:
        k: the most items of a page.
        offset: how many items of the whole list come before the page.
        exclude_seen: leave out items of the user's record, of the session and of the context, as far as `personalization`
            lets them be used, and those of `had`.
        allow: only these items; None for all.
        block: never these items.
        where: only items that meet it.
        rules: pins, boosts and buries.
        diversity: how unlike each other items are to be; None does not mind.
        session: what the user did just now, most recent last. It is used and not kept: the model ranks as if it had been
            among the user's interactions, weights of the same item added up; a model of ratings takes an item's last
            rating, and one of popularity pays no heed.
        context_item_ids: the items at hand, such as those of the page or the cart. Each counts as one session event of weight
            1; with a model of ratings, which has no rating of it, not at all.
        personalization: "full" uses the user's record, the session and the context; "context" the session and the context, so
            that no user record is read; "none" neither record nor session.
        had: items that the user has had since the model was fitted, which with `exclude_seen` do not come back; ids that the
            index does not know are passed over. They are of one user, so no list is kept for them as for `block`.
        fallbacks: what fills the places that the model leaves open, in this order. "similar": the items most like those
            of the session, the context and the record, as `Index.similar` has them; "popular": what most users have.
        explain: the most reasons for each item of the model.
        popular_first: items that stand before the others where "popular" fills, in this order, such as those that people like
            the user have most; ids that the index does not know are passed over.
    """

    k: int = 10
    offset: int = 0
    exclude_seen: bool = True
    allow: tuple[ExternalId, ...] | None = None
    block: tuple[ExternalId, ...] = ()
    where: Filter | None = None
    rules: tuple[Rule, ...] = ()
    diversity: Diversity | None = None
    session: tuple[SessionEvent, ...] = ()
    context_item_ids: tuple[ExternalId, ...] = ()
    personalization: Personalization = "full"
    fallbacks: tuple[FallbackName, ...] = ("popular",)
    explain: int = 0
    had: tuple[ExternalId, ...] = ()
    popular_first: tuple[ExternalId, ...] = ()
    # Whether the model's own ranking, cut and then filled with popular items, is the list.
    is_plain: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole(self.k, 1, "k")
        whole(self.offset, 0, "offset")
        whole(self.explain, 0, "explain")
        if self.allow is not None:
            _ids(self.allow, "allow")
        if self.block:
            _ids(self.block, "block")
        if self.context_item_ids:
            _ids(self.context_item_ids, "context_item_ids")
        if self.had:
            _ids(self.had, "had")
        if self.popular_first:
            _ids(self.popular_first, "popular_first")
        _filter(self.where)
        _all_of(self.rules, Rule, "rules")
        _all_of(self.session, SessionEvent, "session")
        if self.diversity is not None and not isinstance(self.diversity, Diversity):
            raise InvalidArgumentError(
                f"diversity: expected a Diversity, got {self.diversity!r:.80}", field="diversity"
            )
        _one_of(self.personalization, get_args(Personalization), "personalization")
        _all_of(self.fallbacks, str, "fallbacks")
        if len(set(self.fallbacks)) < len(self.fallbacks):
            raise InvalidArgumentError(f"fallbacks: expected each once, got {self.fallbacks!r}", field="fallbacks")
        for name in self.fallbacks:
            _one_of(name, get_args(FallbackName), "fallbacks")
        plain = (
            not (self.rules or self.session or self.context_item_ids or self.diversity or self.popular_first)
            and self.personalization == "full"
            and self.fallbacks in {(), ("popular",)}
        )
        object.__setattr__(self, "is_plain", plain)

    @property
    def end(self) -> int:
        """How long the list is that the page is the end of."""
        return self.offset + self.k


def _real(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidArgumentError(f"{name}: expected a finite number, got {value!r}", field=name)
    return float(value)


def _one_of(value: Any, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        raise InvalidArgumentError(f"{name}: expected one of {', '.join(known)}, got {value!r}", field=name)


def _ids(value: Any, name: str) -> None:
    """Whether they are ids is seen when they are looked up."""
    if not isinstance(value, tuple):
        raise InvalidArgumentError(f"{name}: expected a tuple of ids, got {value!r:.80}", field=name)


def _filter(value: Any) -> None:
    if value is not None and not isinstance(value, FILTERS):
        raise InvalidArgumentError(
            f"where: expected a filter of recocore.index.filters or None, got {value!r:.80}", field="where"
        )


def _all_of(values: Any, kind: type, name: str) -> None:
    if not isinstance(values, tuple) or not all(isinstance(value, kind) for value in values):
        raise InvalidArgumentError(f"{name}: expected a tuple of {kind.__name__}, got {values!r:.80}", field=name)
