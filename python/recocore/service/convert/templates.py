"""Decodes how to rank: what Recommend, SimilarItems and the batches ask in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from recocore.index.asking import Ask, Diversity, Rule, SessionEvent
from recocore.service import limits, page_tokens
from recocore.service.convert.filters import REFUSED, FilterDecoder
from recocore.service.convert.masks import decode_form
from recocore.service.queries import PLAIN, Template
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from recocore.service.convert.checks import Checks
    from recocore.service.page_tokens import PageToken
    from recocore.service.queries import Form

Action: TypeAlias = Literal["boost", "bury", "pin"]
Fallback: TypeAlias = Literal["similar", "popular"]
Personalization: TypeAlias = Literal["full", "context", "none"]

_EXCLUDE_SEEN: dict[int, bool] = {
    shared.SEEN_POLICY_UNSPECIFIED: True,
    shared.SEEN_POLICY_EXCLUDE: True,
    shared.SEEN_POLICY_INCLUDE: False,
}
_FALLBACKS: dict[int, tuple[Fallback, ...]] = {
    shared.FALLBACK_UNSPECIFIED: ("popular",),
    shared.FALLBACK_NONE: (),
    shared.FALLBACK_POPULAR: ("popular",),
    shared.FALLBACK_SIMILAR: ("similar",),
}
_PERSONALIZATION: dict[int, Personalization] = {
    shared.PERSONALIZATION_UNSPECIFIED: "full",
    shared.PERSONALIZATION_FULL: "full",
    shared.PERSONALIZATION_CONTEXT_ONLY: "context",
    shared.PERSONALIZATION_NONE: "none",
}
_ACTION: dict[int, Action] = {
    shared.RULE_ACTION_BOOST: "boost",
    shared.RULE_ACTION_BURY: "bury",
    shared.RULE_ACTION_PIN: "pin",
}
_PACKED: dict[int, bool] = {
    shared.OUTPUT_FORMAT_UNSPECIFIED: False,
    shared.OUTPUT_FORMAT_ITEMS: False,
    shared.OUTPUT_FORMAT_PACKED: True,
}
NO_PACKED_REASONS = "expected false with OUTPUT_FORMAT_PACKED, which has no place for reasons"
# What may differ between the requests for two pages of one list; the user is bound beside it.
_NOT_OF_THE_LIST = (
    *("page_token", "page_size", "read_mask", "output_format", "explain", "validate_only", "placement"),
    "min_commit_token",
)


def decode_template(request: v1.RecommendRequest, checks: Checks, root: str = "", offset: int = 0) -> Template:
    """What a RecommendRequest asks whoever its user is; `root` stands before the paths of its fields."""
    filters = FilterDecoder(checks)
    allow = checks.ids(request.candidate_item_ids, f"{root}candidate_item_ids", limits.MAX_CANDIDATE_ITEMS)
    if request.explain and request.output_format == shared.OUTPUT_FORMAT_PACKED:
        checks.refuse(f"{root}explain", NO_PACKED_REASONS)
    ask = Ask(
        block=checks.ids(request.exclude_item_ids, f"{root}exclude_item_ids", limits.MAX_EXCLUDED_ITEMS),
        k=_page(checks.page_size(request.page_size, f"{root}page_size"), offset),
        offset=offset,
        exclude_seen=checks.choice(_EXCLUDE_SEEN, request.seen_policy, f"{root}seen_policy", "SeenPolicy"),
        allow=allow or None,
        where=filters.decode(request.filter, f"{root}filter") if request.HasField("filter") else None,
        rules=_rules(request.rules, filters, checks, f"{root}rules"),
        diversity=_diversity(request.diversity, checks, f"{root}diversity") if request.HasField("diversity") else None,
        session=_session(request.session_events, checks, f"{root}session_events"),
        context_item_ids=checks.ids(request.context_item_ids, f"{root}context_item_ids", limits.MAX_CONTEXT_ITEMS),
        personalization=checks.choice(
            _PERSONALIZATION, request.personalization, f"{root}personalization", "Personalization"
        ),
        fallbacks=_fallbacks(request, checks, root),
        explain=limits.MAX_REASONS if request.explain else 0,
    )
    return Template(
        ask=ask,
        form=_form(request, v1.RecommendResponse, checks, root),
        placement=checks.placement(request.placement, f"{root}placement"),
        validate_only=request.validate_only,
        shape=_shape(request, "user_id"),
        root=root,
    )


def decode_similar_template(request: v1.SimilarItemsRequest, checks: Checks, offset: int = 0) -> Template:
    """What a SimilarItemsRequest asks of the items that are like its seeds."""
    filters = FilterDecoder(checks)
    allow = checks.ids(request.candidate_item_ids, "candidate_item_ids", limits.MAX_CANDIDATE_ITEMS)
    ask = Ask(
        k=_page(checks.page_size(request.page_size, "page_size"), offset),
        offset=offset,
        exclude_seen=False,
        allow=allow or None,
        block=checks.ids(request.exclude_item_ids, "exclude_item_ids", limits.MAX_EXCLUDED_ITEMS),
        where=filters.decode(request.filter, "filter") if request.HasField("filter") else None,
        rules=_rules(request.rules, filters, checks, "rules"),
        diversity=_diversity(request.diversity, checks, "diversity") if request.HasField("diversity") else None,
        fallbacks=(),
    )
    return Template(
        ask=ask,
        form=_form(request, v1.SimilarItemsResponse, checks, ""),
        placement=checks.placement(request.placement, "placement"),
        validate_only=request.validate_only,
        shape=_shape(request),
    )


def decode_page(text: str, checks: Checks) -> PageToken | None:
    """The page token of a request; None for the first page."""
    if not text:
        return None
    try:
        token = page_tokens.decode(text)
    except ValueError as error:
        checks.refuse("page_token", str(error))
        return None
    if token.offset >= limits.MAX_PAGED_ITEMS:
        checks.refuse("page_token", f"expected one within {limits.MAX_PAGED_ITEMS} items, got {token.offset} before it")
    return token


def check_page(page: PageToken | None, user_id: str, shape: bytes, checks: Checks) -> None:
    """Note where a token belongs to another request."""
    if page is not None and page.binding != page_tokens.bind(user_id, shape):
        checks.refuse("page_token", "expected the request of the page before unchanged, got another; start again")


def is_packed(output_format: int, checks: Checks, root: str = "") -> bool:
    """What an output format means."""
    return checks.choice(_PACKED, output_format, f"{root}output_format", "OutputFormat")


def _page(page_size: int, offset: int) -> int:
    return max(1, min(page_size, limits.MAX_PAGED_ITEMS - offset))


def _form(
    request: v1.RecommendRequest | v1.SimilarItemsRequest,
    response: type[v1.RecommendResponse | v1.SimilarItemsResponse],
    checks: Checks,
    root: str,
) -> Form:
    # Most requests want the plain form.
    if not request.output_format and not request.HasField("read_mask"):
        return PLAIN
    packed = is_packed(request.output_format, checks, root)
    return decode_form(request.read_mask, packed, response.DESCRIPTOR, checks, f"{root}read_mask")


def _shape(request: Message, *also: str) -> bytes:
    rest = type(request)()
    rest.CopyFrom(request)
    for name in (*_NOT_OF_THE_LIST, *also):
        if name in rest.DESCRIPTOR.fields_by_name:
            rest.ClearField(name)
    return bytes(rest.SerializeToString(deterministic=True))


def _fallbacks(request: v1.RecommendRequest, checks: Checks, root: str) -> tuple[Fallback, ...]:
    if not request.fallbacks:
        return checks.choice(_FALLBACKS, request.fallback, f"{root}fallback", "Fallback")
    if request.fallback:
        checks.refuse(f"{root}fallback", "expected none beside fallbacks; put all of them there")
    if list(request.fallbacks) == [shared.FALLBACK_NONE]:
        return ()
    chain: list[Fallback] = []
    # One too many is enough to say that there are.
    for position, number in enumerate(request.fallbacks[: len(_FALLBACKS)]):
        match _FALLBACKS.get(number) if number else None:
            case (name,) if name not in chain:
                chain.append(name)
            case _:
                expected = "expected FALLBACK_SIMILAR and FALLBACK_POPULAR, each at most once, or FALLBACK_NONE alone"
                checks.refuse(f"{root}fallbacks[{position}]", f"{expected}, got {_fallback_name(number)}")
    return tuple(chain)


def _fallback_name(number: int) -> str:
    value = shared.Fallback.DESCRIPTOR.values_by_number.get(number)
    return str(number) if value is None else str(value.name)


def _session(events: Sequence[shared.SessionEvent], checks: Checks, path: str) -> tuple[SessionEvent, ...]:
    if not events or not checks.count(events, path, limits.MAX_SESSION_EVENTS, "events"):
        return ()
    return tuple(
        SessionEvent(
            checks.id(event.item_id, f"{path}[{position}].item_id"),
            checks.weight(event.weight, f"{path}[{position}].weight") if event.HasField("weight") else 1.0,
        )
        for position, event in enumerate(events)
    )


def _rules(rules: Sequence[shared.Rule], filters: FilterDecoder, checks: Checks, path: str) -> tuple[Rule, ...]:
    if not rules or not checks.count(rules, path, limits.MAX_RULES, "rules"):
        return ()
    return tuple(_rule(rule, filters, checks, f"{path}[{position}]") for position, rule in enumerate(rules))


def _rule(rule: shared.Rule, filters: FilterDecoder, checks: Checks, path: str) -> Rule:
    action = checks.choice(_ACTION, rule.action, f"{path}.action", "RuleAction")
    where = filters.decode(rule.where, f"{path}.where") if rule.HasField("where") else None
    item_ids = checks.ids(rule.item_ids, f"{path}.item_ids", limits.MAX_RULE_ITEMS)
    if (where is None) == (not rule.item_ids):
        got = "neither" if where is None else "both"
        checks.refuse(path, f"expected one of where and item_ids to say which items, got {got}")
    if (where is None) == (not item_ids):
        # Refused above: decoding goes on, to find what else is wrong.
        where, item_ids = REFUSED, ()
    if rule.action not in _ACTION:
        return Rule(action, where, item_ids)
    if action != "boost" and rule.weight:
        checks.refuse(f"{path}.weight", f"expected none but with RULE_ACTION_BOOST, got {rule.weight:g}")
    if action != "pin" and rule.slot:
        checks.refuse(f"{path}.slot", f"expected none but with RULE_ACTION_PIN, got {rule.slot}")
    if action == "boost":
        return Rule(action, where, item_ids, weight=checks.weight(rule.weight, f"{path}.weight"))
    if action == "pin":
        slot = checks.whole(rule.slot, f"{path}.slot", 0, limits.MAX_PAGE_SIZE - 1)
        return Rule(action, where, item_ids, slot=slot)
    return Rule(action, where, item_ids)


def _diversity(diversity: shared.Diversity, checks: Checks, path: str) -> Diversity:
    relevance = diversity.relevance if diversity.HasField("relevance") else None
    if relevance is not None and not 0 <= relevance <= 1:
        checks.refuse(f"{path}.relevance", f"expected 0 to 1, got {relevance:g}")
        relevance = None
    if not diversity.max_per_group and not diversity.group_field:
        if not diversity.HasField("relevance"):
            checks.refuse(path, "expected relevance, or max_per_group with group_field, got neither")
        return Diversity(relevance)
    most = checks.whole(diversity.max_per_group, f"{path}.max_per_group", 1, limits.MAX_PAGE_SIZE)
    return Diversity(relevance, most, checks.name(diversity.group_field, f"{path}.group_field"))
