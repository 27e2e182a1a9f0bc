"""The manifest of an index: what it is, and the size, digest, dtype and shape of each file beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.storage.document import count, digest, parse, seal, take
from recocore.storage.file_entry import FileEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "recocore-index"
FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"

# A plain name: nothing that leads out of the folder, no hidden file.
_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\.(npy|arrow)")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the manifest says.

    Attributes:
        recocore_version: of the library that wrote the index.
        created: when it was built, UTC, whole seconds.
        model: the name of the model's class.
        params: its parameters.
        scorer: the kind of scorer that the arrays belong to.
        counts: users, items and interactions.
        metrics: measured quality that travels with the index.
        files: the files by name.
    """

    recocore_version: str
    created: datetime
    model: str
    params: Mapping[str, Any]
    scorer: str
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    files: Mapping[str, FileEntry]

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits of a digest of the content: what answers, not when or by what it was written."""
        body = self._body()
        return digest({key: body[key] for key in ("model", "scorer", "counts", "files")})[:12]

    def to_bytes(self) -> bytes:
        """The one spelling of this manifest; reading refuses any other, so that damage cannot hide in it.

        Raises:
            InvalidArgumentError: a parameter or metric that JSON cannot hold.
        """
        try:
            body = {"format": FORMAT, "format_version": FORMAT_VERSION, "version": self.version, **self._body()}
            return seal(body)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArgumentError(f"params, metrics: expected what JSON can hold, got {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read a manifest.

        Raises:
            CorruptError: not a manifest, of a newer format, or changed since it was written; the message says which.
        """
        body = parse(data)
        if body.get("format") != FORMAT:
            raise CorruptError(f'not a recocore index: expected format "{FORMAT}", got {body.get("format")!r}')
        version = take(body, "format_version", int)
        if version > FORMAT_VERSION:
            raise CorruptError(
                f"format_version {version} is newer than this recocore reads ({FORMAT_VERSION}); upgrade recocore"
            )
        if version != FORMAT_VERSION:
            raise CorruptError(f"format_version: expected {FORMAT_VERSION}, got {version}")
        model = take(body, "model", dict)
        counts = take(body, "counts", dict)
        manifest = cls(
            recocore_version=take(body, "recocore_version", str),
            created=_time(take(body, "created", str)),
            model=take(model, "name", str),
            params=take(model, "params", dict),
            scorer=take(body, "scorer", str),
            counts={name: count(counts, name) for name in ("users", "items", "interactions")},
            metrics=take(body, "metrics", dict),
            files={name: _entry(name, entry) for name, entry in take(body, "files", dict).items()},
        )
        try:
            unchanged = manifest.to_bytes() == data
        except InvalidArgumentError as error:
            raise CorruptError(str(error)) from error
        if not unchanged:
            raise CorruptError("its digest does not match its content: it was changed after it was written")
        return manifest

    def _body(self) -> dict[str, Any]:
        return {
            "recocore_version": self.recocore_version,
            "created": self.created.strftime(_TIME),
            "model": {"name": self.model, "params": dict(self.params)},
            "scorer": self.scorer,
            "counts": dict(self.counts),
            "metrics": dict(self.metrics),
            "files": {
                name: {"size": e.size, "sha256": e.sha256, "dtype": e.dtype, "shape": list(e.shape)}
                for name, e in sorted(self.files.items())
            },
        }


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise CorruptError(f"created: {error}") from error


def _entry(name: str, entry: Any) -> FileEntry:
    if not _FILE_NAME.fullmatch(name):
        raise CorruptError(f"files: {name!r:.60} is not the name of a file that an index holds")
    return FileEntry.from_json(name, entry)
