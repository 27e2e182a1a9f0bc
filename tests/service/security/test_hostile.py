"""Callers that mean harm: floods, messages that are too large, readers and writers that are too slow, headers without end.

Each is met by a real server whose memory is watched, and whose honest callers go on.
"""

from __future__ import annotations

import re
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from recocore.v1 import recommendation_service_pb2 as v1
from tests.service.security.secured import Secured, serve
from tests.service.small_index import small_index
from tests.service.watched import until

from recocore.client import Client
from recocore.models import Popularity
from recocore.service.limits import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.server_process import ServerProcess

RECOMMEND = "/recocore.v1.RecommendationService/Recommend"
SIMILAR_ITEMS = "/recocore.v1.RecommendationService/SimilarItems"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
# What a worker may take more than before, whoever calls: connections, streams and the garbage of refusals.
MOST_GROWTH = 48 << 20
CONNECTIONS = 64


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    folder = tmp_path_factory.mktemp("hostile")
    small_index(Popularity()).save(folder / "index")
    return Secured.make(folder, "caller")


@pytest.fixture(scope="module")
def server(secured: Secured) -> Iterator[ServerProcess]:
    limits = {"max_connections": CONNECTIONS, "max_streams": 100, "log_level": "info"}
    with serve(secured.config(server=limits), str(secured.folder / "index")) as server:
        until(lambda: bool(server.serving()))
        yield server


@pytest.fixture(autouse=True)
def bounded(server: ServerProcess, secured: Secured) -> Iterator[None]:
    """Before and after each test an honest caller is served; meanwhile the worker has grown by no more than it may."""
    [worker] = server.serving()
    ask(server, secured)
    before = resident(worker)
    yield
    assert server.serving() == [worker]
    until(lambda: answered(server, secured))
    # gRPC lets go of what it had read of a connection (60 MB seen) up to half a second after that has ended.
    until(lambda: resident(worker) - before < MOST_GROWTH)


def resident(pid: int) -> int:
    """Private memory, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"RssAnon:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) * 1024


def ask(server: ServerProcess, secured: Secured) -> None:
    options = (("grpc.use_local_subchannel_pool", 1),)
    with Client(server.address, timeout=20, api_key=secured.keys["caller"], options=options) as client:
        assert client.recommend("user-00").items


def answered(server: ServerProcess, secured: Secured) -> bool:
    try:
        ask(server, secured)
    except Exception:
        return False
    return True


def connect(server: ServerProcess) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    made = socket.create_connection((host, int(port)), timeout=20)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def read_frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Kinds and payloads of what the server sends, until it hangs up."""
    buffer = b""
    while True:
        while len(buffer) >= 9 and len(buffer) >= 9 + (length := int.from_bytes(buffer[:3], "big")):
            yield buffer[3], buffer[9 : 9 + length]
            buffer = buffer[9 + length :]
        try:
            data = connection.recv(65_536)
        except ConnectionError:
            return
        if not data:
            return
        buffer += data


def statuses(calls: list[Any]) -> set[str]:
    return {call.code().name for call in calls}


def test_a_flood_of_large_messages_of_strangers_is_refused_unread(server: ServerProcess) -> None:
    request = v1.RecommendRequest(user_id="user-00", exclude_item_ids=["x" * 250] * 10_000).SerializeToString()
    assert 2 << 20 < len(request) < MAX_MESSAGE_BYTES
    with grpc.insecure_channel(server.address, options=(("grpc.max_send_message_length", -1),)) as channel:
        raw: Any = channel.unary_unary(RECOMMEND)
        for _ in range(5):
            assert statuses([raw.future(request, timeout=60) for _ in range(60)]) == {"UNAUTHENTICATED"}


def test_messages_that_are_too_large_are_refused(server: ServerProcess, secured: Secured) -> None:
    request = b"\x0a\xff\xff\xff\x03" + b"x" * (8 << 20)
    metadata = (("x-api-key", secured.keys["caller"]),)
    with grpc.insecure_channel(server.address, options=(("grpc.max_send_message_length", -1),)) as channel:
        raw: Any = channel.unary_unary(RECOMMEND)
        calls = [raw.future(request, timeout=60, metadata=metadata) for _ in range(20)]
        assert statuses(calls) == {"RESOURCE_EXHAUSTED"}


def test_a_message_that_unpacks_to_much_more_is_refused(server: ServerProcess, secured: Secured) -> None:
    request = b"\x0a\x80\x80\x80\x10" + b"x" * (32 << 20)
    metadata = (("x-api-key", secured.keys["caller"]),)
    options = (("grpc.max_send_message_length", -1),)
    with grpc.insecure_channel(server.address, options=options) as channel:
        raw: Any = channel.unary_unary(RECOMMEND)
        calls = [
            raw.future(request, timeout=60, metadata=metadata, compression=grpc.Compression.Gzip) for _ in range(3)
        ]
        assert statuses(calls) == {"RESOURCE_EXHAUSTED"}


