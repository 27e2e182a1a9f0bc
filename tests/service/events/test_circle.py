"""The whole circle over real sockets, and kills at random moments.

An event changes the next answer; processes are killed and nothing is lost; the log trains the next version, which takes over;
a person takes a copy, is forgotten, and is found nowhere.

The environment variable RECOCORE_KILLS is the number of kills, 4 where it is not set. The long form, which prints its counts:

    RECOCORE_KILLS=300 RECOCORE_SEED=11 pytest -s tests/service/events/test_circle.py
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.service.events.served import StateServer
from tests.service.small_index import small_index

from recocore import Index
from recocore.client import Client, Event, EventBuffer, ServiceError
from recocore.models import ItemKNN
from recocore.registry import Registry
from recocore.state import StateReader
from recocore.state.folder import is_owned

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("RECOCORE_KILLS", "4"))
SEED = int(os.environ.get("RECOCORE_SEED", "11"))
# Nobody else's words: a search of bytes finds no chance hits.
ANN = "ann-of-green-gables-1908"


def recocore(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recocore.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def found_in(folder: Path, needle: str) -> list[str]:
    """The files of a folder that hold a text, whatever they are."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and needle.encode() in path.read_bytes()
    ]


def view(user_id: str, item_id: str) -> Event:
    return Event(type="view", user_id=user_id, item_id=item_id)


@pytest.mark.timeout(120)
def test_from_an_event_to_being_forgotten(tmp_path: Path) -> None:  # noqa: PLR0915  (one circle)
    small_index(ItemKNN()).save(tmp_path / "first")
    registry = Registry(tmp_path / "models")
    first = registry.publish(tmp_path / "first")
    registry.set_alias("stable", first.version)
    with StateServer.start(tmp_path / "models", tmp_path / "state", workers=2) as server:
        with Client(server.address, timeout=30, retries=100) as client:
            # An event, and the next recommendation is another.
            bought = client.recommend(ANN, 5).items[0].item_id
            token = client.record_events(
                [Event(type="buy", user_id=ANN, item_id=bought, query="a red " + ANN), view(ANN, "60")]
            ).commit_token
            answer = client.recommend(ANN, 5, min_commit_token=token)
            assert bought not in [item.item_id for item in answer.items]
            assert "session" in {item.source for item in answer.items}
            client.record_events([view(f"user-{number:02}", f"{number % 20 * 10}") for number in range(30)])
            # The owner is killed, then a worker: nothing is lost.
            killed = server.kill_owner()
            server.wait_for_another_owner(killed)
            os.kill(server.serving()[0], signal.SIGKILL)
            assert len(client.export_user(ANN).events) == 2
            assert client.recommend(ANN, 5).items == answer.items
            # The log trains the next version, while the service runs; it is swapped in.
            client.set_consent("user-07", "personalization", False)
            recocore("fit", "--from-state", tmp_path / "state", "--model", "itemknn", "--out", tmp_path / "second")
            learned = Index.load(tmp_path / "second").users
            assert learned.index_of(ANN) >= 0
            assert learned.index_of("user-07") < 0
            assert learned.index_of("user-08") >= 0
            second = registry.publish(tmp_path / "second")
            registry.set_alias("stable", second.version)
            while client.recommend(ANN, 5).served_model != second.version:
                time.sleep(0.02)
            assert client.recommend(ANN, 5).missing_ids == ()
            # A copy, and no more.
            assert {row["item_id"] for row in client.export_user(ANN).events} == {bought, "60"}
            receipt = client.forget_user(ANN)
            assert receipt.key_destroyed
            gone = client.recommend(ANN, 5)
            assert gone.missing_ids == (ANN,)
            assert {item.source for item in gone.items} == {"popular"}
            assert client.export_user(ANN).events == ()
            assert client.record_events([view(ANN, "60")]).accepted == 0
            # The next training knows nothing of her.
            recocore("fit", "--from-state", tmp_path / "state", "--model", "itemknn", "--out", tmp_path / "third")
            third = registry.publish(tmp_path / "third")
            registry.set_alias("stable", third.version)
            while client.recommend("user-08", 5).served_model != third.version:
                time.sleep(0.02)
            assert client.recommend(ANN, 5).missing_ids == (ANN,)
        assert server.process.poll() is None
        server.terminate()
        assert server.wait(30) == 0
        assert ANN not in server.log()
    assert found_in(tmp_path / "state", ANN) == []
    assert found_in(tmp_path / "third", ANN) == []
    # The version that learned of her holds her id until it is removed.
    assert found_in(tmp_path / "second", ANN) != []
    for version in (first.version, second.version):
        registry.remove(version)
    assert found_in(tmp_path / "models", ANN) == []


