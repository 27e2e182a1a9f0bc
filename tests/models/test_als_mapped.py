"""A fit whose interactions lie in files takes memory for the factors alone, and gives the bytes of a fit in memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.data import IdMap, Interactions, MappedInteractions
from recocore.models import ALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USERS, ITEMS, EACH = 60_000, 3_000, 60

# Fits under a limit of the kernel's on private memory, which read-only file maps do not count against.
CHILD = """
import hashlib, json, resource, sys
from recocore.data import Interactions, MappedInteractions
from recocore.models import ALS
folder, room = sys.argv[1], int(sys.argv[2])
settings = {"factors": 8, "iterations": 2, "num_threads": 2}
# Loads what is loaded late, and starts the threads.
ALS(**settings).fit(Interactions.from_coo(list(range(2000)), [user % 50 for user in range(2000)]), track_objective=True)
data = MappedInteractions.open(folder)
with open("/proc/self/status") as status:
    taken = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (taken + room, taken + room))
if sys.argv[3] == "mapped":
    model = ALS(**settings).fit(data, track_objective=True)
    digest = hashlib.sha256(model.user_factors.tobytes() + model.item_factors.tobytes()).hexdigest()
    print(json.dumps([digest, model.history[-1].objective]))
else:
    data.matrix.transpose()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3.6 M entries: 58 MB both ways."""
    rng = np.random.default_rng(6)
    path = tmp_path_factory.mktemp("mapped") / "data"

    def chunks() -> Iterator[tuple[Any, Any, Any]]:
        for begin in range(0, USERS, 6_000):
            users = np.repeat(np.arange(begin, begin + 6_000, dtype=np.int32), EACH)
            yield users, rng.integers(0, ITEMS, len(users), np.int32), None

    MappedInteractions.write(path, chunks(), USERS, ITEMS, duplicates="max")
    return path


def run(folder: Path, room: int, how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(folder), str(room), how]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_anonymous_memory_is_that_of_the_factors(folder: Path) -> None:
    estimate = ALS(factors=8, num_threads=2).estimate_memory(USERS, ITEMS, 0, mapped=True)
    room = 2 * estimate.total
    size = sum(path.stat().st_size for path in folder.glob("*.npy"))
    assert room < size / 3, "what is mapped would not fit"
    assert "MemoryError" in run(folder, room, "in memory").stderr
    done = run(folder, room, "mapped")
    assert done.returncode == 0, done.stderr
    digest, objective = json.loads(done.stdout)
    mapped = MappedInteractions.open(folder)
    indptr, indices, values, shape = mapped.matrix.native
    in_memory = Csr(np.array(indptr), np.array(indices), np.array(values), shape)
    data = Interactions(IdMap.range(USERS), IdMap.range(ITEMS), in_memory)
    model = ALS(factors=8, iterations=2).fit(data, track_objective=True)
    assert hashlib.sha256(model.user_factors.tobytes() + model.item_factors.tobytes()).hexdigest() == digest
    assert model.history[-1].objective == objective


def test_a_mapped_fit_is_allowed_what_it_needs_in_memory(folder: Path) -> None:
    data = MappedInteractions.open(folder)
    model = ALS(factors=8, iterations=1)
    needed = model.estimate_memory(data.n_users, data.n_items, data.nnz, mapped=True)
    assert needed.interactions == 0
    model.fit(data, memory_limit=needed.total)
    assert model.recommend([0], k=3).ids.shape == (1, 3)
