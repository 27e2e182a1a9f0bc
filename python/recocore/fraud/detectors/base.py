"""What every detector does: fit, score, explain, save, load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from recocore.errors import CorruptError, InvalidArgumentError, NotFittedError
from recocore.ops import arguments
from recocore.storage import load_arrays, save_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Protocol, Self

    from recocore.storage import ArrayFolder
    from recocore.types import AnyArray, Float64Array

    class Model(Protocol):
        """What the extension fits."""

        def score(self, X: AnyArray, num_threads: int = 0) -> Float64Array:
            """Scores `[n]`."""

        def explain(self, X: AnyArray, num_threads: int = 0) -> Float64Array:
            """Reasons `[n, f]`."""


FORMAT = "recocore-detector"


class Detector(ABC):
    """Scores rows of features, the higher the more anomalous.

    Features are C-contiguous float32 or float64 `[n, f]`; NaN says that a feature is missing, an infinite value is
    refused. The same input gives the same bytes at every number of threads. What is fitted does not change by
    scoring, and threads may share it.

    Attributes:
        kind: the name under which it is saved.
        num_threads: of every operation; 0 is one a core.
    """

    kind: ClassVar[str]

    def __init__(self, num_threads: int) -> None:
        self.num_threads = arguments.threads(num_threads)
        self._model: Model | None = None

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """What the constructor takes, but for the number of threads."""

    @abstractmethod
    def fit(self, X: AnyArray) -> Self:
        """Learn from rows `[n, f]`; what was learnt before is forgotten.

        Raises:
            InvalidArgumentError: no rows, no features, an infinite value, or another dtype.
        """

    @abstractmethod
    def _state(self) -> tuple[Mapping[str, Any], Mapping[str, AnyArray]]:
        """Numbers and arrays of what is fitted."""

    @abstractmethod
    def _restored(self, numbers: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Model:
        """What `_state` gave, fitted again, checked."""

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` or `load` has been called."""
        return self._model is not None

    def score(self, X: AnyArray) -> Float64Array:
        """Scores `[n]` of rows `[n, f]`; never NaN.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: other features than in `fit`, an infinite value, or another dtype.
        """
        if self._model is None:
            raise self._not_fitted()
        return self._model.score(X, self.num_threads)

    def explain(self, X: AnyArray) -> Float64Array:
        """Reasons `[n, f]`: what each feature of a row adds to its score, in the unit that the class names.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: as `score`.
        """
        if self._model is None:
            raise self._not_fitted()
        return self._model.explain(X, self.num_threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a folder of checksummed arrays, whole or not at all; nothing may be there yet.

        Raises:
            NotFittedError: before `fit`.
            OSError: something is there, or the file system refuses.
        """
        if self._model is None:
            raise self._not_fitted()
        numbers, arrays = self._state()
        about = {"detector": self.kind, "parameters": self.parameters(), "numbers": dict(numbers)}
        save_arrays(Path(path), FORMAT, about, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, num_threads: int = 0) -> Self:
        """The detector that `save` wrote.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged, foreign, or another kind of detector; the message names the file.
        """
        folder = load_arrays(Path(path), FORMAT)
        return cls.from_folder(folder, Path(path), num_threads=num_threads)

    @classmethod
    def from_folder(cls, folder: ArrayFolder, path: Path, *, num_threads: int = 0) -> Self:
        """The detector in a folder that is read and whole.

        Raises:
            CorruptError: it is another kind, or its content is none that `save` writes.
        """
        kind = folder.about.get("detector")
        if kind != cls.kind:
            raise CorruptError(f"{path}: expected a detector of kind {cls.kind}, got {kind!r:.40}; see load_detector")
        try:
            detector = cls(**folder.about["parameters"], num_threads=num_threads)
            detector._model = detector._restored(folder.about["numbers"], folder.arrays)
        except (CorruptError, InvalidArgumentError, KeyError, TypeError) as error:
            raise CorruptError(f"{path}: {error}") from error
        return detector

    def _not_fitted(self) -> NotFittedError:
        return NotFittedError(f"{type(self).__name__}: expected a fitted detector; call fit or load first")

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.parameters().items())
        return f"{type(self).__name__}({said})"
