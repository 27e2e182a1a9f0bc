"""Several processes on one port: who ends, who takes the place, and what callers see of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.service.callers import Callers, until
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.client import Client, ServiceError
from recocore.errors import InvalidArgumentError
from recocore.models import ALS, Popularity
from recocore.service import ModelsConfig, serve
from recocore.service.security.config import Security, TlsConfig

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("RECOCORE_KILLS", "1"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "index"
    small_index(Popularity()).save(path)
    return path


def replaced(server: ServerProcess, pid: int) -> bool:
    """Whether two workers serve, and the one that was killed is none of them."""
    serving = server.serving()
    return len(serving) == 2 and pid not in serving


def warmed(server: ServerProcess, count: int) -> bool:
    """Whether so many workers have got ready since the start."""
    return len(server.events("model is ready")) == count


def test_workers_share_a_port_and_drain_together(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        answers = []
        for _ in range(8):
            with Client(server.address, timeout=20) as client:
                answers.append(client.recommend("user-00").items)
        assert answers == [answers[0]] * 8
        pids = server.serving()
        assert len(pids) == 2
        server.terminate()
        assert server.wait() == 0, server.log()
        assert len(server.events("draining")) == 2
        assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_a_service_that_ends_right_after_its_start_has_nothing_to_complain_of(saved: Path) -> None:
    # A worker that is to stand by is still loading then.
    for _ in range(4):
        with ServerProcess.serve(saved, workers=2) as server:
            server.terminate()
            assert server.wait() == 0, server.log()
            assert [record for record in server.records() if record["level"] in ("warning", "error")] == []


@pytest.mark.timeout(120 + 20 * KILLS)
def test_only_calls_to_a_killed_worker_fail(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outages: list[tuple[float, float]] = []
    with ServerProcess.serve(saved, workers=2) as server:
        until(partial(warmed, server, 3))
        with Callers(server.address) as callers:
            for kill in range(KILLS):
                callers.wait_for_answers(20)
                pid = server.serving()[0]
                killed = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                until(partial(replaced, server, pid))
                outages.append((killed, time.monotonic()))
                until(partial(warmed, server, kill + 4))
            callers.wait_for_answers(20)
        server.terminate()
        assert server.wait() == 0, server.log()
    failed = [outcome for outcome in callers.outcomes if outcome.status != "OK"]
    with capsys.disabled():
        longest = max(end - start for start, end in outages)
        print(f"\n{KILLS} kills: {dict(callers.counts())}, another served within {longest:.2f} s at most")
    assert set(callers.counts()) <= {"OK", "UNAVAILABLE"}
    # Each began before the place was taken again and ended after the kill; none was turned away later.
    for outcome in failed:
        ended = outcome.started + outcome.seconds
        assert any(start <= ended and outcome.started <= end for start, end in outages), outcome


def test_a_worker_that_is_told_to_end_is_replaced_and_no_call_is_lost(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        until(lambda: len(server.events("model is ready")) == 3)
        with Callers(server.address) as callers:
            old = server.serving()[0]
            os.kill(old, signal.SIGTERM)
            until(lambda: any(record["pid"] == old for record in server.events("worker ended")))
            callers.wait_for_answers(20)
        assert set(callers.counts()) == {"OK"}
        assert len(server.serving()) == 2


def test_a_worker_that_stands_by_is_replaced_too(saved: Path) -> None:
    with ServerProcess.serve(saved) as server:
        until(lambda: len(server.events("model is ready")) == 2)
        (spare,) = set(server.children()) - set(server.serving())
        os.kill(spare, signal.SIGKILL)
        until(lambda: len(server.events("model is ready")) == 3)
        assert len(server.children()) == 2
        with Client(server.address, timeout=20) as client:
            assert client.recommend("user-00").items


def test_workers_that_end_again_and_again_at_their_start_end_the_service(saved: Path, tmp_path: Path) -> None:
    # A worker imports this module, of the supervisor's path, instead of what it is to run from the second start on.
    marker = tmp_path / "broken"
    hook = tmp_path / "sitecustomize.py"
    hook.write_text(f"import os, sys\nif os.path.exists({str(marker)!r}) and '-P' in sys.orig_argv: os._exit(7)\n")
    code = f"from recocore.service import serve\nserve({str(saved)!r}, port=0, workers=1)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = ["env", *(f"{name}={value}" for name, value in environment.items()), sys.executable, "-c", code]
    with ServerProcess(command) as server:
        until(lambda: len(server.events("model is ready")) == 2)
        marker.touch()
        for pid in server.serving():
            os.kill(pid, signal.SIGKILL)
        assert server.wait(60) == 1
        assert "InternalError: 5 workers in a row ended before they served, the last with exit code 7" in server.log()


def test_workers_do_not_outlive_their_parent(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server:
        until(lambda: len(server.children()) == 3)
        children = server.children()
        server.terminate(signal.SIGKILL)
        server.wait()
        until(lambda: not any(os.path.exists(f"/proc/{child}") for child in children))


def test_ctrl_c_on_a_terminal_drains_as_sigterm_does(saved: Path) -> None:
    with ServerProcess.serve(saved, workers=2) as server, Client(server.address, retries=0) as client:
        for pid in (*server.children(), server.process.pid):
            os.kill(pid, signal.SIGINT)
        assert server.wait() == 0, server.log()
        with pytest.raises(ServiceError, match="UNAVAILABLE"):
            client.recommend("user-00")


def test_workers_are_counted_from_one(saved: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="workers must be at least 1, got 0"):
        serve(saved, workers=0)


def test_either_an_index_or_a_registry_is_served(saved: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="got neither"):
        serve()
    with pytest.raises(InvalidArgumentError, match="got both"):
        serve(saved, models=ModelsConfig(registry="models"))


PLAINTEXT = Security(TlsConfig(allow_plaintext=True))


def test_models_are_not_controlled_from_beyond_this_machine(saved: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="expected a loopback host") as caught:
        serve(saved, host="0.0.0.0", models=ModelsConfig(control=True), security=PLAINTEXT)
    assert caught.value.field == "models.control"


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_index_is_refused(tmp_path: Path, workers: int) -> None:
    code = f"from recocore.service import serve\nserve({str(tmp_path / 'none')!r}, port=0, workers={workers})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "NotFoundError" in done.stderr


def test_a_worker_loads_nothing_that_only_training_needs() -> None:
    code = (
        "import sys; import recocore.service.processes.worker; "
        "print([m for m in ('scipy', 'pandas', 'pyarrow.parquet', 'pyarrow.csv', 'rich', 'click', 'multiprocessing',"
        " 'cryptography', 'lmdb', 'jwt', 'numba') "
        "if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_a_warm_worker_has_loaded_no_more(tmp_path: Path) -> None:
    small_index(ALS(factors=4)).save(tmp_path / "index")
    code = (
        "import sys\n"
        "import recocore.service.processes.worker\n"
        "from recocore.index import Index\n"
        "from recocore.service.engine import Engine\n"
        "from recocore.service.hosting.warm_up import replay, sample_requests\n"
        f"index = Index.load({str(tmp_path / 'index')!r})\n"
        "replay(Engine(index), index.version, sample_requests(index, 2))\n"
        "print([m for m in ('scipy', 'pandas', 'numpy.ma', 'numba') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_the_supervisor_loads_no_grpc() -> None:
    code = (
        "import sys; import recocore.cli.serve, recocore.service.serving; "
        "print([m for m in ('grpc', 'numpy') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
