"""The door's process: callers who go, a graceful end, and `serve` with a door beside its workers."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.http_calls import Answer, ask, connect, get, post
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.errors import InvalidArgumentError, UnsupportedError
from recocore.models import Popularity
from recocore.service import serve
from recocore.service.door import HttpConfig, open_port, reachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW = {"user_id": "slow-3000"}


def begin(address: str, body: dict[str, Any], name: str) -> tuple[threading.Thread, list[Answer]]:
    """A call that is under way, and where its answer will be."""
    answers: list[Answer] = []

    def call() -> None:
        connection = connect(address)
        answers.append(ask(connection, "/v1/recommend", body, {"x-request-id": name}))
        connection.close()

    thread = threading.Thread(target=call)
    thread.start()
    return thread, answers


def wait_until_under_way(server: ServerProcess, door: ServerProcess) -> None:
    """Return when the only slot of the service is taken."""
    # A call that is asked for too early, or too often, takes the place itself, and the one that is waited for is turned away.
    time.sleep(0.5)
    deadline = time.monotonic() + 20
    while post(door.address, "/v1/recommend", {"user_id": "even"}).status != 429:
        assert time.monotonic() < deadline, "nothing took the only place within 20 s"
        time.sleep(0.05)


def test_a_caller_who_goes_takes_its_call_along() -> None:
    with ServerProcess.stub(max_calls=1) as server:
        with ServerProcess.door(server.address) as door:
            host, port = door.address.rsplit(":", 1)
            with socket.create_connection((host, int(port))) as caller:
                body = b'{"user_id": "slow-3000"}'
                head = f"content-type: application/json\r\nx-request-id: gone\r\ncontent-length: {len(body)}\r\n\r\n"
                caller.sendall(b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\n" + head.encode() + body)
                wait_until_under_way(server, door)
            door.terminate()
            assert door.wait() == 0
        server.terminate()
        assert server.wait() == 0
        ends = {record.get("request_id"): record.get("status") for record in server.records()}
    assert ends["gone"] == "CANCELLED"


def test_a_call_under_way_is_finished() -> None:
    with ServerProcess.stub(max_calls=1) as server, ServerProcess.door(server.address) as door:
        thread, answers = begin(door.address, {"user_id": "slow-3000"}, "last")
        wait_until_under_way(server, door)
        door.terminate()
        assert door.wait() == 0
        thread.join()
    assert (answers[0].status, answers[0].body["request_id"]) == (200, "last")


def test_a_call_that_outlasts_the_grace_is_told_so() -> None:
    with ServerProcess.stub(max_calls=1) as server, ServerProcess.door(server.address, grace_seconds=0.2) as door:
        thread, answers = begin(door.address, SLOW, "late")
        wait_until_under_way(server, door)
        door.terminate(signal.SIGINT)
        assert door.wait() == 0
        thread.join()
    assert (answers[0].status, answers[0].reason) == (503, "STOPPING")


def test_health_says_first_that_the_door_will_close(stub_server: ServerProcess) -> None:
    with ServerProcess.door(stub_server.address, drain_delay_seconds=3.0) as door:
        door.terminate()
        while (health := get(door.address, "/healthz")).status == 200:
            pass
        assert (health.status, health.body) == (503, {"status": "NOT_SERVING"})
        answer = post(door.address, "/v1/recommend", {"user_id": "even"})
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert door.wait() == 0
        with pytest.raises(ConnectionError):
            post(door.address, "/v1/recommend", {"user_id": "even"})


def test_a_stop_under_load_fails_no_call_that_was_begun(stub_server: ServerProcess) -> None:
    outcomes: Counter[int | str] = Counter()
    answered = threading.Barrier(17)

    def call_on() -> None:
        connection = connect(door.address)
        ask(connection, "/v1/recommend", {"user_id": "slow-50"})
        answered.wait(20)
        try:
            while True:
                outcomes[ask(connection, "/v1/recommend", {"user_id": "slow-50"}).status] += 1
        except (ConnectionError, http.client.RemoteDisconnected):
            outcomes["closed"] += 1
        finally:
            connection.close()

    with ServerProcess.door(stub_server.address, drain_delay_seconds=0.3) as door:
        callers = [threading.Thread(target=call_on) for _ in range(16)]
        for caller in callers:
            caller.start()
        answered.wait(20)
        door.terminate()
        assert door.wait() == 0
        for caller in callers:
            caller.join()
    assert set(outcomes) == {200, "closed"}, outcomes
    assert outcomes["closed"] == 16


def test_the_door_ends_with_its_parent(stub_server: ServerProcess) -> None:
    code = (
        "import os, sys\nfrom recocore.service.door import HttpConfig, run_door\n"
        "run_door(HttpConfig(), sys.argv[1], announce=lambda bound: print(bound, flush=True), stop_when_readable=0)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, stub_server.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as door:
        assert door.stdin is not None
        assert door.stdout is not None
        assert get(door.stdout.readline().strip(), "/healthz").status == 200
        door.stdin.close()
        assert door.wait(20) == 0


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that the system gives to nobody else while the test runs: bound, and not listened to."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_opens_a_door_beside_its_workers(tmp_path: Path, free_port: int, workers: int) -> None:
    small_index(Popularity()).save(tmp_path / "index")
    options = ("--workers", str(workers), "--http-port", str(free_port))
    with ServerProcess.command(tmp_path / "index", *options) as server:
        address = f"127.0.0.1:{free_port}"
        assert get(address, "/healthz").body == {"status": "SERVING"}
        answer = post(address, "/v1/recommend", {"user_id": "user-00", "page_size": 3})
        assert (answer.status, len(answer.body["items"])) == (200, 3)
        server.terminate()
        assert server.wait() == 0
        with pytest.raises(ConnectionError):
            get(address, "/healthz")


def test_a_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    small_index(Popularity()).save(tmp_path / "index")
    with open_port(HttpConfig()) as taken:
        config = HttpConfig(port=taken.getsockname()[1])
        with pytest.raises(InvalidArgumentError, match=r"cannot listen on 127\.0\.0\.1:") as caught:
            serve(tmp_path / "index", port=0, http=config)
    assert caught.value.field == "http.port"


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with open_port(HttpConfig()) as listener:
        # asyncio looks at this before it sets TCP_NODELAY, without which each answer but the first takes 40 ms longer.
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_what_is_not_installed_is_named_with_the_command(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnsupportedError, match=rf"{library}: expected .* pip install 'recocore\[http\]'"):
        open_port(HttpConfig())


def test_the_package_is_imported_without_the_libraries() -> None:
    code = "import sys; import recocore.service.door; print([name for name in ('starlette', 'uvicorn') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("host", "target"),
    [("0.0.0.0", "127.0.0.1:7"), ("::", "[::1]:7"), ("10.0.0.3", "10.0.0.3:7"), ("localhost", "localhost:7")],
)
def test_where_a_service_is_reached(host: str, target: str) -> None:
    assert reachable(host, 7) == target
