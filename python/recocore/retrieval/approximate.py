"""The same items in an approximate index of another library, and what its answers miss of the exact ones.

faiss and usearch know inner products and squared distances. So a cosine becomes the inner product of unit vectors, and a bias
one more column, which the queries meet with a 1. Items keep their ids: position in the items is faiss's and usearch's id.
Either library is optional: `pip install 'recocore[ann]'`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError, UnsupportedError
from recocore.ops.arguments import choice, integer
from recocore.recommendations import Recommendations
from recocore.retrieval.directions import unit_rows

if TYPE_CHECKING:
    from recocore.retrieval.protocol import SupportsHandOff
    from recocore.types import Float32Array

_METRICS = ("inner_product", "cosine", "euclidean")


def to_faiss(retriever: SupportsHandOff, factory: str = "HNSW32") -> Any:
    """Build a faiss index of a retriever's items, searched by the same scores.

    Args:
        retriever: has the items, the metric and the biases.
        factory: what `faiss.index_factory` builds, such as HNSW32, "IVF256,Flat" or "IVF256,PQ16". What needs training is
            trained on the items themselves.

    Returns:
        A `faiss.Index` whose ids are the items' indices; `search` asks it in the retriever's words, `handed_queries` says
        what its own `search` takes. Its inner product is the score; of euclidean, its L2 is minus the score.

    Raises:
        UnsupportedError: faiss is not installed.
        InvalidArgumentError: faiss does not know the factory, or cannot build it of these items; faiss's words are in it.
    """
    faiss = _package("faiss")
    items = handed_items(retriever)
    metric = faiss.METRIC_L2 if retriever.metric == "euclidean" else faiss.METRIC_INNER_PRODUCT
    try:
        index = faiss.index_factory(items.shape[1], factory, metric)
        if not index.is_trained:
            index.train(items)
        index.add(items)
    except RuntimeError as problem:
        raise InvalidArgumentError(
            f"factory: expected one that faiss can build of {len(items)} items, got {factory!r}; {problem}",
            field="factory",
        ) from None
    return index


def to_usearch(
    retriever: SupportsHandOff,
    *,
    dtype: str = "f32",
    connectivity: int | None = None,
    expansion_add: int | None = None,
    expansion_search: int | None = None,
    num_threads: int = 0,
) -> Any:
    """Build a usearch index of a retriever's items, searched by the same scores.

    Args:
        retriever: has the items, the metric and the biases.
        dtype: how usearch stores the vectors: f32, f16, bf16 or i8.
        connectivity: neighbours of a node of the graph; None is usearch's default, as for the next two.
        expansion_add: candidates looked at where an item is added.
        expansion_search: candidates looked at in a search.
        num_threads: of building; 0 is one for each core. With more than one the graph depends on chance.

    Returns:
        A `usearch.index.Index` whose keys are the items' indices; `search` asks it in the retriever's words,
        `handed_queries` says what its own `search` takes. Its distance is 1 minus the score; of euclidean, minus the score.

    Raises:
        UnsupportedError: usearch is not installed.
    """
    usearch = _package("usearch.index")
    items = handed_items(retriever)
    index = usearch.Index(
        ndim=items.shape[1],
        metric="l2sq" if retriever.metric == "euclidean" else "ip",
        dtype=dtype,
        connectivity=connectivity,
        expansion_add=expansion_add,
        expansion_search=expansion_search,
    )
    if len(items):
        index.add(np.arange(len(items), dtype=np.uint64), items, threads=num_threads)
    return index


def handed_items(retriever: SupportsHandOff) -> Float32Array:
    """The vectors by whose inner products, or squared distances, items score: float32 `[m, f]`, `[m, f + 1]` with biases."""
    metric = choice(retriever.metric, "metric", _METRICS)
    items = unit_rows(retriever.items).astype(np.float32) if metric == "cosine" else retriever.items
    if retriever.biases is None:
        return items
    if metric == "euclidean":
        raise InvalidArgumentError(
            "biases: expected none with euclidean, got some; a distance has no column to hold them", field="biases"
        )
    return np.concatenate([items, retriever.biases[:, None]], axis=1)


def handed_queries(retriever: SupportsHandOff, queries: Float32Array) -> Float32Array:
    """What meets `handed_items`: float32 `[n, f]` queries, of unit length for cosine, with a 1 behind where biases are."""
    metric = choice(retriever.metric, "metric", _METRICS)
    queries = np.ascontiguousarray(unit_rows(queries) if metric == "cosine" else queries, np.float32)
    if retriever.biases is None:
        return queries
    return np.concatenate([queries, np.ones((len(queries), 1), np.float32)], axis=1)


def search(index: Any, retriever: SupportsHandOff, queries: Float32Array, k: int) -> Recommendations:
    """Ask an index of `to_faiss` or `to_usearch`, with ids, scores and order as the retriever has them.

    Args:
        index: built of this retriever; save and load it as its library does.
        retriever: says the metric.
        queries: float32 `[n, f]`, as the retriever takes them.
        k: how many for each query, at least 1.

    Returns:
        ids and scores `[n, k]`: those that the index found, score descending, then id ascending; -1 and -inf where it found
        fewer.
    """
    k = integer(k, "k", 1)
    found = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    euclidean = retriever.metric == "euclidean"
    if len(queries) == 0 or len(retriever) == 0:
        return Recommendations(found.astype(np.int32), scores)
    answer = index.search(handed_queries(retriever, queries), k)
    if isinstance(answer, tuple):  # faiss: products fall, distances rise, and -1 pads
        values, labels = answer
        missing = labels < 0
        values = -values if euclidean else values
    else:  # usearch: what is beyond the count is not a match; one query comes without its axis
        labels, distances = np.atleast_2d(answer.keys), np.atleast_2d(answer.distances)
        counts = np.asarray(getattr(answer, "counts", [labels.shape[1]]))
        missing = np.arange(labels.shape[1]) >= counts[:, None]
        distances = np.where(missing, np.inf, distances)
        values = -distances if euclidean else 1 - distances
    width = labels.shape[1]
    found[:, :width] = np.where(missing, 0, labels)
    found[:, :width][missing] = -1
    scores[:, :width] = np.where(missing, -np.inf, values)
    order = np.lexsort((found, -scores), axis=1)
    return Recommendations(np.take_along_axis(found, order, 1).astype(np.int32), np.take_along_axis(scores, order, 1))


def recall(approximate_ids: Any, exact_ids: Any) -> float:
    """The share of the exact items that an approximate answer has, the mean over queries.

    Args:
        approximate_ids: integers `[n, j]`, -1 pads.
        exact_ids: integers `[n, k]`, -1 pads; each id once a row.

    Returns:
        A number in [0, 1]. Queries without an exact item are left out; 1 where all are. An item of the same score as the
        last exact one, but with a higher id, counts as a miss.

    Raises:
        InvalidArgumentError: not two 2-d arrays of integers with a row for each query.

    Example:
        >>> recall([[3, 1, 7]], [[1, 2, 3, -1]])
        0.6666666666666666
    """
    approximate, exact = np.asarray(approximate_ids), np.asarray(exact_ids)
    for ids, name in ((approximate, "approximate_ids"), (exact, "exact_ids")):
        if ids.ndim != 2 or ids.dtype.kind not in "iu":
            raise InvalidArgumentError(
                f"{name}: expected a 2-d array of integers, got {ids.ndim}-d {ids.dtype}", field=name
            )
    if len(approximate) != len(exact):
        raise InvalidArgumentError(
            f"approximate_ids: expected {len(exact)} rows as exact_ids has, got {len(approximate)}",
            field="approximate_ids",
        )
    wanted = exact >= 0
    # An id and its row in one number: rows cannot meet.
    hits = np.isin(_keys(exact), _keys(approximate)) & wanted
    judged = wanted.any(axis=1)
    if not judged.any():
        return 1.0
    return float(np.mean(hits[judged].sum(axis=1) / wanted[judged].sum(axis=1)))


def measure_recall(index: Any, retriever: SupportsHandOff, queries: Float32Array, k: int) -> float:
    """Recall@k of an approximate index against the retriever's exact answer; see `recall`.

    Args:
        index: built by `to_faiss` or `to_usearch` of this retriever.
        retriever: answers exactly.
        queries: float32 `[n, f]`, such as those of yesterday.
        k: the length of the lists, at least 1.

    Example:
        >>> index = to_faiss(retriever, "HNSW32")  # doctest: +SKIP
        >>> for width in (16, 64, 256):  # doctest: +SKIP
        ...     index.hnsw.efSearch = width
        ...     print(width, measure_recall(index, retriever, queries, 10))
    """
    return recall(search(index, retriever, queries, k).ids, retriever.topk(queries, k)[0])


def _keys(ids: Any) -> Any:
    wide = ids.astype(np.int64)
    return np.arange(len(ids), dtype=np.int64)[:, None] << 32 | np.where(wide < 0, 2**32 - 1, wide)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        library = name.partition(".")[0]
        raise UnsupportedError(
            f"{library}: expected to be installed, got {problem}; pip install 'recocore[ann]'"
        ) from problem
