"""What a record changes in what is asked; and how long a call waits for a commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from recocore.errors import InvalidArgumentError
from recocore.index.asking import Ask, SessionEvent
from recocore.service.call import Call
from recocore.service.events import commit_tokens
from recocore.service.events.personal import NOBODY, StatePeople
from recocore.service.events.problems import CommitNotSeenError, NoStateError
from recocore.service.queries import Template
from recocore.state import RecentEvent, UserRecord
from recocore.state.values import Link

RECENT = (RecentEvent("a", "view", 1, 1.0), RecentEvent("b", "impression", 2, 0.0), RecentEvent("c", "buy", 3, 5.0))
RECORD = UserRecord(7, seen=("c", "z"), recent=RECENT)
ASK = Ask(session=(SessionEvent("d", 2.0),))


@dataclass
class Reader:
    """Commits one more each time that it is asked."""

    records: dict[str, UserRecord] = field(default_factory=dict)
    last: int = 0

    def user(self, user_id: str, *, visitor: bool = False) -> UserRecord | None:
        return self.records.get(user_id)

    @property
    def commit(self) -> int:
        self.last += 1
        return self.last


def people(recent: int = 20, **records: UserRecord) -> StatePeople:
    reader: Any = Reader(records)
    return StatePeople(reader, recent)


def test_recent_events_come_before_those_of_the_request_and_what_was_bought_is_had() -> None:
    found = people().add_to(Template(ASK), RECORD)
    assert found.ask == replace(
        ASK, session=(SessionEvent("a", 1.0), SessionEvent("c", 5.0), SessionEvent("d", 2.0)), had=("c", "z")
    )
    assert found.named is ASK


def test_whoever_was_merged_is_one_person_under_any_id() -> None:
    held, undone = (Link(3, False, False, "old", 0, at, "") for at in (None, 5))
    old = replace(RECORD, version=9, consent={"personalization": True}, links=(held._replace(into=True, id="ann"),))
    own = UserRecord(8, seen=("z", "y"), recent=(RecentEvent("b", "view", 2, 1.0),), links=(held,))
    both = people(ann=own, old=old)
    for id_ in ("ann", "old"):
        found = both.record(id_)
        assert found is not None
        assert [event.time for event in found.recent] == [1, 2, 2, 3]
        assert (set(found.seen), found.version, found.forgotten) == ({"c", "z", "y"}, 9, False)
    # What one id withdrew holds for the person; what was forgotten is gone, and the version tells.
    refused = replace(old, version=10, consent={"personalization": False})
    assert people(ann=own, old=refused).hides("ann")
    assert people(ann=own, old=UserRecord(11, forgotten=True)).record("ann") == replace(
        own, version=11, links=(), seen=("z", "y")
    )
    assert people(ann=replace(own, links=(undone,)), old=old).record("ann") == UserRecord(8, own.seen, own.recent)


def test_only_the_latest_events_count_and_none_where_none_should() -> None:
    assert people(1).add_to(Template(ASK), RECORD).ask.session == (SessionEvent("c", 5.0), *ASK.session)
    assert people(0).add_to(Template(ASK), RECORD).ask == replace(ASK, had=("c", "z"))


def test_who_wants_seen_items_gets_what_was_bought() -> None:
    assert people().add_to(Template(replace(ASK, exclude_seen=False)), RECORD).ask.had == ()


@pytest.mark.parametrize("personalization", ["context", "none"])
def test_a_request_that_reads_no_record_is_left_as_it_is(personalization: Any) -> None:
    template = Template(replace(ASK, personalization=personalization))
    assert people().add_to(template, RECORD) is template


@pytest.mark.parametrize("personalization", ["full", "context", "none"])
def test_withdrawn_consent_is_personalization_none(personalization: Any) -> None:
    template = Template(replace(ASK, personalization=personalization))
    found = people().add_to(template, replace(RECORD, consent={"personalization": False}))
    assert found.ask == replace(ASK, personalization="none")
    assert not found.as_unknown


def test_consent_to_other_purposes_does_not_matter() -> None:
    record = replace(RECORD, consent={"marketing": False, "personalization": True})
    assert people().add_to(Template(ASK), record).ask.session


def test_somebody_forgotten_is_unknown() -> None:
    found = people().add_to(Template(ASK), UserRecord(9, forgotten=True))
    assert found.as_unknown
    assert found.ask == ASK


def test_somebody_without_a_record_is_asked_for_as_before() -> None:
    template = Template(ASK)
    assert people().add_to(template, None) is template
    assert people().add_to(template, UserRecord(3)) is template
    assert NOBODY.add_to(template, RECORD) is template


def test_who_must_not_be_ranked_is_hidden() -> None:
    known = people(
        ann=RECORD, bob=UserRecord(2, forgotten=True), cid=replace(RECORD, consent={"personalization": False})
    )
    assert [known.hides(name) for name in ("ann", "bob", "cid", "nobody")] == [False, True, True, False]
    assert not NOBODY.hides("ann")


def test_the_version_of_a_record_is_as_long_for_everybody() -> None:
    known = people()
    versions = [known.version(record) for record in (None, RECORD, replace(RECORD, version=2**40))]
    assert len(set(versions)) == 3
    assert {len(version) for version in versions} == {16}
    assert NOBODY.version(RECORD) == b""


def test_an_id_that_cannot_be_one_is_not_looked_up() -> None:
    known = people()
    known._reader = None  # type: ignore[assignment]
    assert known.record("") is None
    assert known.record("x" * 300) is None


def test_a_call_waits_for_its_commit() -> None:
    known = people()
    asyncio.run(known.wait(commit_tokens.encode(4), Call("r")))
    assert known._reader.commit == 5  # it was asked until it saw the fourth
    known.wait_here(commit_tokens.encode(8), Call("r"))
    assert known._reader.commit == 9
    asyncio.run(known.wait("", Call("r")))
    assert known._reader.commit == 10


def test_it_does_not_wait_beyond_its_deadline() -> None:
    with pytest.raises(CommitNotSeenError, match="commit 1000000 is not there to be read, the last one is"):
        asyncio.run(people().wait(commit_tokens.encode(1_000_000), Call("r", seconds_left=0.05)))


def test_without_a_state_a_commit_cannot_be_asked_for() -> None:
    with pytest.raises(NoStateError, match="min_commit_token: this service has no state"):
        asyncio.run(NOBODY.wait(commit_tokens.encode(1), Call("r")))
    asyncio.run(NOBODY.wait("", Call("r")))


@pytest.mark.parametrize(
    "token", ["x", "AAAA", "é", "A" * 65, commit_tokens.encode(1)[:-1], "Ag" + commit_tokens.encode(1)[2:]]
)
def test_what_is_no_commit_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="min_commit_token: expected the commit_token of a response"):
        commit_tokens.decode(token)
