"""A service with callers, certificates and an audit log, all made when a test runs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.service.security.certificates import AUDIENCE, ISSUER, Authority, Issuer, write_private
from tests.service.server_process import ServerProcess

from recocore.service.security.api_keys import create_key

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_700_000_000.0
PSEUDONYM_KEY = b"pseudonym-key-of-the-tests-5f1c"
AUDIT_KEY = b"audit-key-of-the-tests-77aa01"


@dataclass(frozen=True)
class Secured:
    """Files of a service, and what its callers hold."""

    folder: Path
    issuer: Issuer
    keys: dict[str, str]

    @classmethod
    def make(cls, folder: Path, *roles: str) -> Secured:
        """Files, with an API key for a caller of each role that has its name."""
        write_private(folder / "pseudonym.key", PSEUDONYM_KEY)
        write_private(folder / "audit.key", AUDIT_KEY)
        keys = {role: create_key(str(folder / "keys.json"), role, [role], now=NOW)[0] for role in roles}
        return cls(folder, Issuer(folder / "jwks.json"), keys)

    @property
    def audit(self) -> Path:
        return self.folder / "audit"

    def config(self, **sections: dict[str, Any]) -> Path:
        """A file of settings: what is given, and callers, pseudonyms and audit log."""
        folder = self.folder
        settings: dict[str, dict[str, Any]] = {
            "server": {"log_level": "debug", "pseudonym_key_file": str(folder / "pseudonym.key")},
            "auth": {
                "enabled": True,
                "api_keys_file": str(folder / "keys.json"),
                "jwt_keys_file": str(folder / "jwks.json"),
                "jwt_issuer": ISSUER,
                "jwt_audience": AUDIENCE,
                "jwt_leeway_seconds": 0.0,
                "reload_seconds": 0.05,
            },
            "audit": {"folder": str(self.audit), "key_file": str(folder / "audit.key"), "anchor_seconds": 0.2},
        }
        for name, values in sections.items():
            settings.setdefault(name, {}).update(values)
        text = "".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
            for name, values in settings.items()
        )
        path = folder / "recocore.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the audit log so far, of all chains; the last of each may be half written."""
        found = []
        for path in sorted(self.audit.glob("*.jsonl")):
            found += [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        return found


def encrypted(folder: Path, authority: Authority) -> dict[str, str]:
    """Settings of [tls] with a certificate of the authority."""
    files = authority.issue("server", folder=folder)
    return {"certificate_file": str(files.certificate), "key_file": str(files.key)}


def serve(config: Path, *options: str) -> ServerProcess:
    """`recocore serve` with a file of settings."""
    command = ["-m", "recocore.cli", "serve", "--config", str(config), "--port", "0", *options]
    return ServerProcess([sys.executable, "-W", "error", *command])
