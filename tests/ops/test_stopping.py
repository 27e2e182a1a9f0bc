"""Long native computations can be left: by Ctrl-C, and by a process that ends while a daemon thread computes."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Start

DAEMON = """
import threading, time
import scipy.sparse as sp
from recocore import ops
matrix = sp.random(20000, 2000, 0.02, format="csr", random_state=0)
def compute():
    while True:
        ops.similarity(matrix, k=10, num_threads=2)
threading.Thread(target=compute, daemon=True).start()
time.sleep(1)
"""

# One row with very many entries, so that a single row's system takes many seconds.
INTERRUPTED = """
import numpy as np
import scipy.sparse as sp
from recocore import Interactions
from recocore.models import ALS
wide = Interactions.from_csr(sp.csr_matrix(np.ones((1, 200_000), np.float32)))
print("ready", flush=True)
ALS(factors=1024, iterations=1, solver="{solver}", num_threads={threads}).fit(wide)
"""


def test_a_process_may_end_while_a_daemon_thread_computes() -> None:
    done = subprocess.run([sys.executable, "-c", DAEMON], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_stops_even_one_endless_row(start: Start, solver: str, threads: int) -> None:
    running = start([sys.executable, "-c", INTERRUPTED.format(solver=solver, threads=threads)])
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(1.0)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")
