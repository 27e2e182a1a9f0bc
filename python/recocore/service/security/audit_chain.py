"""The form of an audit log: lines of JSON, each with the hash of the one before, in files that are only appended to.

A chain is `NAME.000001.jsonl`, `NAME.000002.jsonl` and so on. A line ends in `"previous":"...","hash":"..."}`, where the hash
(SHA-256, or HMAC-SHA256 under a key) is over the line up to and without `,"hash"`. The first line of a file has the last
hash of the file before it as its previous one, so that a chain spans files.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recocore.errors import CorruptError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

FIRST_PREVIOUS = "0" * 64
HEAD_SUFFIX = ".head"
_FILE = re.compile(r"(.+)\.([0-9]{6,})\.jsonl")
_TAIL = re.compile(rb'(.*),"hash":"([0-9a-f]{64})"\}', re.DOTALL)


@dataclass(frozen=True, slots=True)
class End:
    """Where a chain ends.

    Attributes:
        number: of its last line, counted from 1 over all files; 0 for a chain without lines.
        hash: of that line.
    """

    number: int = 0
    hash: str = FIRST_PREVIOUS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one chain.

    Attributes:
        chain: its name.
        first: number of its first line; above 1 where older files were removed.
        end: its end.
        anchored: number of the last line that an anchor from elsewhere holds; None without anchors.
    """

    chain: str
    first: int
    end: End
    anchored: int | None = None


def sealed(number: int, fields: Mapping[str, Any], previous: str, key: bytes | None) -> tuple[bytes, str]:
    """A line with its end of line, and its hash.

    >>> line, digest = sealed(1, {"event": "started"}, FIRST_PREVIOUS, None)
    >>> line.decode()[:31], digest == hash_of(line[: line.rindex(b',"hash"')], None)
    ('{"number":1,"event":"started","', True)
    """
    body = json.dumps({"number": number, **fields, "previous": previous}, separators=(",", ":")).encode()[:-1]
    digest = hash_of(body, key)
    return b'%s,"hash":"%s"}\n' % (body, digest.encode()), digest


def hash_of(body: bytes, key: bytes | None) -> str:
    """The hash of a line without its hash, hexadecimal."""
    return hashlib.sha256(body).hexdigest() if key is None else hmac.digest(key, body, hashlib.sha256).hex()


def chains_in(folder: Path) -> dict[str, list[Path]]:
    """The files of each chain in a folder, in order."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.iterdir():
        if parts := _FILE.fullmatch(path.name):
            found.setdefault(parts[1], []).append((int(parts[2]), path))
    return {name: [path for _, path in sorted(files)] for name, files in sorted(found.items())}


def number_of(path: Path) -> int:
    """The number of a file among those of its chain."""
    parts = _FILE.fullmatch(path.name)
    assert parts is not None
    return int(parts[2])


def verify(folder: Path, key: bytes | None = None, anchors: Iterable[tuple[str, int, str]] = ()) -> list[Verdict]:
    """Read every chain of a folder through.

    Args:
        folder: of the audit log.
        key: that the hashes were made with.
        anchors: chain, number and hash of lines, as the service's log told them: they were kept where whoever may have
            changed these files could not.

    Raises:
        NotFoundError: there is no chain.
        CorruptError: a line was changed, removed, added or cut off; the message names file and line.
    """
    chains = chains_in(folder) if folder.is_dir() else {}
    if not chains:
        raise NotFoundError(f"{folder}: expected files such as worker-0.000001.jsonl, got none; name audit.folder")
    told: dict[str, dict[int, str]] = {name: {} for name in chains}
    for name, number, digest in anchors:
        if name not in told:
            raise CorruptError(f"{folder}: the log tells of the chain {name}, whose files are gone")
        told[name][number] = digest
    return [_verify_chain(name, files, key, told[name]) for name, files in chains.items()]


def _verify_chain(name: str, files: Sequence[Path], key: bytes | None, anchors: Mapping[int, str]) -> Verdict:
    first, end = 0, End()
    for place, path in enumerate(files):
        if place and number_of(path) != number_of(files[place - 1]) + 1:
            raise CorruptError(f"{path}: line 1: the file before this one is gone")
        for row, line in enumerate(_lines(path), 1):
            where = f"{path}: line {row}"
            number, previous, digest = _opened(line, where, key)
            if not first:
                # Older files may have been removed; the first of all begins with line 1, which alone has nothing before it.
                first = number
                if len({number == 1, previous == FIRST_PREVIOUS, number_of(path) == 1}) > 1:
                    raise CorruptError(f"{where}: expected the first line of a chain, got number {number}")
            elif number != end.number + 1 or previous != end.hash:
                raise CorruptError(
                    f"{where}: expected to follow line {end.number} of the chain; one was removed or added"
                )
            if anchors.get(number, digest) != digest:
                raise CorruptError(
                    f"{where}: differs from what the log told of line {number}: the chain was written anew"
                )
            end = End(number, digest)
    where = f"{files[-1]}: line {len(_lines(files[-1])) + 1}"
    furthest = max(anchors, default=None)
    if furthest is not None and furthest > end.number:
        raise CorruptError(
            f"{where}: the chain ends at {end.number}, and the log tells of line {furthest}: it was cut off"
        )
    head = files[-1].with_name(f"{name}{HEAD_SUFFIX}")
    if (kept := read_head(head)) is not None and kept.number > end.number:
        raise CorruptError(
            f"{where}: the chain ends at {end.number}, and its head tells of line {kept.number}: it was cut off"
        )
    return Verdict(name, first, end, furthest)


def _opened(line: bytes, where: str, key: bytes | None) -> tuple[int, str, str]:
    """Number, previous hash and hash of a line whose hash is right."""
    parts = _TAIL.fullmatch(line)
    if parts is None:
        raise CorruptError(f"{where}: expected a line of the audit log, got something else")
    body, digest = parts[1], parts[2].decode()
    if not hmac.compare_digest(hash_of(body, key), digest):
        raise CorruptError(f"{where}: its hash is not that of what it says: it was changed, or another key made it")
    fields = json.loads(body + b"}")
    return int(fields["number"]), str(fields["previous"]), digest


def _lines(path: Path) -> list[bytes]:
    content = path.read_bytes()
    lines = content.split(b"\n")
    if lines.pop():
        raise CorruptError(f"{path}: line {len(lines) + 1}: expected a whole line, got the beginning of one")
    return lines


def read_head(path: Path) -> End | None:
    """The end that was last written down beside a chain; None where there is none that can be read."""
    try:
        number, digest = path.read_text(encoding="ascii").split()
        return End(int(number), digest)
    except (OSError, ValueError):
        return None


def end_of(files: Sequence[Path]) -> tuple[End, int]:
    """The end of a chain to be written on, and how many bytes of its last file are whole lines.

    Only the last line is looked at; `verify` reads them all.

    Raises:
        CorruptError: what should be the last line is none.
    """
    for path in reversed(files):
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole:
            last = content[content.rfind(b"\n", 0, whole - 1) + 1 : whole - 1]
            parts = _TAIL.fullmatch(last)
            if parts is None:
                raise CorruptError(f"{path}: expected its last line to be one of the audit log; move the folder away")
            return End(int(json.loads(parts[1] + b"}")["number"]), parts[2].decode()), whole if path is files[-1] else 0
    return End(), 0
