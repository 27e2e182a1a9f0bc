"""Events from a topic, each once: against the mock cluster that librdkafka brings, for want of a broker to install."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.events.served import StateServer
from tests.service.small_index import small_index

from recocore.client import Client
from recocore.consumers import Consumed, KafkaSource
from recocore.consumers.consuming import Message, row_of
from recocore.errors import NotFoundError, OwnerUnavailableError
from recocore.models import Popularity
from recocore.state import Receipt, StateStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed")

TOPIC = "events"
PARTITIONS = 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Any, str]]:
    """A producer with the mock cluster inside it, and the cluster's address."""
    producer = kafka.Producer(
        {"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "test.mock.broker.rtt": 0}
    )
    brokers = producer.list_topics(timeout=10).brokers.values()
    yield producer, ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    producer.flush(10)


def event(number: int) -> dict[str, Any]:
    return {"user_id": f"u{number % 7}", "type": "view", "item_id": f"i{number % 11}", "mood": "good"}


def produce(producer: Any, topic: str, values: Sequence[bytes]) -> None:
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % PARTITIONS)
    assert producer.flush(10) == 0


@dataclass
class Flaky:
    """A store before which the network fails: before a commit, or after it, when the answer is lost."""

    store: StateStore
    failures: list[str] = field(default_factory=list)
    commits: int = 0

    def record(self, events: Sequence[Mapping[str, Any]], *, offsets: Mapping[str, int]) -> Receipt:
        failure = self.failures.pop(0) if self.failures else ""
        if failure == "before":
            raise OwnerUnavailableError("nobody answers")
        receipt = self.store.record(events, offsets=offsets)
        self.commits += 1
        if failure == "after":
            raise OwnerUnavailableError("the answer is lost")
        if failure == "killed":
            raise KeyboardInterrupt
        return receipt

    def offsets(self) -> Mapping[str, int]:
        return self.store.offsets()


def ids(store: StateStore) -> Counter[str]:
    return Counter(id_ for batch in store.events() for id_ in batch.column("event_id").to_pylist())


def test_every_message_is_recorded_once_whatever_fails(cluster: tuple[Any, str], tmp_path: Path) -> None:
    producer, brokers = cluster
    topic = "flaky"
    produce(producer, topic, [json.dumps(event(number)).encode() for number in range(300)])
    with StateStore.open(tmp_path / "state") as store:
        source = KafkaSource(topic, {"bootstrap.servers": brokers}, batch=20)
        sink = Flaky(store, ["before", "", "after", "", "after", "before", "killed"])
        with pytest.raises(KeyboardInterrupt):
            source.run(sink, threading.Event(), until_end=True)
        # Somebody else goes on, from where the state says.
        source.run(sink, threading.Event(), until_end=True)
        assert len(ids(store)) == 300
        assert set(ids(store).values()) == {1}
        assert sum(store.offsets().values()) == 300
        # Whoever begins again finds nothing to do.
        assert source.run(sink, threading.Event(), until_end=True) == Consumed()
        produce(producer, topic, [json.dumps(event(1) | {"event_id": "own"}).encode()] * 2)
        assert source.run(sink, threading.Event(), until_end=True) == Consumed(recorded=1, duplicates=1)


def test_what_is_no_event_is_refused_and_passed_over(cluster: tuple[Any, str], tmp_path: Path) -> None:
    producer, brokers = cluster
    topic = "mixed"
    good = json.dumps(event(1)).encode()
    produce(producer, topic, [good, b"{", b"[]", b"", json.dumps({"type": "view"}).encode(), good])
    with StateStore.open(tmp_path / "state") as store:
        source = KafkaSource(topic, {"bootstrap.servers": brokers})
        assert source.run(store, threading.Event(), until_end=True) == Consumed(recorded=2, refused=4)
        assert sum(store.offsets().values()) == 6
        assert source.run(store, threading.Event(), until_end=True) == Consumed()


def test_it_stops_between_two_commits(cluster: tuple[Any, str], tmp_path: Path) -> None:
    producer, brokers = cluster
    topic = "stopped"
    produce(producer, topic, [json.dumps(event(number)).encode() for number in range(60)])
    stop = threading.Event()
    with StateStore.open(tmp_path / "state") as store:
        source = KafkaSource(topic, {"bootstrap.servers": brokers}, batch=10)
        consumed = source.run(store, stop, told=lambda consumed: stop.set())
        assert 0 < consumed.recorded <= 10
        assert sum(store.offsets().values()) == consumed.recorded


def test_an_unknown_topic_is_named(cluster: tuple[Any, str]) -> None:
    config = {"bootstrap.servers": cluster[1], "allow.auto.create.topics": False}
    with pytest.raises(NotFoundError, match="topic: 'no/such'"):
        KafkaSource("no/such", config).run(Flaky(None), threading.Event())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1_700_000_000_000, 1_700_000_000_000_000),
        (0.5, 500),
        ("2026-01-02T03:04:05.678901+00:00", 1_767_323_045_678_901),
        ("2026-01-02T04:04:05.678901+01:00", 1_767_323_045_678_901),
    ],
)
def test_times_are_read(given: Any, expected: int) -> None:
    message = Message("kafka/events/0", 7, json.dumps({"event_time": given}).encode())
    assert row_of(message)["event_time"] == expected


@pytest.mark.parametrize("time", ["2026-01-02T03:04:05", "soon", True, [], {}])
def test_times_that_are_none_are_refused(time: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (several messages)
        row_of(Message("kafka/events/0", 7, json.dumps({"event_time": time}).encode()))


def consume(*arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "recocore.cli", "consume", *map(str, arguments), "--until-end", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(120)
def test_the_command_records_beside_a_service_and_without_one(cluster: tuple[Any, str], tmp_path: Path) -> None:
    producer, brokers = cluster
    topic = "commanded"
    values = [json.dumps({"user_id": "ann", "type": "view", "item_id": "10"}).encode()] * 9
    produce(producer, topic, values)
    arguments = (topic, "--brokers", brokers, "--state", tmp_path / "state")
    assert consume(*arguments) == {"recorded": 9, "duplicates": 0, "refused": 0}
    small_index(Popularity()).save(tmp_path / "index")
    with StateServer.start(tmp_path / "index", tmp_path / "state") as server:
        produce(producer, topic, values[:3])
        assert consume(*arguments) == {"recorded": 3, "duplicates": 0, "refused": 0}
        with Client(server.address, timeout=20) as client:
            assert len(client.export_user("ann").events) == 12
