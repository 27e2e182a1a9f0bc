"""What a merchandiser asks of every list: pins, boosts, buries, caps by group, and diversity."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import integer, real

if TYPE_CHECKING:
    from recocore.types import BoolArray, Float32Array, Int32Array

_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The rules that lists of items are made by, the same for every query; checked once, then unchangeable.

    They hold in this order, whatever the order of the keywords:

    1. Filters come before every rule: what a query excludes, blocks or does not allow is never shown, pinned or not.
       To show an item that a user has seen, leave it out of `exclude`.
    2. Pins have their places. They win over boosts, buries, caps and diversity, and all of them, wherever they stand, count
       as chosen when the other places are filled, so that a shorter list is the beginning of a longer one.
    3. Boosts are added to scores. Everything below sees boosted scores.
    4. Buried items come after all others, in the order of their scores.
    5. `max_per_group` is kept over the whole list, by pinned, other and buried items together.
    6. Diversity chooses among the others, never among pinned or buried items.

    Attributes:
        boosts: item to the amount, in float32, ADDED to its score; negative amounts demote. A sum means the same whatever
            the sign of a score, where a factor would demote items with a negative score.
        buries: items that come only after everything else.
        pins: place in the list, from 0, to the item that stands exactly there. Where a query may not have it, the place
            goes to the next item; where the list ends before the place, the item follows the last one.
        groups: int32 `[m]`, the group of every item, such as its brand; -1 is none, and such items are never capped.
        max_per_group: how many items of a group a list may have; needs `groups`. Pins are shown even beyond it.
        diversity: the trade-off lambda in (0, 1] of maximal marginal relevance, `recocore.retrieval.diversity`; 1 or None is
            the order of scores, smaller is more diverse. It weighs scores as they are against cosines in [-1, 1].

    Raises:
        InvalidArgumentError: an item, place, amount or group that is not what it should be, an item pinned to two places,
            or one of `groups` and `max_per_group` without the other.

    Example:
        >>> rules = Rules(boosts={7: 0.5}, pins={0: 3}, groups=[0, 0, 1, -1, 1, 0, 1, 1], max_per_group=1)
        >>> rules.special.tolist(), rules.amounts.tolist(), rules.places.tolist(), rules.n_groups
        ([3, 7], [0.0, 0.5], [0, -1], 2)
    """

    boosts: Mapping[int, float] = field(default_factory=dict)
    buries: Collection[int] = ()
    pins: Mapping[int, int] = field(default_factory=dict)
    groups: Any = None
    max_per_group: int | None = None
    diversity: float | None = None

    # What the ranking works on. `special` are the items that a rule names, rising; the three after it are aligned with it.
    special: Int32Array = field(init=False, repr=False)
    amounts: Float32Array = field(init=False, repr=False)
    buried: BoolArray = field(init=False, repr=False)
    places: Int32Array = field(init=False, repr=False)
    # The groups numbered from 0 without gaps, -1 for none, and how many there are; None without a cap.
    group_numbers: Int32Array | None = field(init=False, repr=False)
    n_groups: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        boosts = {_item(item, "boosts"): _amount(amount) for item, amount in _mapping(self.boosts, "boosts").items()}
        buries = sorted({_item(item, "buries") for item in _collection(self.buries, "buries")})
        pins = {
            integer(place, "pins", 0, _MOST): _item(item, "pins") for place, item in _mapping(self.pins, "pins").items()
        }
        _refuse_two_places(pins)
        special = np.array(sorted({*boosts, *buries, *pins.values()}), np.int32)
        place_of = {item: place for place, item in pins.items()}
        buried = set(buries)
        groups, numbers = _groups(self.groups)
        cap = None if self.max_per_group is None else integer(self.max_per_group, "max_per_group", 1)
        if (groups is None) != (cap is None):
            given, missing = ("groups", "max_per_group") if cap is None else ("max_per_group", "groups")
            raise InvalidArgumentError(
                f"{missing}: expected it beside {given}, got None; a cap needs both", field=missing
            )
        self._set("boosts", MappingProxyType(dict(sorted(boosts.items()))))
        self._set("buries", tuple(buries))
        self._set("pins", MappingProxyType(dict(sorted(pins.items()))))
        self._set("groups", groups)
        self._set("max_per_group", cap)
        self._set("diversity", _trade_off(self.diversity))
        self._set("special", _fixed(special))
        self._set("amounts", _fixed(np.array([boosts.get(item, 0.0) for item in special.tolist()], np.float32)))
        self._set("buried", _fixed(np.array([item in buried for item in special.tolist()], np.bool_)))
        self._set("places", _fixed(np.array([place_of.get(item, -1) for item in special.tolist()], np.int32)))
        self._set("group_numbers", numbers)
        self._set("n_groups", 0 if numbers is None else int(numbers.max(initial=-1)) + 1)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def diversifies(self) -> bool:
        """Whether diversity changes anything."""
        return self.diversity is not None and self.diversity < 1

    def check(self, n_items: int) -> None:
        """Raise InvalidArgumentError unless every item is in [0, n_items) and `groups` names a group for each."""
        for name, items in (("boosts", [*self.boosts]), ("buries", [*self.buries]), ("pins", [*self.pins.values()])):
            if items and max(items) >= n_items:
                raise InvalidArgumentError(f"{name}: expected items in [0, {n_items}), got {max(items)}", field=name)
        if self.groups is not None and len(self.groups) != n_items:
            raise InvalidArgumentError(
                f"groups: expected a group for each of {n_items} items, got {len(self.groups)}; -1 is no group",
                field="groups",
            )


