"""The arguments of calls, and the messages that are made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from recocore.client.filters import Filter, filter_message
from recocore.errors import InvalidArgumentError
from recocore.v1 import recommendation_pb2 as shared

if TYPE_CHECKING:
    from collections.abc import Mapping

SeenPolicy: TypeAlias = Literal["exclude", "include"]
Fallback: TypeAlias = Literal["popular", "similar", "none"]
Personalization: TypeAlias = Literal["full", "context", "none"]
Action: TypeAlias = Literal["boost", "bury", "pin"]

_SEEN_POLICY = {"exclude": shared.SEEN_POLICY_EXCLUDE, "include": shared.SEEN_POLICY_INCLUDE}
_FALLBACK = {
    "popular": shared.FALLBACK_POPULAR,
    "similar": shared.FALLBACK_SIMILAR,
    "none": shared.FALLBACK_NONE,
}
_PERSONALIZATION = {
    "full": shared.PERSONALIZATION_FULL,
    "context": shared.PERSONALIZATION_CONTEXT_ONLY,
    "none": shared.PERSONALIZATION_NONE,
}
_ACTION = {
    "boost": shared.RULE_ACTION_BOOST,
    "bury": shared.RULE_ACTION_BURY,
    "pin": shared.RULE_ACTION_PIN,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a shop wants of some items: those that pass `where`, or those of `item_ids`.

    Attributes:
        action: "boost" adds `weight` to their scores, "bury" puts them after all others, "pin" puts them at `slot`.
        where: which items.
        item_ids: which items.
        weight: of a boost.
        slot: of a pin, from 0.
    """

    action: Action
    where: Filter | None = None
    item_ids: Iterable[str] = ()
    weight: float = 0.0
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Diversity:
    """How the items of a list are to differ.

    Attributes:
        relevance: of maximal marginal relevance, from 0 (differ as much as possible) to 1 (rank by score alone).
        max_per_group: the most items with the same value of `group_field`.
        group_field: the attribute that makes a group.
    """

    relevance: float | None = None
    max_per_group: int = 0
    group_field: str = ""


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that the user did just now, and how much it counts."""

    item_id: str
    weight: float = 1.0


class SimilarOptions(TypedDict, total=False):
    """Named arguments of `similar_items`; the limits of each stand in the protos.

    Attributes:
        exclude_item_ids: never these.
        candidate_item_ids: only these.
        filter: only items that pass.
        rules: boost, bury and pin items.
        diversity: how items are to differ.
        placement: where the items will be shown.
        read_mask: the fields of the response to send, such as "items.attributes.brand".
        packed: let items travel as arrays: quicker, without reasons and attributes.
        validate_only: check the request, and answer without items.
    """

    exclude_item_ids: Iterable[str]
    candidate_item_ids: Iterable[str]
    filter: Filter | None
    rules: Iterable[Rule]
    diversity: Diversity | None
    placement: str
    read_mask: Iterable[str]
    packed: bool
    validate_only: bool


class RankingOptions(SimilarOptions, total=False):
    """Named arguments of `recommend` and the batches: those of `similar_items`, and what is about a user.

    Attributes:
        seen_policy: whether items that the user has seen may come back.
        fallback: what fills the list where the model has not enough; several are tried in their order.
        explain: give the reasons of each item.
        session_events: what the user did just now, most recent last; an id is an event of weight 1.
        context_item_ids: what the user looks at.
        personalization: what may be known of the user; with "context" and "none" the user id may be empty.
    """

    seen_policy: SeenPolicy
    fallback: Fallback | Iterable[Fallback]
    explain: bool
    session_events: Iterable[SessionEvent | str]
    context_item_ids: Iterable[str]
    personalization: Personalization


RANKING = frozenset(RankingOptions.__annotations__)
SIMILAR = frozenset(SimilarOptions.__annotations__)

_M = TypeVar("_M", bound=Message)


def ranking_fields(page_size: int, options: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The fields of a request from the options of a call.

    Args:
        page_size: how many items.
        options: by name; the others keep the proto's defaults.
        known: the names of the options that there are.

    Raises:
        TypeError: an option that is not there.
        InvalidArgumentError: a value that cannot be sent; `field` is the option's name.
    """
    fields: dict[str, Any] = {"page_size": page_size}
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"got an unexpected keyword argument {name!r}; there are {', '.join(sorted(known))}")
        fields.update(_FIELDS[name](value, name) if name in _FIELDS else {name: value})
    return fields


