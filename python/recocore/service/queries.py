"""Requests and answers as plain values: what the service works on between decoding and encoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recocore.service.hosting.choice import ANY_MODEL, ModelChoice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.index import ExternalId, RankedColumns, RankedList
    from recocore.index.asking import Ask
    from recocore.service.page_tokens import PageToken
    from recocore.service.problems import InvalidRequestError, Problem


@dataclass(frozen=True, slots=True)
class AttributeMask:
    """Which attributes of the items an answer has.

    Attributes:
        all: every one.
        names: these, where not every one.
        paths: where the read mask names each of `names`, to say which of them is wrong.
    """

    all: bool = False
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is put into bytes, whatever it says; hashable.

    Attributes:
        packed: as arrays instead of one message an item.
        fields: the response's fields that are sent; None for all.
        item_fields: the fields of each item that are sent; None for all but the attributes.
        attributes: the items' attributes that are sent; None for none.
    """

    packed: bool = False
    fields: frozenset[str] | None = None
    item_fields: frozenset[str] | None = None
    attributes: AttributeMask | None = None

    def has(self, name: str) -> bool:
        """Whether a field of the response is sent."""
        return self.fields is None or name in self.fields


PLAIN = Form()


@dataclass(frozen=True, slots=True)
class Template:
    """What may be asked for any user; hashable, so that users with equal templates can be ranked together.

    Attributes:
        ask: how to rank.
        form: how to answer.
        placement: where the items will be shown; may be empty.
        validate_only: whether to check alone, and answer without items.
        shape: what of the request decides on a list beside its user: see `page_tokens.bind`.
        root: the path of the template in its request, such as `template.`, for errors.
        asked: what the request itself asks, where what is known of a user has been added to `ask`; None where nothing has.
        as_unknown: whether the model is to know nothing of the user, who was forgotten.
    """

    ask: Ask
    form: Form = PLAIN
    placement: str = ""
    validate_only: bool = False
    shape: bytes = b""
    root: str = ""
    asked: Ask | None = None
    as_unknown: bool = False

    @property
    def named(self) -> Ask:
        """The ask whose ids the caller has sent."""
        return self.ask if self.asked is None else self.asked

    @property
    def is_columnar(self) -> bool:
        """Whether the answer is what columns hold: ids, scores and sources, and every field beside them."""
        return self.form == PLAIN and not self.ask.explain and not self.validate_only


@dataclass(frozen=True, slots=True)
class RecommendQuery:
    """Recommend for one user.

    Attributes:
        user_id: whom; empty for nobody, where nothing of a user is read.
        template: the rest.
        page: the token of the request; None for the first page.
        min_commit: the commit token of the request; empty for none.
    """

    user_id: str
    template: Template
    page: PageToken | None = None
    model: ModelChoice = ANY_MODEL
    min_commit: str = ""


@dataclass(frozen=True, slots=True)
class SimilarItemsQuery:
    """Items like the seeds and unlike the negatives."""

    seeds: tuple[str, ...]
    negatives: tuple[str, ...]
    template: Template
    page: PageToken | None = None
    model: ModelChoice = ANY_MODEL


@dataclass(frozen=True, slots=True)
class ScoreQuery:
    """Scores of one user with given items, with up to `explain` reasons each."""

    user_id: str
    item_ids: tuple[str, ...]
    explain: int = 0
    packed: bool = False
    model: ModelChoice = ANY_MODEL


@dataclass(frozen=True, slots=True)
class BatchQuery:
    """Recommend for many users.

    Attributes:
        user_ids: a row each, in request order.
        bad_rows: what is wrong with a row's user id, by row; these are not ranked.
        template: the same for all.
        min_commit: the commit token of the template; empty for none.
    """

    user_ids: tuple[str, ...]
    bad_rows: dict[int, InvalidRequestError]
    template: Template
    model: ModelChoice = ANY_MODEL
    min_commit: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The answer to one query: a page of a list.

    Attributes:
        ranked: the items and the ids that the model does not know.
        attributes: the attributes of each item that the query asks for, in the items' order.
        next_page_token: empty on the last page.
    """

    ranked: RankedList
    attributes: tuple[Mapping[str, Any], ...] = ()
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnRankings:
    """The answers for several users with one template, a columnar one.

    Attributes:
        columns: the lists.
        missing_ids: the ids that the model does not know, of each list.
        next_page_tokens: of each list; empty on the last page.
    """

    columns: RankedColumns
    missing_ids: Sequence[tuple[ExternalId, ...]]
    next_page_tokens: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scores:
    """The answer to a ScoreQuery.

    Attributes:
        scores: one for each known item, in request order.
        missing_ids: the items that the model does not know.
        reasons: (item id, weight) pairs of each score, heaviest first; empty unless asked for.
    """

    scores: list[float]
    missing_ids: tuple[str, ...]
    reasons: list[tuple[tuple[str, float], ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch: its ranking, or why it has none."""

    user_id: str
    result: Ranking | Problem


@dataclass(frozen=True, slots=True)
class Served:
    """What every answer says of itself.

    Attributes:
        model: version of the model that answered.
        request_id: the call's.
        attribution_token: to join events to this answer; empty where there is nothing to attribute.
        experiment: the id of the experiment that the answer is part of; empty for none.
        variant: the variant of that experiment.
    """

    model: str
    request_id: str
    attribution_token: str = ""
    experiment: str = ""
    variant: str = ""
