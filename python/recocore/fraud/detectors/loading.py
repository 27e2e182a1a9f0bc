"""Loading a detector without knowing its kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recocore.errors import CorruptError
from recocore.fraud.detectors.base import FORMAT
from recocore.fraud.detectors.ecod import ECOD
from recocore.fraud.detectors.half_space_trees import HalfSpaceTrees
from recocore.fraud.detectors.hbos import HBOS
from recocore.fraud.detectors.isolation_forest import IsolationForest
from recocore.fraud.detectors.mcd import MCD
from recocore.storage import load_arrays

if TYPE_CHECKING:
    import os

    from recocore.fraud.detectors.base import Detector

_DETECTORS: dict[str, type[Detector]] = {
    detector.kind: detector for detector in (ECOD, IsolationForest, MCD, HBOS, HalfSpaceTrees)
}


def load_detector(path: str | os.PathLike[str], *, num_threads: int = 0) -> Detector:
    """The detector that `save` wrote, whichever it is.

    Raises:
        NotFoundError: nothing is there.
        CorruptError: it is damaged or foreign; the message names the file.

    Example:
        >>> import numpy as np, tempfile
        >>> rows = np.random.default_rng(0).normal(size=(100, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ECOD().fit(rows).save(f"{folder}/detector")
        ...     load_detector(f"{folder}/detector")
        ECOD(variant='paper')
    """
    folder = load_arrays(Path(path), FORMAT)
    kind = folder.about.get("detector")
    if kind not in _DETECTORS:
        raise CorruptError(f"{path}: expected a detector of kind {', '.join(_DETECTORS)}, got {kind!r:.40}")
    return _DETECTORS[kind].from_folder(folder, Path(path), num_threads=num_threads)