def _fixed(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _mapping(value: Any, name: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{name}: expected a mapping, got {type(value).__name__}", field=name)
    return value


def _collection(value: Any, name: str) -> Collection[Any]:
    if not isinstance(value, (Collection, np.ndarray)) or isinstance(value, (str, bytes, Mapping)):
        raise InvalidArgumentError(f"{name}: expected a collection of items, got {type(value).__name__}", field=name)
    return value


def _item(value: Any, name: str) -> int:
    return integer(value, name, 0, _MOST)


def _amount(value: Any) -> float:
    amount = real(value, "boosts")
    if not abs(amount) <= float(np.finfo(np.float32).max):
        raise InvalidArgumentError(
            f"boosts: expected amounts that are finite in float32, got {value!r}", field="boosts"
        )
    return amount


def _refuse_two_places(pins: Mapping[int, int]) -> None:
    place_of: dict[int, int] = {}
    for place, item in pins.items():
        if item in place_of:
            raise InvalidArgumentError(
                f"pins: expected one place an item, got item {item} at {place_of[item]} and {place}", field="pins"
            )
        place_of[item] = place


def _groups(value: Any) -> tuple[Int32Array | None, Int32Array | None]:
    """The groups as given and numbered without gaps, both copies."""
    if value is None:
        return None, None
    groups = np.asarray(value)
    if groups.ndim != 1 or (groups.dtype.kind not in "iu" and groups.size):
        raise InvalidArgumentError(
            f"groups: expected a 1-d array of integers, got {groups.ndim}-d {groups.dtype}", field="groups"
        )
    if groups.size and (groups.min() < -1 or groups.max() > _MOST):
        raise InvalidArgumentError(
            f"groups: expected -1 for no group or numbers from 0 to 2**31 - 1, got {groups.min()} to {groups.max()}",
            field="groups",
        )
    groups = groups.astype(np.int32)
    known, numbers = np.unique(groups, return_inverse=True)
    numbers = numbers.astype(np.int32) - np.int32(len(known) > 0 and known[0] == -1)
    return _fixed(groups), _fixed(numbers)


def _trade_off(value: Any) -> float | None:
    if value is None:
        return None
    trade_off = real(value, "diversity")
    if not (math.isfinite(trade_off) and 0 < trade_off <= 1):
        raise InvalidArgumentError(f"diversity: expected a number in (0, 1], got {value!r}", field="diversity")
    return trade_off
