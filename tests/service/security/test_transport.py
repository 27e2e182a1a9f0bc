"""What is encrypted, what is refused, and certificates that change while the service serves."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from tests.service.security.certificates import Authority, Files
from tests.service.security.whole import Ports, trusting
from tests.service.small_index import small_index
from tests.service.watched import until

from recocore.addresses import is_loopback
from recocore.client import Client, ServiceError
from recocore.errors import InvalidArgumentError
from recocore.models import Popularity
from recocore.service import ServerConfig
from recocore.service import serve as run_service
from recocore.service.door.config import HttpConfig
from recocore.service.observe.config import MetricsConfig
from recocore.service.security.config import AuditConfig, AuthConfig, Security, TlsConfig
from recocore.service.security.tls import HttpsContext, Reloading, check_files, read_pair
from recocore.service.security.transport import check_transport

if TYPE_CHECKING:
    from pathlib import Path


TLS = TlsConfig("c", "k")


@pytest.mark.parametrize(
    ("security", "hosts", "control", "said"),
    [
        (Security(), ("0.0.0.0", "127.0.0.1", "127.0.0.1"), False, "server.host: expected a loopback address"),
        (Security(), ("127.0.0.1", "::", "127.0.0.1"), False, "http.host: expected a loopback address"),
        (Security(), ("127.0.0.1", "127.0.0.1", "10.1.2.3"), False, "metrics.host: expected a loopback address"),
        (Security(), ("127.example.com", "127.0.0.1", "127.0.0.1"), False, "server.host: expected a loopback address"),
        (
            Security(TlsConfig(allow_plaintext=True)),
            ("0.0.0.0", "::1", "::1"),
            True,
            "models.control: expected a loopback",
        ),
        (Security(TLS), ("0.0.0.0", "::1", "::1"), True, "models.control: expected a loopback host"),
        (
            Security(TlsConfig("c", "k", "ca")),
            ("::1", "::1", "::1"),
            False,
            "tls.own_certificate_file: expected a certif",
        ),
        (Security(auth=AuthConfig(enabled=True)), ("::1", "::1", "::1"), False, "auth.enabled: expected a way to know"),
        (
            Security(audit=AuditConfig("audit")),
            ("::1", "::1", "::1"),
            False,
            "server.pseudonym_key_file: expected a key",
        ),
    ],
)
def test_what_would_be_open_is_refused(
    security: Security, hosts: tuple[str, str, str], control: bool, said: str
) -> None:
    server, http = ServerConfig(host=hosts[0]), HttpConfig(host=hosts[1], port=1)
    with pytest.raises(InvalidArgumentError) as caught:
        check_transport(security, server, http, MetricsConfig(enabled=True, host=hosts[2]), control=control)
    assert str(caught.value).startswith(said)
    assert said.startswith(caught.value.field)


def test_what_is_allowed() -> None:
    far, near = ServerConfig(host="0.0.0.0"), ServerConfig(host="localhost")
    off = MetricsConfig()
    keys = AuthConfig(enabled=True, api_keys_file="keys")
    assert check_transport(Security(), near, None, off, control=True) == ()
    assert check_transport(Security(TlsConfig(allow_plaintext=True)), far, None, off, control=False) == ("server.host",)
    assert check_transport(Security(TLS, keys), far, None, off, control=True) == ()
    # Of a port that is not opened the host does not matter.
    assert check_transport(Security(), near, HttpConfig(host="::"), MetricsConfig(host="::"), control=False) == ()


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LOCALHOST", True),
        ("127.evil.example", False),
        ("localhost.evil.example", False),
        ("::1234", False),
        ("::ffff:10.0.0.1", False),
        ("", False),
    ],
)
def test_which_hosts_stay_on_this_machine(host: str, near: bool) -> None:
    assert is_loopback(host) is near


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"certificate_file": "c"}, "tls.key_file"),
        ({"key_file": "k"}, "tls.certificate_file"),
        ({"client_ca_file": "ca"}, "tls.certificate_file"),
        ({"certificate_file": "c", "key_file": "k", "own_certificate_file": "o"}, "tls.own_key_file"),
        ({"own_certificate_file": "o", "own_key_file": "k"}, "tls.certificate_file"),
    ],
)
def test_settings_of_tls_belong_together(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        TlsConfig(**settings)
    assert caught.value.field == field


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")

    def config(certificate: Path, key: Path, ca: Path | None = None) -> TlsConfig:
        return TlsConfig(str(certificate), str(key), str(ca or ""))

    assert check_files(config(one.certificate, one.key)).startswith("certificate for localhost, 127.0.0.1 until 20")
    for wrong, said in (
        (config(one.certificate, other.key), "expected the certificate of the private key beside it, got another"),
        (config(one.key, one.key), "tls.certificate_file: expected certificates as PEM"),
        (config(one.certificate, one.certificate), "expected a file closed to others, got mode"),
        (config(one.certificate, one.key, one.key), "tls.client_ca_file: expected certificates as PEM"),
    ):
        with pytest.raises(InvalidArgumentError, match=said) as caught:
            check_files(wrong)
        assert "PRIVATE" not in str(caught.value)
    one.key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    with pytest.raises(InvalidArgumentError, match="expected a private key as PEM without a passphrase") as caught:
        check_files(config(one.certificate, one.key))
    assert "c2VjcmV0" not in str(caught.value)


def test_what_changed_and_cannot_be_used_leaves_the_last_in_use(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("one")
    config = TlsConfig(str(files.certificate), str(files.key))
    following = Reloading((config.certificate_file, config.key_file), lambda: read_pair(config), "it")
    first = following.value
    assert not following.look()
    files.certificate.write_bytes(b"nonsense")
    assert not following.look()
    assert not following.look()
    assert following.value is first
    authority.issue("one")
    assert following.look()
    assert following.value.chain != first.chain


@pytest.mark.parametrize("options", [("--check",), ()])
def test_the_command_line_says_the_next_step(tmp_path: Path, options: tuple[str, ...]) -> None:
    small_index(Popularity()).save(tmp_path / "index")
    command = [
        sys.executable,
        "-m",
        "recocore.cli",
        "serve",
        str(tmp_path / "index"),
        "--host",
        "0.0.0.0",
        "--port",
        "0",
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = " ".join((done.stdout + done.stderr).split())
    assert "tls.allow_plaintext" in said if not options else "wrong" in said


def test_serve_refuses_before_anything_listens(tmp_path: Path) -> None:
    small_index(Popularity()).save(tmp_path / "index")
    with pytest.raises(InvalidArgumentError, match="expected a loopback address, since nothing is encrypted"):
        run_service(tmp_path / "index", host="0.0.0.0", port=0)


def shown(port: int, context: ssl.SSLContext) -> tuple[str | None, int]:
    """The version of TLS, and the serial number of the certificate that a port shows."""
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted_,
    ):
        der = encrypted_.getpeercert(binary_form=True)
        assert der is not None
        return encrypted_.version(), x509.load_der_x509_certificate(der).serial_number


def test_every_port_speaks_tls_1_3_and_nothing_less(ports: Ports, authority: Authority) -> None:
    for port in (ports.grpc, ports.door, ports.page):
        assert shown(port, trusting(authority))[0] == "TLSv1.3"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shown(port, trusting(authority, version=ssl.TLSVersion.TLSv1_2))
        # Who does not trust its authority does not talk to it.
        with pytest.raises(ssl.SSLCertVerificationError):
            shown(port, ssl.create_default_context())


def test_plain_text_gets_no_answer(ports: Ports) -> None:
    with Client(ports.server.address, timeout=20, retries=0) as client, pytest.raises(ServiceError) as caught:
        client.recommend("user-00")
    assert caught.value.status == "UNAVAILABLE"
    for port in (ports.door, ports.page):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            try:
                while data := plain.recv(4_096):
                    answer += data
            except ConnectionError:
                pass
            assert b"HTTP/1.1 200" not in answer


def test_the_client_and_the_door_carry_credentials(ports: Ports, authority: Authority) -> None:
    key = ports.secured.keys["caller"]
    with Client(ports.server.address, ca=authority.path, api_key=key, timeout=20, retries=0) as client:
        assert client.recommend("user-00").items
    token = ports.secured.issuer.token("caller")
    with Client(ports.server.address, ca=authority.path, token=lambda: token, timeout=20, retries=0) as client:
        assert list(client.recommend_stream(["user-00"]))
    context = trusting(authority)
    body, kind = b'{"userId": "user-00"}', "application/json"
    for credential in ({"x_api_key": key}, {"authorization": f"Bearer {token}"}):
        status, text = ports.get(ports.door, "/v1/recommend", context, body, content_type=kind, **credential)
        assert (status, bool(json.loads(text)["items"])) == (200, True)
    assert ports.get(ports.door, "/v1/recommend", context, body, content_type=kind)[0] == 401
    operator = ports.secured.keys["operator"]
    assert ports.get(ports.door, "/v1/recommend", context, body, content_type=kind, x_api_key=operator)[0] == 403
    assert ports.get(ports.door, "/healthz", context)[0] == 200


def test_the_page_counts_denials_and_has_no_leave_of_its_own(ports: Ports, authority: Authority) -> None:
    context = trusting(authority)
    with Client(ports.server.address, ca=authority.path, timeout=20, retries=0) as client, pytest.raises(ServiceError):
        client.recommend("user-00")
    until(
        lambda: 'recocore_calls_denied_total{reason="no_credential"}' in ports.get(ports.page, "/metrics", context)[1]
    )
    status, text = ports.get(ports.page, "/try?user=user-00", context)
    assert (status, json.loads(text)["error"]["status"]) == (200, "UNAUTHENTICATED")


def test_a_new_certificate_is_shown_while_it_serves_and_no_call_is_lost(
    ports: Ports, folder: Path, authority: Authority
) -> None:
    key, context = ports.secured.keys["caller"], trusting(authority)
    before = {port: shown(port, trusting(authority))[1] for port in (ports.grpc, ports.door, ports.page)}
    stop, failed, answered = threading.Event(), [], [0]
    body, kind = b'{"userId": "user-00"}', "application/json"

    def ask() -> None:
        while not stop.is_set():
            # Each with a connection of its own, and so a handshake.
            options = (("grpc.use_local_subchannel_pool", 1),)
            try:
                with Client(
                    ports.server.address, ca=authority.path, api_key=key, timeout=20, retries=0, options=options
                ) as client:
                    client.recommend("user-00")
                status, text = ports.get(ports.door, "/v1/recommend", context, body, content_type=kind, x_api_key=key)
                assert status == 200, text
            except (ServiceError, AssertionError, OSError) as error:
                failed.append(error)
            answered[0] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: answered[0] > 2)
    # Half of a renewal: the key is of another certificate. What was shown before stays.
    (folder / "server.key").write_bytes((authority.issue("another").key).read_bytes())
    until(lambda: len(ports.server.log().split("the last stays in use")) > 2)
    assert {port: shown(port, trusting(authority))[1] for port in before} == before
    authority.issue("server")
    until(lambda: all(shown(port, trusting(authority))[1] != serial for port, serial in before.items()))
    count = answered[0]
    until(lambda: answered[0] > count + 2)
    stop.set()
    asking.join()
    assert failed == []


def greeted(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> bool:
    """Whether the two shake hands, without a network between them."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=host)
    left = [theirs, ours]
    for _ in range(10):
        for side in tuple(left):
            try:
                side.do_handshake()
                left.remove(side)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
        if not left:
            return True
    return False


