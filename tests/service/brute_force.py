"""What an `Ask` means, item by item: slow and plain, for small catalogues."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING
from typing import Any as Anything

from recocore.index import RankedItem, RankedList
from recocore.index.filters import All, Any, Exists, In, Not, Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.index import Ask, Fallback, Rule, Source
    from recocore.index.filters import Filter

    Attributes = Mapping[str, Anything]


def passes(where: Filter | None, attributes: Attributes) -> bool:
    """Whether an item's attributes meet a filter."""
    match where:
        case All(of) | Any(of):
            met = [passes(part, attributes) for part in of]
            return all(met) if isinstance(where, All) else any(met)
        case Not(of):
            return not passes(of, attributes)
        case Exists(field) | In(field) | Range(field):
            value = attributes.get(field)
            return value is not None and _holds(where, value if isinstance(value, list) else [value])
    return True


def _holds(condition: Exists | In | Range, values: Sequence[Anything]) -> bool:
    if isinstance(condition, In):
        return any(type(mine) is type(other) and mine == other for mine in values for other in condition.values)
    if isinstance(condition, Range):
        return all(
            bound is None or holds(values[0], bound)
            for bound, holds in (
                (condition.at_least, operator.ge),
                (condition.above, operator.gt),
                (condition.at_most, operator.le),
                (condition.below, operator.lt),
            )
        )
    return True


def page(
    ask: Ask,
    scores: Mapping[str, float],
    source: Source,
    fallbacks: Mapping[str, Mapping[str, float]],
    attributes: Mapping[str, Attributes],
    hidden: set[str],
) -> RankedList:
    """A page of the list that an ask means.

    Args:
        ask: without maximal marginal relevance.
        scores: what the model knows of items.
        source: what the model's items are said to come from.
        fallbacks: the scores of each fallback.
        attributes: of every item of the catalogue.
        hidden: what may not come back, beside the ask's lists.
    """

    def may(item: str) -> bool:
        return (
            item not in hidden
            and item not in ask.block
            and (ask.allow is None or item in ask.allow)
            and passes(ask.where, attributes[item])
        )

    def meant(rule: Rule, item: str) -> bool:
        return item in rule.item_ids or (rule.where is not None and passes(rule.where, attributes[item]))

    boosts = {
        item: sum(rule.weight for rule in ask.rules if rule.action == "boost" and meant(rule, item))
        for item in attributes
    }
    model = {item: scores[item] + boosts[item] for item in scores if may(item)}
    if scores:  # of somebody the model knows nothing of it ranks nothing, boosted or not
        model |= {item: boost for item, boost in boosts.items() if boost > 0 and item not in scores and may(item)}
    stages = [[RankedItem(item, model[item], source) for item in _best(model)]]
    filled_by: dict[object, Fallback] = dict.fromkeys(model, "none")
    for name in ask.fallbacks:
        said: Source = "popular" if name == "popular" else "context"
        rest = {item: score for item, score in fallbacks[name].items() if may(item) and item not in filled_by}
        stages.append([RankedItem(item, rest[item], said) for item in _best(rest)])
        filled_by |= dict.fromkeys(rest, name)

    def buried(item: RankedItem) -> bool:
        return any(rule.action == "bury" and meant(rule, str(item.item_id)) for rule in ask.rules)

    ranked = [item for stage in stages for item in stage]
    ordered = [item for item in ranked if not buried(item)] + [item for item in ranked if buried(item)]
    items = _pinned(_capped(ordered, ask, attributes), ask)[ask.offset : ask.end]
    used = [name for name in ask.fallbacks if any(filled_by[item.item_id] == name for item in items)]
    return RankedList(tuple(items), used[-1] if used else "none")


def _best(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda item: (-scores[item], item))


def _capped(items: list[RankedItem], ask: Ask, attributes: Mapping[str, Attributes]) -> list[RankedItem]:
    if ask.diversity is None or ask.diversity.max_per_group is None or ask.diversity.group_field is None:
        return items
    kept, counts = [], dict[str, int]()
    for item in items:
        value = attributes[str(item.item_id)].get(ask.diversity.group_field)
        group = value[0] if isinstance(value, list) else value
        if isinstance(group, str):
            counts[group] = counts.get(group, 0) + 1
            if counts[group] > ask.diversity.max_per_group:
                continue
        kept.append(item)
    return kept


def _pinned(items: Sequence[RankedItem], ask: Ask) -> list[RankedItem]:
    """Pins by id; nothing else is tried in these tests."""
    free = {str(item.item_id): item for item in items}
    places: dict[int, RankedItem] = {}
    for rule in ask.rules:
        slot = rule.slot
        for item_id in rule.item_ids if rule.action == "pin" else ():
            if str(item_id) in free:
                while slot in places:
                    slot += 1
                places[slot] = free.pop(str(item_id))
                slot += 1
    rest = iter(free.values())
    placed = []
    for place in range(len(items)):
        one = places.pop(place, None) or next(rest, None)
        placed.append(one if one is not None else places.pop(min(places)))
    return placed
