"""Checkpoints of a fit: whole epochs as folders, from which a fit goes on to the bytes that it would have had.

FOLDER/epoch-000007/     the factors after epoch 7, the history up to it, and what was fitted to what

The last epoch, the one before it and the best one are kept. An epoch appears whole or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.models.epoch_report import EpochReport
from recocore.storage import load_arrays, save_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from recocore.types import AnyArray, Float32Array

_FORMAT = "recocore-als-checkpoint"
_EPOCH = re.compile(r"epoch-(\d{6,})")
_UNFINISHED = re.compile(r"\.epoch-.*\.tmp-.*")


class Checkpoints:
    """The checkpoints in one folder, which is this fit's own until it is closed.

    Args:
        folder: made where it is not there; its parent must be.
        fitted: what tells one fit from another, as JSON holds it: settings, and digests of data.

    Raises:
        InvalidArgumentError: not a folder, its parent is missing, or another fit is using it.
    """

    def __init__(self, folder: str | Path, fitted: Mapping[str, Any]) -> None:
        given: object = folder
        if not isinstance(given, str | Path) or given == "":
            raise InvalidArgumentError(f"checkpoint: expected the path of a folder, got {folder!r}", field="checkpoint")
        folder = Path(folder)
        self._folder = folder
        self._fitted = fitted
        if not folder.absolute().parent.is_dir():
            raise InvalidArgumentError(
                f"checkpoint: expected a folder that exists around {folder}; create it first", field="checkpoint"
            )
        try:
            folder.mkdir(exist_ok=True)
        except FileExistsError:
            raise InvalidArgumentError(
                f"checkpoint: expected a folder, but {folder} is none; choose another path", field="checkpoint"
            ) from None
        self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise InvalidArgumentError(
                f"checkpoint: another fit is writing to {folder}; choose another folder, or wait", field="checkpoint"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)  # which gives up the lock

    def resume(self, arrays: Mapping[str, Float32Array]) -> list[EpochReport]:
        """Write the arrays of the last epoch into `arrays`: the history up to it, empty where there is none.

        Raises:
            InvalidArgumentError: it is of a fit with other settings or data; the message says which.
            CorruptError: it is damaged; the message names the file, and the epoch before where that is there.
        """
        for entry in self._folder.iterdir():
            if _UNFINISHED.fullmatch(entry.name):  # of a fit that was killed while it wrote
                shutil.rmtree(entry, ignore_errors=True)
        epochs = self._epochs()
        if not epochs:
            return []
        path = self._path(epochs[-1])
        try:
            stored = load_arrays(path, _FORMAT)
            self._check(stored.about)
            history = _history(stored.about, epochs[-1])
            _copy(stored.arrays, arrays)
        except CorruptError as error:
            step = f"go on from epoch {epochs[-2]}" if len(epochs) > 1 else "begin again"
            raise CorruptError(f"checkpoint: {error}; delete {path} to {step}") from error
        return history

    def put(self, history: Sequence[EpochReport], best: int, arrays: Mapping[str, Float32Array]) -> None:
        """Write the epoch that the history ends with, and then delete those that nobody will ask for."""
        last = len(history)
        about = {"fitted": dict(self._fitted), "history": [report.to_dict() for report in history]}
        save_arrays(self._path(last), _FORMAT, about, arrays)
        for epoch in self._epochs():
            if epoch not in {last - 1, last, best}:
                shutil.rmtree(self._path(epoch))

    def restore(self, epoch: int, arrays: Mapping[str, Float32Array]) -> None:
        """Write the arrays of the best epoch, or of the last, into `arrays`."""
        _copy(load_arrays(self._path(epoch), _FORMAT).arrays, arrays)

    def _path(self, epoch: int) -> Path:
        return self._folder / f"epoch-{epoch:06}"

    def _epochs(self) -> list[int]:
        found = (_EPOCH.fullmatch(entry.name) for entry in self._folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def _check(self, about: Mapping[str, Any]) -> None:
        before = about.get("fitted")
        if differences := list(_differences(self._fitted, before if isinstance(before, dict) else {})):
            raise InvalidArgumentError(
                f"checkpoint: {self._folder} is of another fit: {'; '.join(differences)}; fit the same, or choose "
                "another folder",
                field="checkpoint",
            )


def _differences(here: Mapping[str, Any], there: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for name in sorted(here.keys() | there.keys()):
        ours, theirs = here.get(name), there.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            yield from _differences(ours, theirs, f"{within}{name}.")
        elif ours != theirs:
            yield f"{within}{name} was {theirs!r:.20}, is {ours!r:.20}"


def _history(about: Mapping[str, Any], epoch: int) -> list[EpochReport]:
    try:
        history = [EpochReport.from_dict(fields) for fields in about["history"]]
    except (KeyError, TypeError) as error:
        raise CorruptError(f"history: not as this recocore writes it: {error}") from error
    if [report.epoch for report in history] != list(range(1, epoch + 1)):
        raise CorruptError(f"history: expected epochs 1 to {epoch}, got {[report.epoch for report in history]!r:.60}")
    return history


def _copy(stored: Mapping[str, AnyArray], arrays: Mapping[str, Float32Array]) -> None:
    for name, array in arrays.items():
        found = stored.get(name)
        if found is None or (found.shape, found.dtype) != (array.shape, array.dtype):
            got = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
            raise CorruptError(f"{name}: expected {array.dtype} {list(array.shape)}, got {got}")
    for name, array in arrays.items():
        np.copyto(array, stored[name])