def message(kind: type[_M], fields: dict[str, Any]) -> _M:
    """A message of fields."""
    try:
        return kind(**fields)
    except (TypeError, ValueError) as error:
        shown = {name: value for name, value in fields.items() if not isinstance(value, (list, Message))}
        raise InvalidArgumentError(f"an argument cannot be sent: {error}; got {shown}") from error


def ids(given: Iterable[str], field: str) -> list[str]:
    """Several ids."""
    if isinstance(given, (str, bytes)):
        raise InvalidArgumentError(f"{field}: expected several ids, got one: {given!r}; put it in a list", field=field)
    if given is None:
        raise InvalidArgumentError(f"{field}: expected several ids, got None; leave it out or pass ()", field=field)
    return [one_id(id_, field) for id_ in given]


def one_id(given: Any, field: str) -> str:
    """One id."""
    if not isinstance(given, str):
        raise InvalidArgumentError(f"{field}: ids are strings here, got {given!r}; pass str(id)", field=field)
    return given


def _choice(values: dict[str, Any], name: Any, field: str) -> Any:
    if name not in values:
        raise InvalidArgumentError(f"{field}: expected one of {', '.join(values)}, got {name!r}", field=field)
    return values[name]


def _fallback(given: Fallback | Iterable[Fallback], field: str) -> dict[str, Any]:
    if isinstance(given, str):
        return {"fallback": _choice(_FALLBACK, given, field)}
    chain = [_choice(_FALLBACK, name, field) for name in _several(given, field)]
    return {"fallbacks": chain or [shared.FALLBACK_NONE]}


def _rule(rule: Any, field: str) -> shared.Rule:
    if not isinstance(rule, Rule):
        raise InvalidArgumentError(f"{field}: expected a Rule, got {rule!r:.80}", field=field)
    fields = {
        "action": _choice(_ACTION, rule.action, field),
        "where": None if rule.where is None else filter_message(rule.where, field),
        "item_ids": ids(rule.item_ids, field),
        "weight": rule.weight,
        "slot": rule.slot,
    }
    return message(shared.Rule, fields)


def _diversity(given: Any, field: str) -> shared.Diversity:
    if not isinstance(given, Diversity):
        raise InvalidArgumentError(f"{field}: expected a Diversity, got {given!r:.80}", field=field)
    fields = {
        "relevance": given.relevance,
        "max_per_group": given.max_per_group,
        "group_field": given.group_field,
    }
    return message(shared.Diversity, fields)


def _event(given: Any, field: str) -> shared.SessionEvent:
    if isinstance(given, SessionEvent):
        return message(shared.SessionEvent, {"item_id": one_id(given.item_id, field), "weight": given.weight})
    return message(shared.SessionEvent, {"item_id": one_id(given, field)})


def _several(given: Any, field: str) -> list[Any]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidArgumentError(f"{field}: expected several in a list, got {given!r:.80}", field=field)
    return list(given)


# How an option becomes fields of the request; the others are fields as they are.
_FIELDS: dict[str, Any] = {
    "exclude_item_ids": lambda value, name: {name: ids(value, name)},
    "candidate_item_ids": lambda value, name: {name: ids(value, name)},
    "context_item_ids": lambda value, name: {name: ids(value, name)},
    "seen_policy": lambda value, name: {name: _choice(_SEEN_POLICY, value, name)},
    "personalization": lambda value, name: {name: _choice(_PERSONALIZATION, value, name)},
    "fallback": _fallback,
    "filter": lambda value, name: {} if value is None else {name: filter_message(value, name)},
    "rules": lambda value, name: {name: [_rule(rule, name) for rule in _several(value, name)]},
    "diversity": lambda value, name: {} if value is None else {name: _diversity(value, name)},
    "session_events": lambda value, name: {name: [_event(event, name) for event in _several(value, name)]},
    "read_mask": lambda value, name: {name: message(FieldMask, {"paths": _several(value, name)})},
    "packed": lambda value, name: {"output_format": shared.OUTPUT_FORMAT_PACKED} if value else {},
}
