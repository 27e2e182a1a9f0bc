"""Items prepared once for many exact searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

import numpy as np

from recocore import _native
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.ops.arguments import checked_indices, choice, integer, no_matrix, real, threads
from recocore.ops.device import DeviceArray, checked_device, is_on_device, returned, shape_of, stream_handle
from recocore.ops.topk import PRECISIONS, candidate_filter
from recocore.retrieval.directions import unit_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.types import AnyArray, CudaArray, Float32Array, Int32Array, NativeFilter, Progress

Metric: TypeAlias = Literal["inner_product", "cosine", "euclidean"]


class Retriever:
    """Exact top-k over one catalogue, prepared once and safe to use from many threads at once.

    The items are packed as 8-bit codes beside their floats, longest first, with bounds on what the codes leave out. A search
    scans the codes, drops what its bounds rule out (Cauchy and Schwarz for what is left out of items and query, and for all
    shorter items at once), and scores the rest in float32: the answer is to the bit that of scoring every pair.

    Args:
        items: float32 `[m, f]`, finite; referred to, not copied. Rows may lie apart. On the device they may be an array of
            CuPy, torch or anything with `__cuda_array_interface__` or DLPack.
        metric: "inner_product"; "cosine", 0 where either vector is zero; or "euclidean", whose score is minus the squared
            distance.
        biases: float32 `[m]` added to the items' inner products; None for none.
        num_threads: of preparation and of searches that name no other number; 0 for one a core.
        device: cpu, or cuda: items are then copied to the device once, and searched there without codes. Queries of the host
            get results of the host, and queries on the device results on the device.

    Raises:
        InvalidArgumentError: a wrong shape or dtype, or a value that is not finite (its row is named).
        UnsupportedError: an item of length 1e37 or more on the CPU, whose codes end there; device cuda where there is none.
        OutOfMemoryError: the codes, m (f + 36) bytes and up, do not fit.

    Example:
        >>> import numpy as np
        >>> shop = Retriever(np.eye(4, dtype=np.float32))
        >>> in_stock = np.array([True, True, False, True])
        >>> ids, scores = shop.topk(np.array([[1, 3, 5, 2]], np.float32), k=2, allow=in_stock)
        >>> ids.tolist(), scores.tolist()
        ([[1, 3]], [[3.0, 2.0]])
    """

    def __init__(
        self,
        items: Float32Array,
        *,
        metric: Metric = "inner_product",
        biases: Float32Array | None = None,
        num_threads: int = 0,
        device: str = "cpu",
    ) -> None:
        self._set_up(items, metric, biases, num_threads)
        self.device = checked_device(device)
        if is_on_device(items) and self.device == "cpu":
            raise InvalidArgumentError("device: expected cuda for items on the device, got 'cpu'", field="device")
        if self.device == "cpu":
            self._packed = _native.PackedItems.pack(self.items, self.num_threads)
        else:
            self._held = items if is_on_device(items) else DeviceArray.from_host(np.ascontiguousarray(items))
            nobody = DeviceArray.from_host(np.empty((0, shape_of(items)[1]), np.float32))
            _native.score_all(nobody, self._held, device="cuda")  # refuses items that are not finite

    @classmethod
    def from_arrays(
        cls,
        items: Float32Array,
        arrays: Mapping[str, AnyArray],
        *,
        metric: Metric = "inner_product",
        biases: Float32Array | None = None,
        num_threads: int = 0,
    ) -> Self:
        """A retriever again from the items and what `arrays` gave; all of them may be mapped. O(m).

        Raises:
            CorruptError: the arrays are not those of as many items; the message says which.
        """
        retriever = cls.__new__(cls)
        retriever._set_up(items, metric, biases, num_threads)
        retriever.device = "cpu"
        try:
            retriever._packed = _native.PackedItems.restore(retriever.items, dict(arrays))
        except InvalidArgumentError as error:
            raise CorruptError(str(error)) from error
        return retriever

    def with_metric(self, metric: Metric) -> Retriever:
        """The same items and codes under another metric, without biases. O(1)."""
        other = Retriever.__new__(Retriever)
        other._set_up(self.items, metric, None, self.num_threads)
        other.device = self.device
        if self.device == "cpu":
            other._packed = self._packed
        else:
            other._held = self._held
        return other

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"Retriever({len(self):,} items of {shape_of(self.items)[1]} numbers, metric={self.metric!r})"

    def arrays(self) -> dict[str, AnyArray]:
        """The codes and their bounds by name, for `from_arrays`.

        Returns:
            order and positions int32 `[m]`, codes int8 `[m, s]`, s being f rounded up to 64, code_sums int32 `[m]`,
            inverse_scales, errors, norms and lengths float32 `[m]`.
        """
        if self.device == "cpu":
            return self._packed.arrays()
        items = self._held.to_host() if isinstance(self._held, DeviceArray) else self.items
        return _native.PackedItems.pack(items, self.num_threads).arrays()

    def topk(
        self,
        queries: Float32Array | CudaArray,
        k: int,
        *,
        exclude: Any = None,
        allow: Any = None,
        block: Any = None,
        boosts: tuple[Any, Any] | None = None,
        thresholds: Float32Array | float | None = None,
        precision: str = "auto",
        num_threads: int | None = None,
        progress: Progress | None = None,
        stream: Any = None,
    ) -> tuple[Int32Array | CudaArray, Float32Array | CudaArray]:
        """Find the k items with the largest score for each query.

        Args:
            queries: float32 `[n, f]`, C-contiguous, finite.
            k: how many for each query, at least 1; may exceed m.
            exclude: items that must not come back: a sparse `[n, m]` with a row for each query, or for every query integer ids
                or a mask, bool `[m]`.
            allow: the only items that may come back, in the same forms.
            block: as `exclude`; for what holds beside it, such as what is sold out.
            boosts: (item indices `[b]`, amounts `[b]`): what is added to the scores of some items, and to their biases first.
                An amount moves an item the same way whether its score is positive or negative.
            thresholds: the least score that may come back, boosts included: one number or float32 `[n]`.
            precision: "auto", or "float32" to leave the codes aside; on CUDA also "float16" and "bfloat16", see
                `recocore.ops.topk`. The result is the same to the bit.
            num_threads: None for the retriever's own. The result does not depend on it.
            progress: told the part done; an exception that it raises stops the search.
            stream: of CUDA, see `recocore.ops.topk`.

        Returns:
            ids int32 and scores float32, both `[n, k]`: score descending, then id ascending; -1 and -inf where fewer than k
            items may come back. O(n m f) at worst.

        Raises:
            InvalidArgumentError: a shape, dtype or id that does not fit, or a value that is not finite (its row is named).
        """
        choice(precision, "precision", PRECISIONS)
        k = integer(k, "k", 1)
        queries = self._queries(queries)
        n = shape_of(queries)[0] if is_on_device(queries) else len(queries)
        lowest = _thresholds(thresholds, n)
        native: dict[str, Any] = {
            **candidate_filter((n, len(self)), exclude, allow, block),
            "metric": self.metric,
            "biases": self.biases,
            "precision": precision,
            "num_threads": self.num_threads if num_threads is None else threads(num_threads),
            "progress": progress,
        }
        if boosts is not None:
            native["biases"] = self._boosted(boosts)
        return self._ranked(queries, k, stream_handle(stream), thresholds=lowest, **native)

    def search(
        self,
        queries: Float32Array,
        k: int,
        candidates: NativeFilter,
        num_threads: int | None = None,
        boosts: Float32Array | None = None,
    ) -> tuple[Int32Array, Float32Array]:
        """`topk` for candidates in the form of the extension, as scorers hand them on.

        `boosts`, float32 `[m]`, stand for the biases of a retriever that has none.
        """
        return self._ranked(
            self._queries(queries),
            k,
            None,
            **candidates,
            metric=self.metric,
            biases=self.biases if boosts is None else boosts,
            num_threads=self.num_threads if num_threads is None else num_threads,
        )

    def _ranked(self, queries: Any, k: int, stream: int | None, **native: Any) -> tuple[Any, Any]:
        if self.device == "cpu":
            return _native.topk(queries, self._packed, k, **native)
        here = is_on_device(queries)
        if not here and not _is_matrix(queries):
            raise no_matrix(queries, "queries")
        held = queries if here else DeviceArray.from_host(queries, stream or 0)
        ids, scores = _native.topk(held, self._held, k, **native, device="cuda", stream=stream)
        if here:
            return returned(ids, queries), returned(scores, queries)
        return ids.to_host(), scores.to_host()

    def _set_up(self, items: Float32Array, metric: Metric, biases: Float32Array | None, num_threads: int) -> None:
        choice(metric, "metric", get_args(Metric))
        if biases is not None and metric != "inner_product":
            raise InvalidArgumentError(f"biases: expected None with metric={metric!r}, got some", field="biases")
        if not is_on_device(items) and not isinstance(items, np.ndarray):
            raise no_matrix(items, "items")
        self._length = shape_of(items)[0] if is_on_device(items) else len(items)
        if biases is not None and np.shape(biases) != (self._length,):
            raise InvalidArgumentError(
                f"biases: expected one for each of the {self._length} items, got {list(np.shape(biases))}",
                field="biases",
            )
        self.items = items
        self.metric = metric
        self.biases = biases
        self.num_threads = threads(num_threads)

    def _queries(self, queries: Any) -> Any:
        if self.metric == "cosine" and is_on_device(queries):
            raise InvalidArgumentError(
                "queries: expected a NumPy array with metric='cosine', which scales them to length 1; got one on the device",
                field="queries",
            )
        if self.metric != "cosine" or not _is_matrix(queries) or not np.isfinite(queries).all():
            return queries  # nothing to scale, or refused by name later
        return unit_rows(queries).astype(np.float32)

    def _boosted(self, boosts: Any) -> Float32Array:
        """What is added to the items' scores, float32 `[m]`."""
        try:
            items, amounts = boosts
            amounts = np.asarray(amounts, np.float32)
        except (TypeError, ValueError):
            raise InvalidArgumentError(
                f"boosts: expected a pair of item indices and amounts, got {boosts!r:.80}", field="boosts"
            ) from None
        items = checked_indices(items, len(self), "boosts")
        if amounts.shape != items.shape:
            raise InvalidArgumentError(
                f"boosts: expected an amount for each of the {len(items)} items, got {list(amounts.shape)}",
                field="boosts",
            )
        if not np.isfinite(amounts).all():
            raise InvalidArgumentError("boosts: expected finite amounts, got NaN or infinity", field="boosts")
        if len(np.unique(items)) < len(items):
            raise InvalidArgumentError("boosts: expected each item once, got some twice", field="boosts")
        total = np.zeros(len(self), np.float32) if self.biases is None else self.biases.copy()
        total[items] += amounts
        return total


def _is_matrix(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype == np.float32 and value.flags.c_contiguous


def _thresholds(value: Float32Array | float | None, n: int) -> Float32Array | None:
    if value is None:
        return None
    if np.ndim(value) == 0:
        return np.full(n, real(value, "thresholds"), np.float32)
    return np.asarray(value)
