"""Recommend for calls that arrive together: those that ask the same of the same model are ranked together.

An answer has two parts: what every call with the same request to the same models would get, which may be kept, and what is
the call's own. A message of protocol buffers may be written in parts.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recocore.errors import RecocoreError
from recocore.service import convert
from recocore.service.events.personal import NOBODY
from recocore.service.hosting.host import ServedAs
from recocore.service.queries import Served
from recocore.service.served import attribution_token, pick, served

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recocore.service.call import Call
    from recocore.service.events.personal import People
    from recocore.service.hosting.host import Hosted, Models
    from recocore.service.queries import Template


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to a call.

    Attributes:
        shared: the bytes that others may get as well.
        about: the model that answered; the model itself is not kept.
        user_id: whom it is about; None for nobody.
        placement: where the items will be shown.
        is_whole: whether `shared` is all of it, the call's own part included; then it is nobody else's.
    """

    shared: bytes
    about: ServedAs
    user_id: str | None
    placement: str
    is_whole: bool = False

    @property
    def size(self) -> int:
        """Bytes that keeping it takes, about."""
        return len(self.shared)

    def to(self, call: Call, key: bytes | None = None) -> bytes:
        """The response to a call; `key` signs its attribution token."""
        call.user_id = self.user_id
        call.placement = self.placement
        call.hosted = self.about
        if self.is_whole:
            return self.shared
        return self.shared + convert.encode_own(call.request_id, attribution_token(self.about, call, key))


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a call asks for, and of what.

    Attributes:
        user_id: whom it is about; empty for nobody.
        template: the rest, with what is known of the user.
        hosted: what answers.
    """

    user_id: str
    template: Template
    hosted: Hosted

    @property
    def quick_seconds(self) -> float:
        """See `Engine.quick_seconds`."""
        return self.hosted.engine.quick_seconds(self.template)

    @property
    def first_seconds(self) -> float:
        """How much longer it takes where nobody before asked for the same."""
        return self.hosted.engine.first_seconds


class Recommending:
    """Answers batches of Recommend calls; safe from several threads.

    Args:
        models: what ranks.
        people: what is known of users beside the models.
        key: signs attribution tokens; None leaves them unsigned.

    Attributes:
        key: see above.
    """

    def __init__(self, models: Models, people: People = NOBODY, key: bytes | None = None) -> None:
        self._models = models
        self._people = people
        self.key = key

    @property
    def generation(self) -> int:
        """Changes whenever an answer may: what was kept before is of no use then."""
        return self._models.generation

    @property
    def reads_records(self) -> bool:
        """Whether `read` has to come before an answer, kept or not."""
        return self._people.are_known

    def user_of(self, request: bytes) -> tuple[str, str]:
        """Whom a request is about and the commit that its answer has to know of, unchecked; empty for nobody and none."""
        return convert.read_user(request)

    async def wait(self, min_commit: str, call: Call) -> None:
        """Wait until a commit can be read.

        Raises:
            CommitNotSeenError: it is not there to be read in time.
            InvalidArgumentError: it is no commit token.
        """
        await self._people.wait(min_commit, call)

    def read(self, request: bytes, user_id: str, call: Call) -> bytes:
        """Read what is known of the user into the call: the key of its answer, which changes when that does."""
        call.record = self._people.record(user_id)
        return request + self._people.version(call.record)

    @property
    def has_shadows(self) -> bool:
        """Whether `given` may do anything."""
        return self._models.shadows

    def given(self, request: bytes, call: Call) -> None:
        """Say that an answer is on its way, whether or not it was given before: a shadow may rank the same."""
        if self._models.shadows:
            # Decoded once more: what was asked, kept with each answer, would take many times the bytes of the request.
            query = convert.decode_recommend(request)
            template = self._people.add_to(query.template, call.record)
            with suppress(RecocoreError):  # what answered may have been unloaded since
                hosted = pick(self._models, query, query.user_id or None)
                template = self._people.blend(template, call.record, query.user_id, hosted.engine)
                self._models.shadow(hosted, replace(query, template=template))

    def ask(self, request: bytes, call: Call) -> Asked:
        """Decode a request, and choose what answers it.

        Raises:
            RecocoreError: the request is at fault, or no model can answer it.
        """
        query = convert.decode_recommend(request)
        call.user_id = query.user_id or None
        call.placement = query.template.placement
        self._people.check(query.min_commit)
        template = self._people.add_to(query.template, call.record)
        hosted = pick(self._models, query, query.user_id or None)
        return Asked(query.user_id, self._people.blend(template, call.record, query.user_id, hosted.engine), hosted)

    def answer_all(self, requests: Sequence[bytes | Asked], calls: Sequence[Call]) -> list[Answer | Exception]:
        """An answer, or what went wrong, for each of some calls, decoded or not."""
        return self.answer_asked([_attempt(self.ask, *each) for each in zip(requests, calls, strict=True)], calls)

    def answer_asked(self, asked: Sequence[Asked | Exception], calls: Sequence[Call]) -> list[Answer | Exception]:
        """`answer_all` for requests that are decoded; an exception stays what it is."""
        answers: list[Answer | Exception | None] = [None] * len(asked)
        groups: dict[tuple[Hosted, Template], list[int]] = {}
        # Mostly it is the same for all: to hash a template takes longer than to see that.
        hosted = template = same = None
        for place, (each, call) in enumerate(zip(asked, calls, strict=True)):
            try:
                call.checkpoint()
            except RecocoreError as error:
                answers[place] = error
                continue
            if isinstance(each, Exception):
                answers[place] = each
                continue
            if each.hosted is not hosted or each.template is not template or same is None:
                hosted, template = each.hosted, each.template
                same = groups.setdefault((hosted, template), [])
            same.append(place)
        for key, places in groups.items():
            user_ids = [each.user_id for each in map(asked.__getitem__, places) if isinstance(each, Asked)]
            found = self._rank(*key, user_ids, [calls[place] for place in places])
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        return [answer for answer in answers if answer is not None]

    def _rank(
        self, hosted: Hosted, template: Template, user_ids: Sequence[str], calls: Sequence[Call]
    ) -> list[Answer | Exception]:
        try:
            return self._answers(hosted, template, user_ids, calls)
        except Exception as error:
            if len(user_ids) == 1:
                return [error]
            # One that fails must not take the others along: find it by ranking each alone.
            return [
                answer
                for user_id, call in zip(user_ids, calls, strict=True)
                for answer in self._rank(hosted, template, [user_id], [call])
            ]

    def _answers(
        self, hosted: Hosted, template: Template, user_ids: Sequence[str], calls: Sequence[Call]
    ) -> list[Answer | Exception]:
        engine, about = hosted.engine, ServedAs.of(hosted)
        engine.check(template)
        if template.is_columnar:
            says = Served(about.version, "", "", about.experiment, about.variant)
            encoded = convert.encode_shared(engine.rank_columns(user_ids, template), says)
        else:
            encoded = [
                convert.encode_recommend(ranking, served(hosted, call, self.key), template.form)
                for ranking, call in zip(engine.rank(user_ids, template), calls, strict=True)
            ]
        is_whole = not template.is_columnar
        return [
            Answer(data, about, user_id or None, template.placement, is_whole)
            for data, user_id in zip(encoded, user_ids, strict=True)
        ]


def _attempt(ask: Callable[[bytes, Call], Asked], request: bytes | Asked, call: Call) -> Asked | Exception:
    if isinstance(request, Asked):
        return request
    try:
        call.checkpoint()
        return ask(request, call)
    except Exception as error:
        return error
