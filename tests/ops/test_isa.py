"""Forcing an instruction set runs its kernels, and they agree."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from recocore import _native
from recocore.ops import topk

CODE = """
import sys, numpy as np
from recocore import _native
from recocore.models import ALS
from recocore.data import Interactions
from recocore.ops import topk
rng = np.random.default_rng(3)
queries, items = (rng.normal(size=(n, 37)).astype(np.float32) for n in (20, 300))
ids, scores = topk(queries, items, 10)
data = Interactions.from_coo(rng.integers(0, 40, 600), rng.integers(0, 30, 600))
many = Interactions.from_coo(rng.integers(0, 2000, 12000), rng.integers(0, 200, 12000))  # short rows: the dual
factors = ALS(factors=20, iterations=2).fit(data).user_factors
model = ALS(factors=64, iterations=2).fit(many)
assert sum(report.dual for report in model.reports) > 0
kernels = _native.kernel_isas()
np.savez(sys.argv[1], isa=_native.active_isa(), **kernels, ids=ids, scores=scores, factors=factors, many=model.user_factors)
"""


THREADS = """
import numpy as np
from recocore.data import Interactions
from recocore.models import ALS
rng = np.random.default_rng(4)
# A row of 17,000 entries is shared by all threads, the others are one thread's each.
users = np.concatenate([np.zeros(17000, int), rng.integers(1, 400, 8000)])
items = np.concatenate([np.arange(17000), rng.integers(0, 300, 8000)])
data = Interactions.from_coo(users, items)
for solver in ("cholesky", "cg", "subspace", "auto"):
    for loss in ("ials", "original"):
        fits = [ALS(24, solver=solver, loss=loss, iterations=1, num_threads=n).fit(data) for n in (1, 2, 7)]
        assert len({fit.user_factors.tobytes() + fit.item_factors.tobytes() for fit in fits}) == 1, (solver, loss)
"""


def run(isa: str, out: str, code: str = CODE) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RECOCORE_FORCE_ISA": isa}
    return subprocess.run(
        [sys.executable, "-c", code, out], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("isa", _native.supported_isas())
def test_the_forced_instruction_set_runs_and_agrees_with_float64(isa: str, tmp_path: object) -> None:
    out = f"{tmp_path}/{isa}.npz"
    done = run(isa, out)
    assert done.returncode == 0, done.stderr
    found = np.load(out)
    assert str(found["isa"]) == str(found["scan"]) == isa
    # Codes of 8 bits are all that the last two instruction sets bring anything to.
    plain = "avx512" if isa in ("avx512_vnni", "amx") else isa
    assert {str(found[family]) for family in ("dense", "float64", "least_squares", "pairs")} == {plain}
    rng = np.random.default_rng(3)
    queries, items = (rng.normal(size=(n, 37)).astype(np.float32) for n in (20, 300))
    exact = queries.astype(np.float64) @ items.T.astype(np.float64)
    np.testing.assert_allclose(found["scores"], -np.sort(-exact, axis=1)[:, :10], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(exact, found["ids"].astype(int), 1), found["scores"], rtol=1e-5)
    scalar = f"{tmp_path}/reference.npz"
    assert run("scalar", scalar).returncode == 0
    for name in ("factors", "many"):
        np.testing.assert_allclose(found[name], np.load(scalar)[name], atol=2e-4)


@pytest.mark.parametrize("isa", _native.supported_isas())
def test_every_solver_gives_the_same_bytes_at_every_thread_count(isa: str) -> None:
    done = run(isa, "", THREADS)
    assert done.returncode == 0, done.stderr


def test_an_unknown_instruction_set_is_refused_with_those_there_are(tmp_path: object) -> None:
    done = run("vax", f"{tmp_path}/none.npz")
    assert done.returncode != 0
    assert "UnsupportedError: RECOCORE_FORCE_ISA: expected one that this machine runs (scalar" in done.stderr


def test_topk_is_exported() -> None:
    assert callable(topk)