class Callers:
    """Threads that record events for as long as they are let, and remember which were acknowledged."""

    def __init__(self, address: str, count: int, name: str) -> None:
        self._address = address
        self._name = name
        self._stop = threading.Event()
        self.acknowledged: set[str] = set()
        self.sent: set[str] = set()
        self.failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _call(self, number: int) -> None:
        rng = random.Random(number)
        with Client(self._address, timeout=5, retries=0, options=(("grpc.use_local_subchannel_pool", 1),)) as client:
            at = 0
            while not self._stop.is_set():
                events = [
                    Event(
                        type="view", user_id=f"u{number}", item_id="10", event_id=f"{self._name}/{number}/{at + place}"
                    )
                    for place in range(rng.randrange(1, 20))
                ]
                at += len(events)
                with self._lock:
                    self.sent.update(event.event_id for event in events)
                while not self._stop.is_set():
                    try:
                        answer = client.record_events(events)
                    except ServiceError as error:
                        with self._lock:
                            self.failures[error.reason or error.status] += 1
                        time.sleep(0.01)
                    else:
                        assert answer.errors == ()
                        with self._lock:
                            self.acknowledged.update(event.event_id for event in events)
                        break

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.timeout(60 + 10 * KILLS)
def test_no_acknowledged_event_is_lost_or_doubled_whoever_is_killed(tmp_path: Path) -> None:
    small_index(ItemKNN()).save(tmp_path / "index")
    rng = random.Random(SEED)
    killed: Counter[str] = Counter()
    acknowledged: set[str] = set()
    sent: set[str] = set()
    failures: Counter[str] = Counter()
    done = lives = 0
    while done < KILLS:
        # Until the supervisor itself is killed, or for so many kills.
        with StateServer.start(tmp_path / "index", tmp_path / "state", workers=2) as server:
            lives += 1
            callers = Callers(server.address, 3, f"life-{lives}")
            try:
                while done < KILLS:
                    time.sleep(rng.uniform(0.02, 0.2))
                    who = rng.choices(("owner", "worker", "supervisor"), (5, 3, 1 if KILLS > 10 else 0))[0]
                    pids = {
                        "owner": [server.owner()],
                        "worker": server.serving(),
                        "supervisor": [server.process.pid],
                    }[who]
                    if not pids:
                        continue
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(rng.choice(pids), signal.SIGKILL)
                        killed[who] += 1
                        done += 1
                    if who == "supervisor":
                        break
                    before = len(callers.acknowledged)
                    deadline = time.monotonic() + 20
                    while len(callers.acknowledged) == before:
                        assert time.monotonic() < deadline, server.log()[-3_000:]
                        time.sleep(0.01)
            finally:
                callers.stop()
            acknowledged |= callers.acknowledged
            sent |= callers.sent
            failures += callers.failures
        wait_until_nobody_owns(tmp_path / "state")
    with StateReader.open(tmp_path / "state") as reader:
        kept = Counter(id_ for batch in reader.events() for id_ in batch.column("event_id").to_pylist())
    print(f"\n{dict(killed)} killed; {len(kept)} events kept, calls that failed: {dict(failures)}")
    assert set(kept.values()) == {1}
    assert acknowledged <= set(kept) <= sent


def wait_until_nobody_owns(state: Path) -> None:
    """The processes of a supervisor that was killed see its end, and end themselves."""
    deadline = time.monotonic() + 20
    while is_owned(state):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.timeout(60)
def test_the_end_of_the_service_keeps_what_was_buffered(tmp_path: Path) -> None:
    small_index(ItemKNN()).save(tmp_path / "index")
    with StateServer.start(tmp_path / "index", tmp_path / "state") as server:
        with Client(server.address, timeout=20) as client:
            with EventBuffer(client, batch_events=50, durability="buffered") as events:
                for number in range(500):
                    events.add(Event(type="view", user_id=f"u{number % 9}", item_id="10", event_id=f"{number}"))
            assert events.counts.recorded == 500
        server.terminate()
        assert server.wait(30) == 0
        records = [record["event"] for record in server.records()]
        # The owner ends after the workers, which pass on to it what they are still told.
        assert records[-1] == "stopped"
    with StateReader.open(tmp_path / "state") as reader:
        assert sum(len(batch) for batch in reader.events()) == 500
