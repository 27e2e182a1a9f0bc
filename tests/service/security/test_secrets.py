"""No secret is in anything that a whole run puts out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.service.observe.test_listeners import CollectorServer
from tests.service.security.secured import AUDIT_KEY, PSEUDONYM_KEY, Secured, serve
from tests.service.security.whole import Ports, trusting
from tests.service.watched import until

from recocore.client import Client, ServiceError
from recocore.service.observe.observing import Observing
from recocore.service.processes.settings import WorkerSettings
from recocore.service.security.config import AuditConfig, Security
from recocore.service.settings import Settings

if TYPE_CHECKING:
    from tests.service.security.certificates import Authority


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "recocore.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def family(pid: int) -> list[int]:
    """A process and those that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in family(int(child)))]


def test_no_secret_is_in_any_output(ports: Ports, authority: Authority) -> None:
    secured, context, folder = ports.secured, trusting(authority), ports.secured.folder
    token, wrong = secured.issuer.token("caller"), secured.keys["caller"][:-1] + "_"
    secrets = {
        "pseudonym key": PSEUDONYM_KEY.decode(),
        "audit key": AUDIT_KEY.decode(),
        "pseudonym key in hexadecimal": PSEUDONYM_KEY.hex(),
        "audit key in hexadecimal": AUDIT_KEY.hex(),
        "token": token,
        "a wrong key": wrong,
        **{f"key of {name}": key for name, key in secured.keys.items()},
        **{f"hash of {line}": line for line in (folder / "keys.json").read_text().split('"') if len(line) == 64},
        "private key": (folder / "server.key").read_text(encoding="ascii").splitlines()[1],
    }
    told: dict[str, str] = {}
    credentials: dict[str, dict[str, Any]] = {
        "good": {"api_key": secured.keys["caller"]},
        "token": {"token": token},
        "wrong": {"api_key": wrong},
        "low": {"api_key": secured.keys["operator"]},
    }
    for name, credential in credentials.items():
        with Client(ports.server.address, ca=authority.path, timeout=20, retries=0, **credential) as client:
            told[f"client {name}"] = repr(client) + repr(vars(client))
            try:
                client.recommend("user-00")
            except ServiceError as error:
                told[f"error {name}"] = f"{error!r} {error} {vars(error)}"
    for key in (secured.keys["caller"], wrong):
        body, kind = b'{"userId": ""}', "application/json"
        told[f"door {key}"] = ports.get(ports.door, "/v1/recommend", context, body, content_type=kind, x_api_key=key)[1]
    for path in ("/", "/metrics", "/status.json", "/try?user=user-00", f"/{token}"):
        told[f"page {path[:9]}"] = ports.get(ports.page, path, context)[1]
    config = str(folder / "recocore.toml")
    index = str(folder / "index")
    told["check"] = run("serve", index, "--config", config, "--port", "0", "--check")
    told["check as JSON"] = run("serve", index, "--config", config, "--port", "0", "--check", "--json")
    assert "(redacted)" in told["check as JSON"]
    told["info"] = run("info") + run("info", index)
    told["roles"] = run("keys", "roles")
    told["list"] = run("keys", "list", str(folder / "keys.json"), "--pseudonym-key-file", str(folder / "pseudonym.key"))
    assert "key" not in told["list"].splitlines()[0]
    told["verify"] = run("audit", "verify", str(secured.audit), "--key-file", str(folder / "audit.key"))
    told["a key in the place of its file"] = run("keys", "list", secured.keys["caller"])
    until(lambda: any(line.get("reason") == "bad_credential" for line in secured.lines()))
    told["audit log"] = "".join(path.read_text(encoding="ascii") for path in secured.audit.iterdir())
    told["log"] = ports.server.log()
    for pid in family(ports.server.process.pid):
        for name in ("cmdline", "environ"):
            told[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    assert len([name for name in told if name.startswith("cmdline")]) >= 4
    # Whoever passes a key as an argument sees it in the answer that there is no such file.
    shown = {(where, what) for what, secret in secrets.items() for where, text in told.items() if secret in text}
    assert shown == {("a key in the place of its file", "key of caller")}


def test_no_secret_and_no_person_is_in_what_is_traced(tmp_path: Path, folder: Path) -> None:
    """All that a collector of traces gets, from calls that are let in and others that are not."""
    secured = Secured.make(tmp_path, "caller")
    token, wrong, user = secured.issuer.token("caller"), secured.keys["caller"][:-1] + "_", "user-00"
    with CollectorServer() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
            config = secured.config(tracing={"endpoint": endpoint, "sample": 1.0})
            with serve(config, str(folder / "index")) as server:
                for credential in ({"api_key": secured.keys["caller"]}, {"token": token}, {"api_key": wrong}):
                    with Client(server.address, timeout=20, retries=0, **credential) as client:  # type: ignore[arg-type]
                        with contextlib.suppress(ServiceError):
                            client.recommend(user)
                        with contextlib.suppress(ServiceError):
                            client.recommend("")
                server.terminate()
                assert server.wait() == 0, server.log()
        finally:
            collector.shutdown()
            thread.join()
    told = b"".join(body for _, _, body in collector.requests)
    assert b"RecommendationService/Recommend" in told
    secrets = (PSEUDONYM_KEY, AUDIT_KEY, token.encode(), wrong.encode(), secured.keys["caller"].encode(), user.encode())
    assert [secret for secret in secrets if secret in told] == []


def test_secrets_are_not_in_how_settings_look(tmp_path: Path) -> None:
    config = AuditConfig(str(tmp_path), key=AUDIT_KEY)
    assert AUDIT_KEY.decode() not in repr(config)


def test_a_worker_gets_the_settings_that_it_was_given(ports: Ports) -> None:
    """Through its standard input: bytes become text on the way and come back."""
    settings = Settings.load(ports.secured.folder / "recocore.toml")
    given = WorkerSettings(
        server=settings.server,
        limits=settings.limits,
        models=settings.models,
        experiment=settings.experiment,
        shadow=settings.shadow,
        observing=Observing(settings.metrics, settings.logs, settings.tracing),
        security=Security(settings.tls, settings.auth, settings.audit),
        number=3,
    )
    assert given.security.audit.key == AUDIT_KEY
    assert WorkerSettings.from_json(given.to_json()) == given
    assert PSEUDONYM_KEY.decode() not in repr(given)
