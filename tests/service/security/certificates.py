"""Authorities, certificates and token keys, made when a test runs."""

from __future__ import annotations

import datetime
import ipaddress
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

_DAY = datetime.timedelta(days=1)
ISSUER, AUDIENCE = "https://issuer.example", "recocore-test"


@dataclass(frozen=True)
class Files:
    """A certificate and its key on disk."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(self._name, self._name, self._key).add_extension(constraints, critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256())
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str, *, uri: str | None = None, folder: Path | None = None) -> Files:
        """A certificate for this machine, or for a URI instead, in the authority's folder or another."""
        folder = folder or self._folder
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [_host(host) for host in ("localhost", "127.0.0.1")] if uri is None else []
        if uri is not None:
            names.append(x509.UniformResourceIdentifier(uri))
        builder = _builder(_name(name), self._name, key).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        files = Files(folder / f"{name}.pem", folder / f"{name}.key")
        # Replaced as a whole, as who renews certificates does; the key first, so that they never fit by accident.
        write_private(files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        new = files.certificate.with_suffix(".new")
        new.write_bytes(certificate.public_bytes(Encoding.PEM))
        new.replace(files.certificate)
        return files


class Issuer:
    """Makes bearer tokens, and the key set that they are verified with."""

    def __init__(self, path: Path, kid: str = "first") -> None:
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.kid = kid
        self.path = path
        path.write_text(json.dumps({"keys": [self.public()]}), encoding="ascii")

    def public(self) -> dict[str, Any]:
        return {**jwt.algorithms.OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": self.kid}

    def token(
        self, *roles: str, subject: str = "ann", seconds: float = 300, kid: str | None = None, **claims: Any
    ) -> str:
        body = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "exp": int(time.time() + seconds),
            "roles": list(roles),
            **claims,
        }
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, self.key, algorithm="EdDSA", headers={"kid": kid or self.kid})


def write_private(path: Path, content: bytes) -> Path:
    """A file of mode 0600, replaced as a whole."""
    new = path.with_name(f"{path.name}.new")
    new.touch(0o600)
    new.write_bytes(content)
    new.replace(path)
    return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
