"""An ask on the internal indices of one index; what does not depend on a user is computed once and kept a while."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.index.checks import missing
from recocore.index.kept import Kept
from recocore.index.lists import NO_ITEMS, Lists, distinct_items
from recocore.index.matching import matches
from recocore.scoring import Events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.index.asking import Ask, Diversity, Rule
    from recocore.index.contents import IndexData
    from recocore.index.results import ExternalId
    from recocore.types import BoolArray, Float32Array, Int32Array

# What filters and rules leave on internal indices is kept in so many bytes, by an index and process: with a million items a
# filter takes 1 to 9 MB, of which it is most worth to keep the few that every page of a shop asks for.
_KEPT_BYTES = 64 << 20
# What an entry takes beside its arrays.
_ENTRY_BYTES = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Pin:
    """One pin: these items to these places on, or the best of them.

    Attributes:
        slot: the place.
        items: int32; in the order of the rule where they are listed, else rising.
        best: whether the one is meant that comes first, and not all of them.
    """

    slot: int
    items: Int32Array
    best: bool


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """The rules of an ask and how diverse it is to be.

    Attributes:
        boosts: float32 `[m]` what is added to scores; None for nothing.
        buried: int32, rising.
        pins: in the order of the rules.
        groups: int32 `[m]` the group of each item, -1 for none; None without a cap.
        n_groups: how many.
        max_per_group: the cap.
        relevance: the trade-off of diversity; None for none.
    """

    boosts: Float32Array | None = None
    buried: Int32Array = field(default_factory=lambda: NO_ITEMS)
    pins: tuple[Pin, ...] = ()
    groups: Int32Array | None = None
    n_groups: int = 0
    max_per_group: int = 0
    relevance: float | None = None

    @property
    def nbytes(self) -> int:
        """The memory that it takes; groups are kept by the attributes."""
        pins = sum(pin.items.nbytes for pin in self.pins)
        return pins + self.buried.nbytes + (0 if self.boosts is None else self.boosts.nbytes)


NO_RULES = RuleSet()


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What somebody did and has at hand, as far as it may be used.

    Attributes:
        events: what a model is to know of it; None for nothing.
        items: int32, rising, each once: all items of it.
        acted: whether there is something that they did.
    """

    events: Events | None
    items: Int32Array
    acted: bool


NOTHING = Evidence(None, NO_ITEMS, acted=False)


def _filter_of(ask: Ask) -> tuple[object, ...]:
    """What the lists of an ask that filters are kept by."""
    return ask.where, ask.allow, ask.block


