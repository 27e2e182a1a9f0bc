"""The memory of a fit: estimated before it is taken, and as much as was estimated."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError, NotFittedError, OutOfMemoryError
from recocore.models import ALS

# Growth of the resident memory from an empty process to the peak of a fit, beside the estimate. The columns of a row are
# a stride apart, so that building the matrix takes no more than fitting it.
CHILD = """
import json, sys
import numpy as np
import scipy.linalg
from recocore.csr import Csr
from recocore.data import IdMap, Interactions
from recocore.models import ALS
n_users, n_items, each, settings = json.loads(sys.argv[1])
keeps, columns, weighted = (settings.pop(name) for name in ("keeps", "features", "weighted"))
options = {"cancel": lambda: False} if keeps else {}
def features(rows, columns):
    indices = np.random.default_rng(1).integers(0, columns, rows).astype(np.int32)
    return Csr(np.arange(rows + 1), indices, np.ones(rows, np.float32), (rows, columns))
# OpenBLAS keeps the buffers of the first large system for the process.
scipy.linalg.cho_solve(scipy.linalg.cho_factor(np.eye(1_500)), np.ones((1_500, 64)))
late = {f"{side}_features": features(2, 2) for side in columns}
ALS(**{**settings, "factors": 2}).fit(Interactions.from_coo([0, 1], [0, 1]), **options, **late)  # loads what is loaded late
def resident(name):  # ru_maxrss would start at the size of the process that started this one
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))
before = resident("VmRSS")
rng = np.random.default_rng(0)
stride = n_items // each
indices = np.empty(n_users * each, np.int32)
indices.reshape(n_users, each)[:] = rng.integers(0, stride, (n_users, 1)) + stride * np.arange(each)
indptr = np.arange(0, n_users * each + 1, each)
matrix = Csr(indptr, indices, np.ones(len(indices), np.float32), (n_users, n_items))
data = Interactions(IdMap.range(n_users), IdMap.range(n_items), matrix)
model = ALS(**settings)
counts = {"user": n_users, "item": n_items}
given = {f"{side}_features": (width, counts[side]) for side, width in columns.items()}
estimate = model.estimate_memory(n_users, n_items, matrix.nnz, keeps_epochs=keeps, weighted=weighted, **given)
options |= {f"{side}_features": features(counts[side], width) for side, width in columns.items()}
if weighted:
    options["weights"] = np.ones(matrix.nnz, np.float32)
model.fit(data, **options)
needed = 16 * matrix.nnz + 4 * model.factors * (n_users + n_items)
print(json.dumps([resident("VmHWM") - before, estimate.total, needed]))
"""


@pytest.mark.parametrize(
    ("n_users", "n_items", "each", "settings"),
    [
        (100_000, 40_000, 20, {"factors": 64, "solver": "cg", "cg_steps": 1, "keeps": False}),
        (30_000, 90_000, 20, {"factors": 96, "solver": "cg", "cg_steps": 1, "keeps": True}),
        (150_000, 1_000, 40, {"factors": 16, "solver": "cholesky", "keeps": False}),
        (100_000, 60_000, 10, {"factors": 64, "solver": "cholesky"}),
        (30_000, 90_000, 20, {"factors": 96, "solver": "auto"}),
        (40_000, 100_000, 20, {"factors": 64, "solver": "cg", "cg_steps": 1, "features": {"item": 1_500}}),
        (100_000, 30_000, 20, {"factors": 48, "solver": "cg", "cg_steps": 1, "features": {"user": 40, "item": 5_000}}),
        (100_000, 40_000, 20, {"factors": 46, "solver": "cg", "cg_steps": 1, "loss": "explicit", "weighted": True}),
    ],
)
def test_a_fit_takes_what_was_estimated(n_users: int, n_items: int, each: int, settings: dict[str, object]) -> None:
    # A second epoch is solved beside the copy of the first.
    settings = {"keeps": False, "features": {}, "weighted": False, "num_threads": 2, **settings}
    settings["iterations"] = 2 if settings["keeps"] else 1
    arguments = json.dumps([n_users, n_items, each, settings])
    done = subprocess.run([sys.executable, "-c", CHILD, arguments], capture_output=True, text=True, check=True)
    measured, estimated, needed = json.loads(done.stdout)
    assert measured == pytest.approx(estimated, rel=0.2)
    if settings["factors"] != 46 and not settings["features"] and not settings["keeps"]:
        assert measured < 1.3 * needed, "the factors and the interactions each way"


def test_the_estimate_has_its_parts() -> None:
    model = ALS(factors=32, num_threads=2)
    plain = model.estimate_memory(1000, 500, 20_000)
    assert plain.interactions == 2 * 20_000 * 8 + (1001 + 501) * 8
    assert plain.factors == 1500 * 32 * 4
    assert plain.kept == 0
    assert plain.work > 1000 * 32 * 4
    assert plain.total == plain.interactions + plain.factors + plain.work
    assert model.estimate_memory(1000, 500, 20_000, keeps_epochs=True).kept == plain.factors
    assert model.estimate_memory(1000, 500, 20_000, mapped=True).interactions == 0
    assert model.estimate_memory(1000, 500, 20_000, weighted=True).interactions == plain.interactions + 2 * 20_000 * 4
    featured = model.estimate_memory(1000, 500, 20_000, item_features=(10, 500))
    assert featured.features > 8 * 500 + 8 * 501 + 8 * 10**2
    assert featured.total == plain.interactions + plain.factors + featured.work + featured.features
    assert str(plain).startswith("1 MB (interactions 0, factors 0, work ")
    with pytest.raises(InvalidArgumentError, match="nnz: expected an integer of at least 0, got -1"):
        model.estimate_memory(1, 1, -1)
    with pytest.raises(InvalidArgumentError, match=r"item_features: expected \(columns, entries\) of the matrix"):
        model.estimate_memory(1, 1, 1, item_features=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="user_features: expected an integer of at least 0, got -2"):
        model.estimate_memory(1, 1, 1, user_features=(3, -2))


def test_memory_is_refused_before_it_is_taken() -> None:
    many_users = Interactions.from_csr(sp.csr_matrix(([1.0], ([0], [0])), shape=(30_000_000, 2)))
    with pytest.raises(OutOfMemoryError, match=r"ALS with 2048 factors: needs \d{6} MB"):
        ALS(factors=2048).fit(many_users)


def test_a_fit_may_be_given_a_limit() -> None:
    rng = np.random.default_rng(1)
    data = Interactions.from_coo(rng.integers(0, 300, 2000), rng.integers(0, 200, 2000))
    model = ALS(factors=16, iterations=1)
    needed = model.estimate_memory(data.n_users, data.n_items, data.nnz).total
    with pytest.raises(
        OutOfMemoryError,
        match=r"ALS with 16 factors: needs \d+ MB \(.*work \d+\), more than memory_limit allows, \d+ MB",
    ):
        model.fit(data, memory_limit=needed - 1)
    with pytest.raises(NotFittedError):
        model.recommend([0])
    model.fit(data, memory_limit=needed)
    with pytest.raises(OutOfMemoryError, match=r"kept"):
        model.fit(data, cancel=lambda: False, memory_limit=needed)
    with pytest.raises(InvalidArgumentError, match=r"memory_limit: expected an integer of at least 0, got 1\.5"):
        model.fit(data, memory_limit=1.5)  # type: ignore[arg-type]
