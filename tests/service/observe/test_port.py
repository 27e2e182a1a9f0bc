"""The metrics port of a real service over a real socket."""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.service.observe.test_rates import status
from tests.service.watched import WatchedProcess, until

from recocore.client import Client, ServiceError
from recocore.service.observe.config import MetricsConfig
from recocore.service.observe.port import MetricsPort
from recocore.service.observe.readings import take_reading


def folder_of(server: WatchedProcess) -> Path:
    """Where a server's workers count."""
    maps = Path(f"/proc/{server.report()['workers'][0]['pid']}/maps").read_text(encoding="utf-8")
    [board] = {line.split()[-1] for line in maps.splitlines() if line.endswith(".board")}
    return Path(board).parent


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name by their labels' values, in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_calls_of_all_workers_are_counted(watched: WatchedProcess) -> None:
    before = values(watched.ask("/metrics").body, "recocore_calls_total")
    for number in range(12):
        # A connection each: they spread over the workers.
        with Client(watched.address, timeout=20, options=(("grpc.use_local_subchannel_pool", 1),)) as client:
            client.recommend("user-00")
            client.score("user-00", ["10"])
            with pytest.raises(ServiceError):
                client.recommend("" if number else "x" * 300)
    after = values(watched.ask("/metrics").body, "recocore_calls_total")
    growth = {key: value - before.get(key, 0.0) for key, value in after.items()}
    assert growth["Recommend", "OK"] == growth["Score", "OK"] == growth["Recommend", "INVALID_ARGUMENT"] == 12
    text = watched.ask("/metrics").body
    assert values(text, "recocore_call_duration_seconds_count")["Score",] == after["Score", "OK"]
    assert values(text, "recocore_calls_in_flight") == {(): 0.0}


def test_calls_turned_away_and_given_up_are_counted_and_leave_nothing(saved: Path) -> None:
    users = [f"user-{number % 30:02}" for number in range(1000)]
    outcomes: Counter[str] = Counter()

    def call(number: int) -> str:
        try:
            # Half of the callers give up before they have had a thread.
            client.batch_recommend(users, 20, timeout=20 if number % 2 else 0.02)
        except ServiceError as error:
            return error.status
        return "OK"

    with WatchedProcess.watch(saved, server="threads=1, max_calls=6") as server:
        with Client(server.address, timeout=20, retries=0) as client, ThreadPoolExecutor(16) as pool:
            client.wait_until_ready()
            outcomes.update(pool.map(call, range(64)))
        report = server.until(lambda report: report["live"]["in_flight"] == report["live"]["queued"] == 0)
        metrics = server.ask("/metrics").body
    counted = {key[1]: value for key, value in values(metrics, "recocore_calls_total").items()}
    assert set(outcomes) == {"OK", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}, outcomes
    # An answer that comes as its caller gives up is one thing to the server and another to the caller.
    assert counted["OK"] >= outcomes["OK"]
    assert counted["RESOURCE_EXHAUSTED"] >= outcomes["RESOURCE_EXHAUSTED"]
    assert sum(counted.values()) <= 64
    assert values(metrics, "recocore_calls_shed_total") == {("TOO_MANY_CALLS",): counted["RESOURCE_EXHAUSTED"]}
    assert report["totals"]["shed"] == counted["RESOURCE_EXHAUSTED"]


def test_readiness_and_health(watched: WatchedProcess) -> None:
    assert watched.ask("/readyz")[::2] == (200, "ready\n")
    assert watched.ask("/healthz")[::2] == (200, "alive\n")


def test_the_status_has_workers_and_models(watched: WatchedProcess, saved: Path) -> None:
    report = watched.report()
    manifest = json.loads((saved / "manifest.json").read_text(encoding="utf-8"))
    assert (report["address"], report["ready"]) == (watched.address, True)
    assert [worker["state"] for worker in report["workers"]][:2] == ["serving", "serving"]
    assert all(
        worker["usage"]["resident_bytes"] > worker["usage"]["private_bytes"] > 2**20 for worker in report["workers"]
    )
    assert [(model["alias"], model["version"], model["model"], model["state"]) for model in report["models"]] == [
        ("stable", manifest["version"], manifest["model"]["name"], "ready")
    ]
    assert report["processes"]["supervisor"]["cpu_seconds"] > 0