class Resolver:
    """Turns asks into arrays, for one index; safe from several threads."""

    def __init__(self, data: IndexData) -> None:
        self._data = data
        self._everything = Lists.of(None, None, data.popular)
        self._masks: Kept[BoolArray] = Kept(_KEPT_BYTES // 4, lambda mask: mask.nbytes + _ENTRY_BYTES)
        self._lists: Kept[Lists] = Kept(_KEPT_BYTES // 2, lambda lists: lists.nbytes + _ENTRY_BYTES)
        self._rules: Kept[RuleSet] = Kept(_KEPT_BYTES // 4, lambda rules: rules.nbytes + _ENTRY_BYTES)

    def lists(self, ask: Ask) -> Lists:
        """What may come back to whoever has seen nothing.

        Raises:
            InvalidArgumentError: see `matches`; or ids that the index cannot look up.
        """
        if ask.where is not None:
            return self._lists.get(_filter_of(ask), lambda: self._filtered(ask))
        if ask.allow is None and not ask.block:
            return self._everything
        return Lists.of(
            None if ask.allow is None else self._known(ask.allow, "allow"),
            self._known(ask.block, "block") if ask.block else None,
            self._data.popular,
        )

    def is_ready(self, ask: Ask) -> bool:
        """Whether `lists` need not look at every item of the index."""
        return ask.where is None or _filter_of(ask) in self._lists

    def rules(self, rules: tuple[Rule, ...], diversity: Diversity | None) -> RuleSet:
        """The rules of an ask.

        Raises:
            InvalidArgumentError: as `lists`, and for a field to group by that is no text.
        """
        if not rules and diversity is None:
            return NO_RULES
        return self._rules.get((rules, diversity), lambda: self._read(rules, diversity))

    def evidence(self, ask: Ask) -> Evidence:
        """What an ask tells of somebody, as far as its personalization lets it be used."""
        session = ask.session if ask.personalization != "none" else ()
        if not session and not ask.context_item_ids:
            return NOTHING
        done = self._indices(tuple(event.item_id for event in session), "session")
        at_hand = self._known(ask.context_item_ids, "context_item_ids")
        weights = np.array([event.weight for event in session], np.float32)
        counted = (done >= 0) & (weights != 0)
        weight = np.float32(self._data.scorer.context_weight)
        items = np.concatenate([done[counted], at_hand if weight else NO_ITEMS])
        weights = np.concatenate(
            [weights[counted], np.full(len(items) - np.count_nonzero(counted), weight, np.float32)]
        )
        return Evidence(
            Events(items, weights) if len(items) else None,
            distinct_items(np.concatenate([done[done >= 0], at_hand])),
            acted=bool(counted.any()),
        )

    def missing(self, ask: Ask, first: Sequence[ExternalId] = ()) -> tuple[ExternalId, ...]:
        """The items that the index does not know: of `first`, then of an ask in the order of its fields."""
        if ask.is_plain and ask.allow is None and not ask.block and not first:
            return ()
        ids = [
            *first,
            *(ask.allow or ()),
            *ask.block,
            *(event.item_id for event in ask.session),
            *ask.context_item_ids,
            *(item_id for rule in ask.rules for item_id in rule.item_ids),
        ]
        return missing(ids, self._data.items.indices_of(ids)) if ids else ()

    def indices(self, ids: tuple[ExternalId, ...], argument: str) -> Int32Array:
        """The items that the index knows, rising, each once."""
        return self._known(ids, argument)

    def in_order(self, ids: tuple[ExternalId, ...], argument: str) -> Int32Array:
        """The items that the index knows, in the order of the ids, each once."""
        listed = self._indices(ids, argument)
        return np.array(list(dict.fromkeys(listed[listed >= 0].tolist())), np.int32)

    def _filtered(self, ask: Ask) -> Lists:
        assert ask.where is not None
        mask = self._mask(ask.where, "where")
        if ask.allow is not None:
            allowed = np.zeros(len(mask), np.bool_)
            allowed[self._known(ask.allow, "allow")] = True
            mask = mask & allowed
        if ask.block:
            mask = mask.copy()
            mask[self._known(ask.block, "block")] = False
        return Lists.of_mask(mask, self._data.popular)

    def _mask(self, where: object, path: str) -> BoolArray:
        data = self._data
        return self._masks.get(where, lambda: matches(where, data.attributes, len(data.items), path))  # type: ignore[arg-type]

    def _read(self, rules: tuple[Rule, ...], diversity: Diversity | None) -> RuleSet:
        boosts: Float32Array | None = None
        buried: list[Int32Array] = []
        pins: list[Pin] = []
        for at, rule in enumerate(rules):
            if rule.where is None:
                items = self.in_order(rule.item_ids, f"rules[{at}].item_ids")
            else:
                items = np.flatnonzero(self._mask(rule.where, f"rules[{at}].where")).astype(np.int32)
            if rule.action == "boost":
                boosts = np.zeros(len(self._data.items), np.float32) if boosts is None else boosts
                boosts[items] += np.float32(rule.weight)
            elif rule.action == "bury":
                buried.append(items)
            else:
                pins.append(Pin(rule.slot, items, rule.where is not None))
        groups, n_groups, cap, relevance = None, 0, 0, None
        if diversity is not None:
            relevance = None if diversity.relevance == 1 else diversity.relevance
            if diversity.group_field is not None and diversity.max_per_group is not None:
                groups, n_groups = self._data.attributes.groups(diversity.group_field, "diversity.group_field")
                cap = diversity.max_per_group
        return RuleSet(
            boosts if boosts is not None and boosts.any() else None,
            distinct_items(np.concatenate([NO_ITEMS, *buried])),
            tuple(pins),
            groups,
            n_groups,
            cap,
            relevance,
        )

    def _known(self, ids: tuple[ExternalId, ...], argument: str) -> Int32Array:
        if not ids:
            return NO_ITEMS
        found = self._indices(ids, argument)
        return distinct_items(found[found >= 0])

    def _indices(self, ids: tuple[ExternalId, ...], argument: str) -> Int32Array:
        try:
            return self._data.items.indices_of(list(ids)) if ids else NO_ITEMS
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{argument}: {error}", field=argument) from None
