"""Who can do the work: recocore on either device, and who else is installed. Whoever is not is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.gpu.work import Way
from recocore.csr import Csr
from recocore.ops import DeviceArray, similarity, topk
from recocore.ops.als import AlsObjective, als_half_epoch, checked_interactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.gpu.work import Work

_OBJECTIVE = AlsObjective(0.01, 0.1, 0.0)


def _ours_topk(work: Work, device: str, precision: str = "auto") -> Way:
    def run() -> Any:
        return topk(work.queries, work.items, work.k, device=device, precision=precision)

    return Way(f"recocore {device}" + ("" if precision == "auto" else f" {precision}"), run, lambda found: found[1])


def _ours_topk_on_device(work: Work) -> Way:
    queries, items = DeviceArray.from_host(work.queries), DeviceArray.from_host(work.items)
    return Way(
        "recocore cuda, arrays there",
        lambda: topk(queries, items, work.k, device="cuda"),
        lambda found: found[1].to_host(),
    )


def _cupy_topk(work: Work) -> Way:
    import cupy  # noqa: PLC0415

    queries, items = cupy.asarray(work.queries), cupy.asarray(work.items)

    def run() -> Any:
        best = []
        for first in range(0, len(queries), 4096):  # scores of a chunk fit beside the rest
            scores = queries[first : first + 4096] @ items.T  # cuBLAS
            ids = cupy.argpartition(-scores, work.k, axis=1)[:, : work.k]
            best.append(-cupy.sort(-cupy.take_along_axis(scores, ids, axis=1), axis=1))
        cupy.cuda.get_current_stream().synchronize()
        return cupy.concatenate(best)

    return Way("cupy (cuBLAS, argpartition), arrays there", run, lambda found: found.get())


def _faiss_topk(work: Work) -> Way:
    import faiss  # noqa: PLC0415

    index = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), work.items.shape[1])
    index.add(work.items)
    return Way("faiss-gpu flat, items there", lambda: index.search(work.queries, work.k), lambda found: found[0])


def _implicit_topk(work: Work) -> Way:
    from implicit.gpu import KnnQuery, Matrix  # noqa: PLC0415

    items, queries, query = Matrix(work.items), Matrix(work.queries), KnnQuery()
    return Way("implicit-gpu, arrays there", lambda: query.topk(items, queries, work.k), lambda found: found[1])


def _ours_als(work: Work, device: str, *, there: bool = False) -> Way:
    held = checked_interactions(Csr.from_scipy(work.matrix))
    start = np.zeros((work.matrix.shape[0], work.items.shape[1]), np.float32)
    fixed = DeviceArray.from_host(work.items) if there else work.items
    solved: Any = DeviceArray.from_host(start) if there else start.copy()

    def run() -> Any:
        als_half_epoch(held, fixed, solved, _OBJECTIVE, solver="cholesky", device=device)
        return solved

    name = f"recocore {device}" + (", factors there" if there else "")
    return Way(name, run, lambda found: found.to_host() if there else found.copy())


def _implicit_als(work: Work) -> Way:
    from implicit.gpu import CSRMatrix, LeastSquaresSolver, Matrix  # noqa: PLC0415

    f = work.items.shape[1]
    # Its confidence is alpha0 + w over alpha0; it takes three steps of conjugate gradient, so it answers another question.
    scaled = work.matrix.copy()
    scaled.data = (scaled.data + _OBJECTIVE.alpha0) / _OBJECTIVE.alpha0
    matrix, items = CSRMatrix(scaled), Matrix(work.items)
    users, gram, solver = Matrix.zeros(work.matrix.shape[0], f), Matrix.zeros(f, f), LeastSquaresSolver()

    def run() -> Any:
        solver.calculate_yty(items, gram, _OBJECTIVE.regularization / _OBJECTIVE.alpha0)
        solver.least_squares(matrix, users, gram, items, 3)
        return users

    return Way("implicit-gpu, 3 steps of cg, factors there", run, lambda _: None)


def _ours_similarity(work: Work, device: str) -> Way:
    return Way(
        f"recocore {device}",
        lambda: similarity(work.matrix, "cosine", k=work.k, device=device),
        lambda found: found.data,
    )


def ways(work: Work, *, cuda: bool) -> tuple[list[Way], list[str]]:
    """Those who can do the work here, recocore on the CPU first, and those who cannot, with the reason."""
    makers: dict[str, list[Callable[[], Way]]] = {
        "topk": [
            lambda: _ours_topk(work, "cpu"),
            *(
                [
                    lambda: _ours_topk(work, "cuda"),
                    lambda: _ours_topk(work, "cuda", "float16"),
                    lambda: _ours_topk(work, "cuda", "bfloat16"),
                    lambda: _ours_topk_on_device(work),
                    lambda: _cupy_topk(work),
                    lambda: _faiss_topk(work),
                    lambda: _implicit_topk(work),
                ]
                if cuda
                else []
            ),
        ],
        "als": [
            lambda: _ours_als(work, "cpu"),
            *(
                [
                    lambda: _ours_als(work, "cuda"),
                    lambda: _ours_als(work, "cuda", there=True),
                    lambda: _implicit_als(work),
                ]
                if cuda
                else []
            ),
        ],
        "similarity": [
            lambda: _ours_similarity(work, "cpu"),
            *([lambda: _ours_similarity(work, "cuda")] if cuda else []),
        ],
    }
    found, missing = [], [] if cuda else ["cuda: no device here; only the CPU's column is measured"]
    for make in makers[work.name.split()[0]]:
        try:
            found.append(make())
        except (ImportError, AttributeError, RuntimeError) as error:  # not installed, or built without its GPU part
            missing.append(f"{type(error).__name__}: {error}")
    return found, missing
