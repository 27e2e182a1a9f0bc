"""Checkpoints: counters written down beside the log, so that an opening counts from there."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

from recocore.errors import RecocoreError
from recocore.fraud.velocity import Velocity
from recocore.storage import published
from recocore.storage.document import parse, seal
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recocore.state.keys import KeyFile

_LOGGER = logging.getLogger("recocore.fraud")


class Checkpoint(NamedTuple):
    """Counters as of a commit.

    Attributes:
        commit: the last that they count.
        velocity: the counters.
        about: what was written down beside them.
    """

    commit: int
    velocity: Velocity
    about: Mapping[str, Any]


class Checkpoints:
    """A folder with one checkpoint, COMMIT/, and for moments two.

    Args:
        folder: where.
        keys: the master keys. The counters' hash key follows from them: what lies in the folder tells nothing of the ids.
    """

    def __init__(self, folder: Path, keys: KeyFile) -> None:
        self._folder = folder
        self._hash_key = keys.mac(b"velocity 0") + keys.mac(b"velocity 1")
        self._held = ""
        folder.mkdir(mode=0o700, exist_ok=True)

    def write(self, commit: int, velocity: Velocity, about: Mapping[str, Any]) -> str:
        """Write counters down in place of the earlier ones: the checkpoint's name.

        Raises:
            OSError: the file system refuses.
        """
        path = self._folder / f"{commit:020}"
        if not path.exists():
            with published(path, replace=False) as folder:
                velocity.save(folder / "velocity", with_key=False)
                replace_plain(folder / "about.json", seal(dict(about)), mode=0o600)
        for old in self._folder.iterdir():
            if old.name not in (path.name, self._held):
                shutil.rmtree(old)
        return path.name

    def latest(self, described: Mapping[str, Any], last: int) -> Checkpoint:
        """The latest of such counters, of a commit up to the last; empty counters of commit 0 where there are none to read."""
        # What a killed process left half-written has a name that begins with a dot.
        for path in sorted(self._folder.glob("[0-9]*"), reverse=True):
            try:
                velocity = Velocity.load(path / "velocity", self._hash_key)
                about = parse(read_plain(path / "about.json"))
            except (RecocoreError, OSError) as error:
                _LOGGER.warning("%s: not used, the counters are made from the log: %s", path, error)
                continue
            if velocity.describe() == dict(described) and int(path.name) <= last:
                return Checkpoint(int(path.name), velocity, about)
            _LOGGER.warning("%s: of other counters than the model's, which are made from the log", path)
        return Checkpoint(0, Velocity.described(described, self._hash_key), {})

    def hold(self, name: str) -> None:
        """Keep this one from being deleted, and no other; empty for none."""
        self._held = name
