"""Several processes on one port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.client import Client, ServiceError
from recocore.errors import InvalidArgumentError
from recocore.models import Popularity
from recocore.service import serve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "index"
    small_index(Popularity()).save(path)
    return path


def test_workers_share_a_port_and_drain_together(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        answers = []
        for _ in range(8):
            with Client(server.address, timeout=20) as client:
                answers.append(client.recommend("user-00").items)
        assert answers == [answers[0]] * 8
        server.terminate()
        assert server.wait() == 0, server.log()
        assert len([record for record in server.records() if record["event"] == "stopped"]) == 2


def test_a_dead_worker_ends_the_service(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        children = _children(server.process.pid)
        os.kill(children[-1], signal.SIGKILL)
        assert server.wait() != 0
        assert "InternalError: a worker ended with exit code -9" in server.log()


def test_workers_do_not_outlive_their_parent(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        children = _children(server.process.pid)
        assert len(children) >= 2
        server.terminate(signal.SIGKILL)
        server.wait()
        with Client(server.address, retries=0) as client:
            deadline = time.monotonic() + 20
            while True:
                try:
                    client.recommend("user-00")
                except ServiceError as error:
                    if error.status == "UNAVAILABLE":
                        break
                assert time.monotonic() < deadline
                time.sleep(0.05)


def test_workers_are_counted_from_one(saved: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="workers must be at least 1, got 0"):
        serve(saved, workers=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_index_is_refused(tmp_path: Path, workers: int) -> None:
    code = f"from recocore.service import serve\nserve({str(tmp_path / 'none')!r}, port=0, workers={workers})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "NotFoundError" in done.stderr


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]