@pytest.mark.parametrize("host", ["localhost", None])
def test_whom_an_http_port_trusts_follows_the_file(tmp_path: Path, host: str | None) -> None:
    house, first, second = (Authority(tmp_path, name) for name in ("house", "first", "second"))
    trusted, own = tmp_path / "trusted.pem", house.issue("server")
    trusted.write_bytes(first.path.read_bytes())
    followed = HttpsContext(TlsConfig(str(own.certificate), str(own.key), str(trusted)))

    def gets_in(authority: Authority | None) -> bool:
        context = ssl.create_default_context(cafile=str(house.path))
        context.check_hostname = host is not None
        if authority is not None:
            caller = authority.issue("caller", uri="spiffe://shop/front")
            context.load_cert_chain(caller.certificate, caller.key)
        return greeted(followed.context, context, host)

    assert (gets_in(first), gets_in(second), gets_in(None)) == (True, False, False)
    trusted.write_bytes(first.path.read_bytes() + second.path.read_bytes())
    followed.look()
    assert (gets_in(first), gets_in(second)) == (True, True)
    trusted.write_bytes(second.path.read_bytes())
    followed.look()
    assert (gets_in(first), gets_in(second), gets_in(None)) == (False, True, False)
    trusted.write_bytes(b"nonsense")
    followed.look()
    assert (gets_in(first), gets_in(second)) == (False, True)