def test_rates_come_and_go(watched: WatchedProcess) -> None:
    with Client(watched.address, timeout=20) as client:
        client.similar_items(["10"])
    report = watched.until(lambda report: len(report["curves"]) > 1)
    [method] = [each for each in report["methods"] if each["method"] == "SimilarItems"]
    assert method["calls"] >= 1
    assert set(report["curves"][-1]) >= {"calls_per_second", "p99_seconds", "fault_share"}


def test_try_it_answers_as_the_service_does(watched: WatchedProcess) -> None:
    tried = json.loads(watched.ask("/try?user=user-03&count=5").body)
    with Client(watched.address, timeout=20) as client:
        told = client.recommend("user-03", 5, explain=True)
    assert [item["item_id"] for item in tried["items"]] == [item.item_id for item in told.items]
    assert [item["score"] for item in tried["items"]] == [item.score for item in told.items]
    assert tried["items"][0]["reasons"][0]["item_id"] == told.items[0].reasons[0].item_id
    assert (tried["known"], tried["served_model"]) == (True, told.served_model)


@pytest.mark.parametrize("user", ["nobody", "<script>alert(1)</script>", "a&user=b", "é\x00\n"])
def test_try_it_takes_any_id(watched: WatchedProcess, user: str) -> None:
    answer = watched.ask(f"/try?user={quote(user, safe='')}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert json.loads(answer.body)["known"] is False


def test_try_it_says_what_the_service_refuses(watched: WatchedProcess) -> None:
    error = json.loads(watched.ask("/try?user=").body)["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert "user_id" in error["message"]


@pytest.mark.parametrize(
    "query", ["", "user=a&user=b", "user=a&count=0", "user=a&count=51", "user=a&count=x", "count=5"]
)
def test_try_it_refuses_other_questions(watched: WatchedProcess, query: str) -> None:
    assert watched.ask(f"/try?{query}").status == 400


def test_try_it_can_be_off(saved: Path) -> None:
    with WatchedProcess.watch(saved, metrics="try_it=False, allowed_hosts=('shop.example',)") as server:
        assert server.ask("/try?user=user-00").status == 403
        assert server.report()["try_it"] is False
        assert server.ask("/healthz", Host="shop.example:80").status == 200
        assert server.ask("/healthz", Host="other.example").status == 403


@pytest.mark.parametrize("path", ["/", "/metrics", "/status.json", "/try?user=user-00", "/healthz"])
def test_a_foreign_name_is_refused(watched: WatchedProcess, path: str) -> None:
    """A page of evil.example that points its name at this port would otherwise read it."""
    for host in (
        "evil.example",
        "evil.example:9464",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::1",
        "a b",
    ):
        answer = watched.ask(path, Host=host)
        assert (answer.status, "allowed_hosts" in answer.body) == (403, True), host
    for host in ("localhost", "127.0.0.1:1", "[::1]:9464", "10.0.0.7", "LOCALHOST:80"):
        assert watched.ask(path, Host=host).status == 200, host


def test_another_site_may_not_make_the_service_work(watched: WatchedProcess) -> None:
    assert watched.ask("/try?user=user-00", Sec_Fetch_Site="cross-site").status == 403
    assert watched.ask("/try?user=user-00", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_changes_anything(watched: WatchedProcess, method: str) -> None:
    assert watched.ask("/status.json", method=method).status == 501


@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing", "/status.json"])
def test_headers_keep_browsers_in_bounds(watched: WatchedProcess, path: str) -> None:
    headers = watched.ask(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_head_is_get_without_a_body(watched: WatchedProcess) -> None:
    connection = http.client.HTTPConnection(urlsplit(watched.url).netloc, timeout=20)
    for _ in range(2):  # on one connection: the second would stumble over a body
        connection.request("HEAD", "/healthz")
        answer = connection.getresponse()
        assert (answer.status, answer.read(), answer.headers["Content-Length"]) == (200, b"", "6")
    connection.close()


@pytest.mark.parametrize(
    "sent",
    [b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" * 50, b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n"],
)
def test_nonsense_is_survived(watched: WatchedProcess, sent: bytes) -> None:
    where = urlsplit(watched.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    assert watched.ask("/healthz").status == 200


def test_more_connections_than_places_are_closed(watched: WatchedProcess) -> None:
    where = urlsplit(watched.url)
    held = [socket.create_connection((where.hostname, where.port), timeout=20) for _ in range(80)]
    for connection in held:
        connection.setblocking(False)
    readable, _, _ = select.select(held, [], [], 10)
    for connection in held:
        connection.close()
    assert readable
    watched.until(lambda report: report["ready"])


def test_the_page_process_carries_no_numeric_libraries() -> None:
    """Nor gRPC, until somebody tries the service: it is to be small beside the workers."""
    code = "import sys, recocore.service.observe.page_process; print({'numpy', 'pyarrow', 'grpc'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "set()"


def test_a_port_beyond_this_machine_is_warned_of(saved: Path) -> None:
    plaintext = "security=Security(TlsConfig(allow_plaintext=True))"
    with WatchedProcess.watch(saved, metrics="host='0.0.0.0'", more=plaintext) as server:
        [encryption, asking] = [record for record in server.records() if record["level"] == "warning"]
        assert (encryption["setting"], "without encryption" in encryption["event"]) == ("metrics.host", True)
        assert "whoever reaches the metrics port" in asking["event"]


def test_a_status_that_cannot_be_written_is_logged_once_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with MetricsPort(MetricsConfig()) as port, caplog.at_level("ERROR", "recocore.service"):
        folder = Path(port.board("worker-0")).parent
        port.show(status("serving"))
        shutil.rmtree(folder)
        for _ in range(3):
            port.show(status("serving", "serving"))
        assert [record.getMessage() for record in caplog.records] == ["the metrics port is not kept up to date"]
        folder.mkdir()
        port.show(status("serving", "serving"))
        assert len(take_reading(folder, 1).status.workers) == 2


def test_nothing_is_left_behind(saved: Path) -> None:
    with WatchedProcess.watch(saved, workers=2) as server:
        folder = folder_of(server)
        workers = {"worker-0", "worker-1", "worker-2"}  # the last one stands by
        report = server.until(lambda report: [each["state"] for each in report["workers"]].count("standby") == 1)
        boards = {f"{name}.board" for name in (*workers, "service")}
        assert {path.name for path in folder.iterdir()} - {"status.new"} == {*boards, "status.json"}
        assert set(report["processes"]) == {*workers, "supervisor", "page"}
        server.terminate()
        assert server.wait() == 0, server.log()
    assert not folder.exists()


def test_the_page_process_does_not_outlive_its_parent(saved: Path) -> None:
    with WatchedProcess.watch(saved) as server:
        where, folder = urlsplit(server.url), folder_of(server)
        server.terminate(signal.SIGKILL)
        server.wait()
        until(lambda: not folder.exists() and not _answers(where.hostname, where.port))


def test_a_page_process_that_dies_comes_back(saved: Path) -> None:
    """On the same port, with the counts that it had; no call is lost."""
    with WatchedProcess.watch(saved) as server, Client(server.address, timeout=20) as client:
        client.recommend("user-00")
        where = urlsplit(server.url)
        children = _children(server.process.pid)
        [page] = [pid for pid in children if _listens(pid, where.port or 0)]
        os.kill(page, signal.SIGKILL)
        client.recommend("user-00")
        until(lambda: page not in _children(server.process.pid))
        until(lambda: _answers(where.hostname, where.port))
        until(lambda: server.report()["totals"]["calls"] == 2)
        server.terminate()
        assert server.wait() == 0, server.log()


def test_a_taken_port_is_refused(saved: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "recocore.cli", "serve", str(saved), "--port", "0", "--metrics-port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"metrics.port: cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr


def _answers(host: str | None, port: int | None) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def _listens(pid: int, port: int) -> bool:
    """Whether a process has the socket that listens on a port."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
    return any(link == f"socket:[{inode}]" for link in links for inode in inodes)
