"""How alike the rows of a sparse matrix are."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from recocore import _native
from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import checked_indices, integer, real, sparse, threads
from recocore.ops.device import checked_device, stream_handle

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import scipy.sparse as sp

    from recocore.types import Progress

# The parameters that a kind takes beside the common ones, with their defaults.
SIMILARITY_KINDS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "cosine": {},
        "adjusted_cosine": {},
        "adjusted_cosine_corated": {},
        "pearson": {},
        "pearson_whole": {},
        "jaccard": {},
        "tanimoto": {},
        "dice": {},
        "tversky": {"alpha": 0.5, "beta": 0.5},
        "asymmetric_cosine": {"alpha": 0.5},
        "tfidf": {},
        "bm25": {"k1": 1.2, "b": 0.75},
        "lift": {},
        "conditional_probability": {},
        "log_likelihood_ratio": {},
        "cooccurrence": {},
        "p3alpha": {"alpha": 1.0},
        "rp3beta": {"alpha": 1.0, "beta": 0.6},
    }
)


def similarity(
    matrix: Any,
    kind: str = "cosine",
    k: int | None = 100,
    shrinkage: float = 0.0,
    min_support: int = 1,
    num_threads: int = 0,
    *,
    threshold: float | None = None,
    include_self: bool = False,
    alpha: float | None = None,
    beta: float | None = None,
    k1: float | None = None,
    b: float | None = None,
    rows: Any = None,
    progress: Progress | None = None,
    device: str = "cpu",
    stream: Any = None,
) -> sp.csr_matrix[np.float32]:
    r"""Compare every two rows of `matrix` that share a column and keep the k most similar of each row.

    Rows are i and j, a column is u; n_i is the number of entries stored in row i (a stored zero counts as observed),
    n_ij the number of columns stored in both, df_u the number of rows stored in column u, of M rows and N columns. Sums
    run over the common columns; norms \|x\| run over the whole row. 0/0 is 0.

    ========================= =========================================================================================
    kind                      score of row j for row i
    ========================= =========================================================================================
    cosine                    sum xy / (\|x\| \|y\|)
    adjusted_cosine           cosine after each entry lost its column's mean over stored entries
    adjusted_cosine_corated   the same with norms over the common columns (Sarwar et al. 2001, section 3.1.3)
    pearson                   correlation over the common columns with means over them; 0 below two of them, and where
                              a row's common values are constant (within 1e-5 of their distance from its mean)
    pearson_whole             cosine after each entry lost its row's mean over stored entries
    jaccard                   n_ij / (n_i + n_j - n_ij), values ignored
    tanimoto                  sum xy / (\|x\|^2 + \|y\|^2 - sum xy)
    dice                      2 n_ij / (n_i + n_j), values ignored
    tversky                   n_ij / (n_ij + alpha (n_i - n_ij) + beta (n_j - n_ij)), values ignored
    asymmetric_cosine         sum xy / (\|x\|^(2 alpha) \|y\|^(2 - 2 alpha)), alpha in [0, 1] (Aiolli 2013)
    tfidf                     cosine of sqrt(x) idf_u, with idf_u = max(0, ln M - ln(1 + df_u))
    bm25                      sum of products of x (k1 + 1) / (k1 (1 - b + b l_i / mean l) + x) idf_u, l_i being the sum
                              of row i and the mean over all rows; not normalised, so it grows with popularity
    lift                      n_ij N / (n_i n_j)
    conditional_probability   n_ij / n_i, the chance of j where i is
    log_likelihood_ratio      G^2 of the 2 x 2 table of i and j over N columns (Dunning 1993); rows that avoid each
                              other score high too
    cooccurrence              n_ij
    p3alpha                   sum of (x_iu / sum of row i)^alpha (x_ju / sum of column u)^alpha (Cooper et al. 2014)
    rp3beta                   p3alpha / n_j^beta (Paudel et al. 2017)
    ========================= =========================================================================================

    Args:
        matrix: `[rows, columns]` SciPy sparse matrix of any real dtype, or a `Csr` in canonical form. Duplicates of a
            SciPy matrix are summed. tfidf, bm25, p3alpha and rp3beta take no negative values.
        kind: one of `SIMILARITY_KINDS`.
        k: neighbours kept for each row, by score descending and then row number ascending; None keeps all.
        shrinkage: at least 0; every score is multiplied by n_ij / (n_ij + shrinkage).
        min_support: pairs with fewer common columns are left out.
        num_threads: 0 for one a core; the result has the same bytes at every number.
        threshold: scores below are left out; compared in float32.
        include_self: whether a row may be among its own neighbours.
        alpha: of tversky, asymmetric_cosine, p3alpha and rp3beta; None takes the default of the kind.
        beta: of tversky and rp3beta; likewise.
        k1: of bm25; likewise.
        b: of bm25, in [0, 1]; likewise.
        rows: integers `[n]`, the only rows whose neighbours are wanted, in any order; they are compared with all rows, in
            the time of their own comparisons and O(entries). None for every row.
        progress: told the part done in [0, 1]; an exception that it raises stops the computation.
        device: cpu, or cuda. Sums are the same there; scores may differ in the last bit.
        stream: of CUDA, see `recocore.ops.topk`.

    Returns:
        float32 CSR `[rows, rows]` with columns rising in each row, or `[n, rows]` with the same bytes for each of the n
        rows asked for. A score of exactly 0 is not stored.

    Raises:
        InvalidArgumentError: an unknown kind, a parameter that the kind does not take or outside its range, a matrix
            with values that are not finite (the message names the row) or negative where the kind takes none, or row
            numbers outside it.
        OutOfMemoryError: the estimate is above the memory that is free.

    Time is O(sum of df_u^2) multiply-adds. Sums are exact where the values are small whole numbers, halves or quarters, and
    float64 elsewhere; the bytes do not depend on the instruction set either. Beside the result, half as much again and
    56 MB a thread are used.

    Example:
        >>> import scipy.sparse as sp
        >>> baskets = sp.csr_matrix([[1, 1, 0], [1, 1, 1], [0, 0, 1]])
        >>> similarity(baskets, "dice", k=1).toarray().tolist()
        [[0.0, 0.800000011920929, 0.0], [0.800000011920929, 0.0, 0.0], [0.0, 0.5, 0.0]]
    """
    compared = sparse(matrix, "matrix")
    given = {"alpha": alpha, "beta": beta, "k1": k1, "b": b}
    return Csr.from_native(
        _native.similarity(
            compared.native,
            kind,
            k=None if k is None else integer(k, "k"),
            shrinkage=real(shrinkage, "shrinkage"),
            min_support=integer(min_support, "min_support"),
            threshold=None if threshold is None else real(threshold, "threshold"),
            include_self=bool(include_self),
            rows=None if rows is None else checked_indices(rows, compared.shape[0], "rows"),
            num_threads=threads(num_threads),
            progress=progress,
            device=checked_device(device),
            stream=stream_handle(stream),
            **_parameters(kind, {name: value for name, value in given.items() if value is not None}),
        )
    ).to_scipy()


def _parameters(kind: object, given: Mapping[str, float]) -> dict[str, float]:
    """The kind's parameters: its defaults under what was given."""
    if not isinstance(kind, str) or kind not in SIMILARITY_KINDS:
        raise InvalidArgumentError(f"kind: expected one of {', '.join(SIMILARITY_KINDS)}; got {kind!r}", field="kind")
    taken = dict(SIMILARITY_KINDS[kind])
    for name, value in given.items():
        if name not in taken:
            takers = ", ".join(other for other, names in SIMILARITY_KINDS.items() if name in names)
            raise InvalidArgumentError(f"{name}: kind {kind!r} does not take it; these kinds do: {takers}", field=name)
        taken[name] = real(value, name)
    return taken
