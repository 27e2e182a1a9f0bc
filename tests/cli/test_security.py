"""`recocore keys` and `recocore audit`, as people and programs use them."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from recocore.cli import main
from recocore.service.security.api_keys import ApiKeys
from recocore.service.security.audit_log import AuditLog
from recocore.service.security.config import AuditConfig

if TYPE_CHECKING:
    from pathlib import Path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_keys_from_creation_to_revocation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "keys.json")
    code, text, note = run(capsys, "keys", "create", file, "shop", "--role", "caller", "--role", "writer")
    assert (code, "it is not shown again" in note) == (0, True)
    found = ApiKeys.read(file).find(text.strip())
    assert found is not None
    assert (found.caller, found.roles) == ("shop", ("caller", "writer"))
    out = tmp_path / "shop.key"
    options = ("--role", "caller", "--days", "90", "--out", str(out), "--json")
    code, text, _ = run(capsys, "keys", "create", file, "shop", *options)
    made = json.loads(text)
    assert (code, made["out"], "key" in made) == (0, str(out), False)
    second = ApiKeys.read(file).find(out.read_text(encoding="ascii").strip())
    assert second is not None
    assert second.expires - second.created == pytest.approx(90 * 86_400, abs=2)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    code, text, _ = run(capsys, "keys", "list", file, "--json")
    assert [entry["id"] for entry in json.loads(text)] == [found.id, made["id"]]
    code, text, _ = run(capsys, "keys", "revoke", file, found.id)
    assert (code, text) == (0, f"revoked {found.id} of shop\n")
    code, text, _ = run(capsys, "keys", "list", file)
    assert found.id not in text
    assert made["id"] in text


def test_what_cannot_be_done_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = str(tmp_path / "keys.json"), tmp_path / "shop.key"
    code, _, said = run(capsys, "keys", "create", file, "shop", "--role", "caler")
    assert (code, "--role: expected one of analyst, caller, fraud, fraud_analyst, operator" in said) == (1, True)
    code, _, said = run(capsys, "keys", "create", file, "a b", "--role", "caller", "--out", str(out))
    assert (code, "caller: expected 1 to 64" in said) == (1, True)
    assert list(tmp_path.iterdir()) == []
    out.touch()
    code, _, said = run(capsys, "keys", "create", file, "shop", "--role", "caller", "--out", str(out))
    assert (code, "File exists" in said) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["shop.key"]
    code, _, said = run(capsys, "keys", "revoke", file, "shop")
    assert code == 1


def test_pseudonyms_and_roles_can_be_looked_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from recocore.service.logs import Pseudonyms  # noqa: PLC0415

    file, key = str(tmp_path / "keys.json"), tmp_path / "pseudonym.key"
    key.touch(0o600)
    key.write_text("secret\n", encoding="ascii")
    run(capsys, "keys", "create", file, "shop", "--role", "caller")
    code, text, _ = run(capsys, "keys", "list", file, "--pseudonym-key-file", str(key), "--json")
    assert json.loads(text)[0]["in_logs"] == Pseudonyms(b"secret").of("key:shop")
    (tmp_path / "roles.toml").write_text('[roles]\nreader = ["a.B/C"]\n', encoding="utf-8")
    code, text, _ = run(capsys, "keys", "roles", "--roles-file", str(tmp_path / "roles.toml"), "--json")
    assert (code, json.loads(text)["roles"]["reader"]) == (0, ["a.B/C"])
    code, text, _ = run(capsys, "keys", "roles")
    assert "recocore.v1.ModelService/SetAlias" in text


def test_an_audit_log_is_verified_against_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(AuditConfig(folder=str(tmp_path / "audit")), "worker-0")
    log.keep({"event": "begins"}).result(10)
    log.close()
    code, text, _ = run(capsys, "audit", "verify", str(tmp_path / "audit"))
    assert (code, text) == (0, "worker-0: lines 1 to 3 are whole\n")
    [path] = (tmp_path / "audit").glob("*.jsonl")
    lines = path.read_text(encoding="ascii").splitlines()
    anchor = {"event": "audit anchor", "chain": "worker-0", "number": 3, "hash": json.loads(lines[2])["hash"]}
    journal = tmp_path / "service.log"
    journal.write_text(
        f'Nov 30 12:00:00 host recocore[7]: {json.dumps(anchor)}\n{{"event": "audit anchor"', encoding="utf-8"
    )
    code, text, _ = run(capsys, "audit", "verify", str(tmp_path / "audit"), "--anchors", str(journal), "--json")
    assert (code, json.loads(text)[0]["anchored"]) == (0, 3)
    (tmp_path / "audit" / "worker-0.head").unlink()
    path.write_text("".join(f"{line}\n" for line in lines[:2]), encoding="ascii")
    code, _, said = run(capsys, "audit", "verify", str(tmp_path / "audit"), "--anchors", str(journal))
    assert (code, "line 3: the chain ends at 2, and the log tells of line 3: it was cut off" in said) == (1, True)
    path.write_text(
        "".join(f"{line}\n" for line in [lines[0].replace("opened", "closed"), *lines[1:]]), encoding="ascii"
    )
    code, _, said = run(capsys, "audit", "verify", str(tmp_path / "audit"))
    assert (code, "line 1: its hash is not that of what it says" in said) == (1, True)
