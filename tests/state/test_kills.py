"""An owner that is killed at random moments: nothing acknowledged is lost, nothing is there twice, no call is torn.

RECOCORE_KILLS sets how often.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.state.made import ids, rows
from tests.state.owners import Owners

from recocore.errors import OwnerUnavailableError
from recocore.state import Durability, StateReader, StateStore
from recocore.state.owner_client import OwnerClient

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("RECOCORE_KILLS", "6"))
CALLERS = 4


class _Load:
    """Callers that record and forget, and remember what they were told."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._number = 0
        self.acknowledged: set[str] = set()
        self.sent: list[set[str]] = []
        self.forgotten: set[str] = set()
        self.maybe_forgotten: set[str] = set()
        self.users: dict[str, str] = {}

    async def call(self, client: OwnerClient) -> None:
        """One call; again until it is answered, as a caller with event ids may."""
        self._number += 1
        number, rng = self._number, self._rng
        kind = rng.random()
        if kind < 0.04:
            await client.compact()
        elif kind < 0.06:
            await client.rotate_master_key(drop_old=True)
        elif kind < 0.1 and number > 20:
            user = f"customer-{rng.randrange(100)}"
            self.maybe_forgotten.add(user)
            await client.forget(user)
            self.forgotten.add(user)
        else:
            made = rows(rng.choice([1, 3, 40]), seed=number, users=100 if rng.random() < 0.5 else 5_000)
            self.users |= {event["event_id"]: event["user_id"] for event in made}
            self.sent.append({event["event_id"] for event in made})
            receipt = await client.record(made, durability=rng.choice(list(Durability)))
            self.acknowledged |= {
                event["event_id"]
                for event, result in zip(made, receipt.results, strict=True)
                if result.code != "invalid"
            }


async def _serve(owners: Owners, socket: Path, load: _Load, seconds: float) -> None:
    """Load an owner, and kill it in the midst."""
    owners.start()
    async with OwnerClient(socket, timeout=60) as client:
        await client.commit()  # it is there

        async def caller() -> None:
            while True:
                try:
                    await load.call(client)
                except OwnerUnavailableError:
                    return

        callers = [asyncio.create_task(caller()) for _ in range(CALLERS)]
        await asyncio.sleep(seconds)  # the moment of the kill is the point
        owners.kill()
        await client.close()
        await asyncio.gather(*callers)


@pytest.mark.timeout(7_200)
def test_nothing_acknowledged_is_lost_doubled_or_torn(path: Path, tmp_path: Path) -> None:
    load, rng = _Load(11), random.Random(12)
    with Owners(path, tmp_path / "owner.sock", segment_events=400) as owners:
        for kill in range(KILLS):
            asyncio.run(_serve(owners, tmp_path / "owner.sock", load, rng.uniform(0.0, 0.25)))
            if kill % 20 == 19 or kill == KILLS - 1:
                _check(path, load)


def _check(path: Path, load: _Load) -> None:
    with StateStore.open(path) as store:
        found = ids(store.events())
        assert max(Counter(found).values(), default=0) <= 1, "doubled"
        there = set(found)
        kept = {event for event in load.acknowledged if load.users[event] not in load.maybe_forgotten}
        assert kept <= there, f"lost {sorted(kept - there)[:5]}"
        assert not {event for event in there if load.users[event] in load.forgotten}, "a forgotten user's"
        for call in load.sent:
            mine = {event for event in call if load.users[event] not in load.maybe_forgotten}
            assert mine <= there or not mine & there, "torn"
        for user in load.forgotten:
            record = store.user(user)
            assert record is not None
            assert record.forgotten
        digest = store.digest()
        store.rebuild()
        assert store.digest() == digest, "the table was not what the log says"
    with StateReader.open(path) as reader:
        assert set(ids(reader.events())) == there
