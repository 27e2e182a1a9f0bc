"""API keys: who has which, in a file that holds their SHA-256 only.

A key is `rk_<id>_<secret>`. The id finds it; the secret has 256 random bits, of which a fast hash gives nothing away, so that
checking one costs a microsecond. A caller may have two keys at once: the new one is handed out before the old one is revoked.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import math
import os
import re
import secrets
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.service.security.files import read_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SETTING = "auth.api_keys_file"
_FORMAT = 1
_PREFIX = "rk"
_ID_BYTES = 6
_SECRET_BYTES = 32
_MOST_LIVE = 2
_KEY = re.compile(r"rk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_CALLER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key.

    Attributes:
        id: names it; no secret.
        caller: whose it is.
        roles: what its caller may do with it.
        sha256: of the whole key, hexadecimal.
        created: seconds since 1970.
        expires: seconds since 1970; infinite where it does not.
    """

    id: str
    caller: str
    roles: tuple[str, ...]
    sha256: str
    created: float
    expires: float = math.inf


class ApiKeys:
    """The keys of a file, as they were when it was read.

    Args:
        keys: no two with one id.
    """

    def __init__(self, keys: Sequence[ApiKey] = ()) -> None:
        self.keys = tuple(keys)
        self._by_id = {key.id: key for key in keys}

    @classmethod
    def read(cls, path: str) -> ApiKeys:
        """Read a file.

        Raises:
            NotFoundError: there is no such file.
            InvalidArgumentError: others may read it, or it is no file of keys.
        """
        try:
            body = json.loads(read_private(path, _SETTING))
            if body["format"] != _FORMAT:
                raise _refuse(path, f"expected format {_FORMAT}, got {body['format']!r}")
            keys = [_from_json(entry) for entry in body["keys"]]
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InvalidArgumentError):
                raise
            raise _refuse(path, "expected what `recocore keys` writes, got something else") from None
        if len({key.id for key in keys}) != len(keys):
            raise _refuse(path, "expected each id once, got one twice")
        return cls(keys)

    def find(self, text: str) -> ApiKey | None:
        """The key that a text is, expired or not; None where there is none."""
        parts = _KEY.fullmatch(text)
        known = self._by_id.get(parts[1]) if parts else None
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        # Compared whether the id is known or not, in a time that says nothing of the digits.
        same = hmac.compare_digest(digest, known.sha256 if known else "0" * 64)
        return known if same else None


def create_key(
    path: str, caller: str, roles: Sequence[str], expires: float = math.inf, *, now: float
) -> tuple[str, ApiKey]:
    """Add a key to a file, which is made where there is none; the key itself is in what is returned alone.

    Raises:
        InvalidArgumentError: the caller's name is none, there are no roles, or the caller has two live keys already.
    """
    if not _CALLER.fullmatch(caller):
        raise InvalidArgumentError(
            f"caller: expected 1 to 64 of A-Z, a-z, 0-9, _, ., @ and -, got {caller!r}", field="caller"
        )
    if not roles:
        raise InvalidArgumentError("roles: expected at least one, got none; name one with --role", field="roles")
    with _changing(path) as keys:
        live = [key for key in keys if key.caller == caller and key.expires > now]
        if len(live) >= _MOST_LIVE:
            raise InvalidArgumentError(
                f"caller: {caller} has {len(live)} live keys, and may have {_MOST_LIVE}; revoke the one that is no longer "
                f"used: {live[0].id} is the older",
                field="caller",
            )
        id_ = secrets.token_hex(_ID_BYTES)
        text = f"{_PREFIX}_{id_}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        made = ApiKey(id_, caller, tuple(roles), hashlib.sha256(text.encode()).hexdigest(), now, expires)
        keys.append(made)
    return text, made


def revoke_key(path: str, name: str) -> tuple[ApiKey, ...]:
    """Remove a key by its id, or all keys of a caller: what was removed.

    Raises:
        NotFoundError: there is none.
    """
    with _changing(path) as keys:
        gone = tuple(key for key in keys if name in {key.id, key.caller})
        if not gone:
            raise NotFoundError(
                f"{path}: no key has the id {name}, and no caller that name; `recocore keys list` has them"
            )
        keys[:] = [key for key in keys if key not in gone]
    return gone


@contextmanager
def _changing(path: str) -> Iterator[list[ApiKey]]:
    """The keys to change, which are written when that is done; others who change them wait."""
    folder = Path(path).resolve().parent
    with _locked(folder):
        keys = list(ApiKeys.read(path).keys) if Path(path).exists() else []
        yield keys
        body = json.dumps({"format": _FORMAT, "keys": [_to_json(key) for key in keys]}, indent=1) + "\n"
        # mkstemp gives mode 0600.
        descriptor, new = tempfile.mkstemp(dir=folder, prefix=f".{Path(path).name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(body)
                file.flush()
                os.fsync(descriptor)
            os.replace(new, Path(path).resolve())
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _to_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "caller": key.caller,
        "roles": list(key.roles),
        "sha256": key.sha256,
        "created": _time(key.created),
        "expires": None if math.isinf(key.expires) else _time(key.expires),
    }


def _from_json(entry: dict[str, Any]) -> ApiKey:
    key = ApiKey(
        id=str(entry["id"]),
        caller=str(entry["caller"]),
        roles=tuple(map(str, entry["roles"])),
        sha256=str(entry["sha256"]),
        created=_seconds(entry["created"]),
    )
    if not re.fullmatch("[0-9a-f]{64}", key.sha256):
        raise ValueError("sha256")
    return key if entry["expires"] is None else replace(key, expires=_seconds(entry["expires"]))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _refuse(path: str, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{_SETTING}: {path}: {what}", field=_SETTING)