def test_headers_without_end_are_refused(server: ServerProcess) -> None:
    with grpc.insecure_channel(server.address) as channel:
        raw: Any = channel.unary_unary(RECOMMEND)
        for metadata in (
            (("x-large", "x" * 40_000),),
            tuple((f"x-{number}", "y" * 100) for number in range(500)),
            (("authorization", "Bearer " + "e" * 20_000),),
        ):
            assert raw.future(b"", timeout=20, metadata=metadata).code().name in {"RESOURCE_EXHAUSTED", "UNAVAILABLE"}


def test_a_block_of_headers_that_never_ends_takes_no_memory(server: ServerProcess) -> None:
    """CONTINUATION frames without their last (VU#421644), 100 MB of them: read on and thrown away, or the connection ends."""
    with connect(server) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(1, 0, 1, b""))
        # A field without indexing, its name and its value each a length and so many characters.
        chunk = frame(9, 0, 1, b"\x00\x01a\x64" + b"b" * 100) * 500
        with suppress(ConnectionError):
            for _ in range(1_800):
                connection.sendall(chunk)


def test_who_pings_all_the_time_is_told_to_go(server: ServerProcess) -> None:
    with connect(server) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(PING, 0, 0, b"12345678") * 50)
        goaway = [payload for kind, payload in read_frames(connection) if kind == GOAWAY]
    assert any(payload[8:] == b"too_many_pings" for payload in goaway)


def test_connections_beyond_the_most_are_closed_and_the_others_go_on(server: ServerProcess, secured: Secured) -> None:
    with Client(server.address, timeout=20, api_key=secured.keys["caller"]) as client, ExitStack() as opened:
        assert client.recommend("user-00").items
        many = [opened.enter_context(connect(server)) for _ in range(2 * CONNECTIONS)]
        closed = 0
        for connection in many:
            connection.settimeout(0.2)
            try:
                connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
                closed += connection.recv(1) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                closed += 1
        assert closed >= CONNECTIONS
        assert client.recommend("user-00").items


def test_who_sends_half_of_a_greeting_is_let_go(server: ServerProcess) -> None:
    with ExitStack() as opened:
        slow = [opened.enter_context(connect(server)) for _ in range(10)]
        for connection in slow:
            connection.sendall(PREFACE[:5])
        for connection in slow:
            # After the handshake's 10 s, of gRPC's own 120.
            connection.settimeout(30)
            assert list(read_frames(connection)) is not None


def test_a_reader_that_does_not_read_holds_one_answer_at_most(server: ServerProcess, secured: Secured) -> None:
    template = v1.RecommendRequest(page_size=500)
    first = v1.StreamRecommendRequest(user_ids=[f"user-{n:02}" for n in range(30)] * 30, template=template)
    sent = [0]

    def requests() -> Iterator[bytes]:
        yield first.SerializeToString()
        following = v1.StreamRecommendRequest(user_ids=first.user_ids).SerializeToString()
        for _ in range(2_000):
            sent[0] += 1
            yield following

    metadata = (("x-api-key", secured.keys["caller"]),)
    with ExitStack() as opened:
        for _ in range(8):
            channel = opened.enter_context(
                grpc.insecure_channel(server.address, options=(("grpc.use_local_subchannel_pool", 1),))
            )
            raw: Any = channel.stream_stream("/recocore.v1.RecommendationService/StreamRecommend")
            call = raw(requests(), timeout=60, metadata=metadata)
            opened.callback(call.cancel)
            next(call)  # and no more
        ask(server, secured)
        # The transport's windows fill up, and then nobody reads what these streams ask.
        assert sent[0] < 8 * 2_000


def test_a_flood_of_calls_of_strangers_does_not_fill_the_audit_log(server: ServerProcess, secured: Secured) -> None:
    def flood(_: int) -> set[str]:
        with grpc.insecure_channel(server.address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
            raw: Any = channel.unary_unary(SIMILAR_ITEMS)
            # All at once they stay below what the transport lets wait.
            return {code for _ in range(25) for code in statuses([raw.future(b"", timeout=60) for _ in range(40)])}

    with ThreadPoolExecutor(3) as threads:
        assert set().union(*threads.map(flood, range(3))) == {"UNAUTHENTICATED"}

    def lines() -> list[dict[str, Any]]:
        return [line for line in secured.lines() if line.get("method") == SIMILAR_ITEMS]

    # Every one of them is accounted for, in fewer lines.
    until(lambda: sum(line.get("count", 1) for line in lines()) == 3_000)
    seconds = {line["time"][:19] for line in lines()}
    assert len([line for line in lines() if line["event"] == "denied"]) <= 100 * (len(seconds) + 1)