def test_without_a_certificate_there_is_no_connection(mutual: Ports, authority: Authority, folder: Path) -> None:
    key = mutual.secured.keys["caller"]
    strangers = Authority(folder, "strangers").issue("stranger", uri="spiffe://shop/front")
    none: dict[str, Any] = {}
    for more in (none, {"certificate": strangers.certificate, "key": strangers.key}):
        client = Client(mutual.server.address, ca=authority.path, api_key=key, timeout=2, retries=0, **more)
        with client, pytest.raises(ServiceError) as caught:
            client.recommend("user-00")
        assert caught.value.status in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    for port in (mutual.door, mutual.page):
        with pytest.raises(OSError):  # noqa: PT011  (which one depends on who closes first)
            mutual.get(port, "/healthz", trusting(authority))


def test_a_certificate_says_who_calls_and_a_key_says_it_instead(
    mutual: Ports, authority: Authority, callers: Authority
) -> None:
    front, back = (callers.issue(name, uri=f"spiffe://shop/{name}") for name in ("front", "back"))

    def status(files: Files, **more: Any) -> str:
        with Client(
            mutual.server.address,
            ca=authority.path,
            certificate=files.certificate,
            key=files.key,
            timeout=20,
            retries=0,
            options=(("grpc.use_local_subchannel_pool", 1),),
            **more,
        ) as client:
            try:
                assert client.recommend("user-00").items
                assert list(client.recommend_stream(["user-00"]))
            except ServiceError as error:
                return error.status
        return "OK"

    assert status(front) == "OK"
    assert status(back) == "UNAUTHENTICATED"
    assert status(back, api_key=mutual.secured.keys["caller"]) == "OK"
    assert status(front, api_key="rk_wrong") == "UNAUTHENTICATED"
    (mutual.secured.folder / "roles.toml").write_text(
        '[certificates]\n"spiffe://shop/front" = ["writer"]\n"spiffe://shop/back" = ["caller"]\n', encoding="utf-8"
    )
    until(lambda: status(back) == "OK")
    assert status(front) == "PERMISSION_DENIED"
    # What a certificate may not is written down like the rest.
    until(lambda: any(line.get("reason") == "no_role" for line in mutual.secured.lines()))


def test_the_certificate_of_the_door_opens_nothing_for_its_callers(
    mutual: Ports, authority: Authority, callers: Authority
) -> None:
    context = trusting(authority, callers.issue("browser", uri="spiffe://shop/browser"))
    body, kind = b'{"userId": "user-00"}', "application/json"
    assert mutual.get(mutual.door, "/v1/recommend", context, body, content_type=kind)[0] == 401
    key = mutual.secured.keys["caller"]
    assert mutual.get(mutual.door, "/v1/recommend", context, body, content_type=kind, x_api_key=key)[0] == 200
    assert mutual.get(mutual.door, "/healthz", context)[0] == 200
    assert mutual.get(mutual.page, "/readyz", context)[0] == 200
