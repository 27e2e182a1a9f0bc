"""A stop under load: who calls in a loop sees answers and then that nobody is there, never a dropped call."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.client import Client, ServiceError
from recocore.models import Popularity

if TYPE_CHECKING:
    from pathlib import Path

_CALLERS = 16
DRAINS = int(os.environ.get("RECOCORE_DRAINS", "1"))


def outcomes_of_a_stop(server: ServerProcess, user: str) -> Counter[str]:
    """How the calls of many clients end, each calling without a pause until it is told that nobody is there."""
    outcomes: Counter[str] = Counter()
    answered = threading.Barrier(_CALLERS + 1)

    def call_on() -> None:
        with Client(server.address, timeout=20, retries=0) as client:
            client.wait_until_ready(20)
            client.recommend(user)
            answered.wait(20)
            while True:
                try:
                    client.recommend(user)
                except ServiceError as error:
                    outcomes[error.status] += 1
                    if error.status == "UNAVAILABLE":
                        return
                else:
                    outcomes["OK"] += 1

    callers = [threading.Thread(target=call_on) for _ in range(_CALLERS)]
    for caller in callers:
        caller.start()
    answered.wait(20)
    time.sleep(0.1)
    server.terminate()
    for caller in callers:
        caller.join()
    return outcomes


@pytest.mark.parametrize("repetition", range(DRAINS))
@pytest.mark.parametrize("user", ["even", "slow-50"])
def test_no_call_is_dropped(user: str, repetition: int) -> None:
    with ServerProcess.stub(log_level="warning") as server:
        outcomes = outcomes_of_a_stop(server, user)
        assert server.wait() == 0
    assert set(outcomes) == {"OK", "UNAVAILABLE"}, outcomes


@pytest.mark.timeout(120 + 20 * DRAINS)
def test_no_call_is_dropped_by_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_index(Popularity()).save(tmp_path / "index")
    drains: list[Counter[str]] = []
    for _ in range(DRAINS):
        with ServerProcess.serve(tmp_path / "index", workers=2) as server:
            drains.append(outcomes_of_a_stop(server, "user-00"))
            assert server.wait() == 0
    with capsys.disabled():
        print(f"\n{DRAINS} drains: {dict(sum(drains, Counter()))}")
    for outcomes in drains:
        # Each caller's last call found nobody, and no other call failed.
        assert outcomes["UNAVAILABLE"] == _CALLERS, outcomes
        assert set(outcomes) == {"OK", "UNAVAILABLE"}, outcomes
