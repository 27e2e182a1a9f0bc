"""A fit that was killed goes on from its checkpoints to the bytes that it would have had."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.data import Interactions, hold_out
from recocore.errors import CancelledError, CorruptError, InvalidArgumentError
from recocore.models import ALS, Validation
from recocore.storage.document import seal

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.data import Split

EPOCHS = 9

# Prints a line for each epoch and then waits to be killed or told to go on; or kills itself at the n-th call of fsync,
# which is in the midst of writing a checkpoint.
CHILD = """
import os, signal, sys
import numpy as np
from recocore.data import Interactions
from recocore.models import ALS
folder, solver, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
fsync, count = os.fsync, 0
def dying(descriptor):
    global count
    count += 1
    if count == calls:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = dying
def wait(report):
    if not calls:
        print(report.epoch, flush=True)
        sys.stdin.readline()
rng = np.random.default_rng(5)
data = Interactions.from_coo(rng.integers(0, 80, 1500), rng.integers(0, 50, 1500), rng.uniform(0.5, 2, 1500))
ALS(factors=40, iterations=9, solver=solver).fit(data, on_epoch=wait, checkpoint=folder)
"""


@pytest.fixture(scope="module")
def data() -> Interactions:
    rng = np.random.default_rng(5)
    return Interactions.from_coo(rng.integers(0, 80, 1500), rng.integers(0, 50, 1500), rng.uniform(0.5, 2, 1500))


@pytest.fixture(scope="module")
def split(data: Interactions) -> Split:
    return hold_out(data, 0.3)


def factors(model: ALS) -> bytes:
    return model.user_factors.tobytes() + model.item_factors.tobytes()


def epochs(folder: Path) -> list[int]:
    assert not [entry.name for entry in folder.iterdir() if not entry.name.startswith("epoch-")]
    return sorted(int(entry.name.removeprefix("epoch-")) for entry in folder.iterdir())


def child(folder: Path, solver: str, calls: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), solver, str(calls)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("solver", "seed"), [("cholesky", 1), ("cg", 2), ("subspace", 3)])
def test_kill_9_at_a_random_epoch_and_resume(data: Interactions, tmp_path: Path, solver: str, seed: int) -> None:
    last = int(np.random.default_rng(seed).integers(1, EPOCHS))
    with child(tmp_path / "run", solver, 0) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for epoch in range(1, last + 1):
            assert running.stdout.readline() == f"{epoch}\n"
            if epoch < last:
                running.stdin.write("\n")
                running.stdin.flush()
        running.kill()
        assert running.wait() == -signal.SIGKILL
    assert epochs(tmp_path / "run")[-1] == last
    whole = ALS(factors=40, iterations=EPOCHS, solver=solver, num_threads=1).fit(data)
    solved: list[int] = []
    resumed = ALS(factors=40, iterations=EPOCHS, solver=solver, num_threads=2)
    resumed.fit(data, on_epoch=lambda report: solved.append(report.epoch), checkpoint=tmp_path / "run")
    assert solved == list(range(last + 1, EPOCHS + 1))
    assert factors(resumed) == factors(whole)
    assert [report.epoch for report in resumed.history] == list(range(1, EPOCHS + 1))
    assert resumed.reports == whole.reports


@pytest.mark.parametrize("calls", [1, 4, 5, 8, 12])
def test_kill_9_while_a_checkpoint_is_written(data: Interactions, tmp_path: Path, calls: int) -> None:
    """An epoch takes five calls of fsync: three files, their folder, and the folder around it after the rename."""
    with child(tmp_path / "run", "cg", calls) as running:
        assert running.wait() == -signal.SIGKILL
    model = ALS(factors=40, iterations=EPOCHS, solver="cg")
    solved: list[int] = []
    model.fit(data, on_epoch=lambda report: solved.append(report.epoch), checkpoint=tmp_path / "run")
    assert solved[0] == calls // 5 + 1
    assert factors(model) == factors(ALS(factors=40, iterations=EPOCHS, solver="cg").fit(data))
    assert epochs(tmp_path / "run") == [EPOCHS - 1, EPOCHS]


def test_a_finished_fit_is_read_back_and_may_go_further(data: Interactions, tmp_path: Path) -> None:
    model = ALS(factors=8, iterations=3).fit(data, checkpoint=tmp_path / "run", track_objective=True)
    again = ALS(factors=8, iterations=3)
    again.fit(data, on_epoch=lambda report: pytest.fail("nothing is left to solve"), checkpoint=tmp_path / "run")
    assert (factors(again), again.history) == (factors(model), model.history)
    further = ALS(factors=8, iterations=5).fit(data, checkpoint=tmp_path / "run")
    assert factors(further) == factors(ALS(factors=8, iterations=5).fit(data))
    with pytest.raises(InvalidArgumentError, match="is at epoch 5, beyond iterations=4; raise iterations, or choose"):
        ALS(factors=8, iterations=4).fit(data, checkpoint=tmp_path / "run")


def test_early_stopping_goes_on_as_if_never_stopped(split: Split, tmp_path: Path) -> None:
    """The best epoch stays on disk however long ago it was."""
    script = [1.0, 5.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0]

    def fit(values: list[float], **options: Any) -> ALS:
        left = iter(values)

        def scripted(model: Any, held_out: Any) -> float:
            return next(left)

        model = ALS(factors=6, iterations=8)
        with suppress(CancelledError):
            model.fit(split.train, validation=Validation(split.test, scripted, patience=5), **options)
        return model

    whole = fit(script)
    assert (whole.best_epoch, len(whole.history)) == (2, 7)
    halves: list[int] = []

    def cancel() -> bool:
        halves.append(1)
        return len(halves) > 9 + 3  # asked as often before the first

    stopped = fit(script, checkpoint=tmp_path / "run", cancel=cancel)
    done = len(stopped.history)
    assert done == 4  # the tenth half-epoch was the second of epoch 5
    assert epochs(tmp_path / "run") == [2, 3, 4]
    assert factors(stopped) == factors(whole)
    resumed = fit(script[done:], checkpoint=tmp_path / "run")
    assert factors(resumed) == factors(whole)
    assert [report.validation for report in resumed.history] == script[:7]


def test_another_fit_is_refused_and_what_differs_is_named(data: Interactions, split: Split, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ALS(factors=8, iterations=2).fit(data, checkpoint=run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    other = Interactions.from_csr(abs(data.matrix.to_scipy() * 2))
    for model, given, message in (
        (ALS(factors=9, iterations=2), data, "factors was 8, is 9; fit the same, or choose another folder"),
        (ALS(factors=8, iterations=2, seed=1, alpha0=0.5), data, "alpha0 was None, is 0.5; seed was 0, is 1"),
        (ALS(factors=8, iterations=2), other, "interactions.sha256 was "),
        (ALS(factors=8, iterations=2), split.train, "interactions.entries was "),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            model.fit(given, checkpoint=run)
    with pytest.raises(InvalidArgumentError, match=r"validation was None, is \{"):
        ALS(factors=8, iterations=2).fit(data, validation=data, checkpoint=run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    ALS(factors=8, iterations=2, num_threads=1).fit(data, checkpoint=run)


@pytest.mark.parametrize(
    "damage", ["truncate", "flip", "missing", "folder", "manifest", "no manifest", "folder as manifest", "empty"]
)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_there(
    data: Interactions, tmp_path: Path, damage: str
) -> None:
    run = tmp_path / "run"
    ALS(factors=8, iterations=4).fit(data, checkpoint=run)
    path, manifest = run / "epoch-000004" / "user_factors.npy", run / "epoch-000004" / "manifest.json"
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-8])
    elif damage == "flip":
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)
    elif damage == "missing":
        path.unlink()
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "folder as manifest":
        manifest.unlink()
        manifest.mkdir()
    elif damage == "manifest":
        manifest.write_text(manifest.read_text().replace('"epoch": 3', '"epoch": 2'))
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_bytes(b"")
    named = path.name if damage in {"truncate", "flip", "missing", "folder"} else manifest.name
    with pytest.raises(CorruptError, match=rf"checkpoint: .*{named}.*delete .*epoch-000004 to go on from epoch 3"):
        ALS(factors=8, iterations=6).fit(data, checkpoint=run)
    shutil.rmtree(run / "epoch-000004")
    model = ALS(factors=8, iterations=6).fit(data, checkpoint=run)
    assert factors(model) == factors(ALS(factors=8, iterations=6).fit(data))


def test_a_history_of_another_version_is_refused(data: Interactions, tmp_path: Path) -> None:
    ALS(factors=8, iterations=1).fit(data, checkpoint=tmp_path)
    manifest = tmp_path / "epoch-000001" / "manifest.json"
    body = json.loads(manifest.read_text())
    body.pop("digest")
    body["about"]["history"][0]["colour"] = "red"
    manifest.write_bytes(seal(body))
    with pytest.raises(CorruptError, match=r"history: not as this recocore writes it.*to begin again"):
        ALS(factors=8, iterations=2).fit(data, checkpoint=tmp_path)


def test_a_folder_belongs_to_one_fit_at_a_time(data: Interactions, tmp_path: Path) -> None:
    def second(report: object) -> None:
        ALS(factors=8, iterations=1).fit(data, checkpoint=tmp_path / "run")

    with pytest.raises(InvalidArgumentError, match=r"another fit is writing to .*run; choose another folder, or wait"):
        ALS(factors=8, iterations=2).fit(data, on_epoch=second, checkpoint=tmp_path / "run")
    ALS(factors=8, iterations=2).fit(data, checkpoint=tmp_path / "run")


def test_what_is_no_folder_is_refused(data: Interactions, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a diary")
    for given, message in ((file, f"but {file} is none; choose another path"), ("", "got ''"), (5, "got 5")):
        with pytest.raises(InvalidArgumentError, match=f"checkpoint: expected .*folder.*{message}"):
            ALS(factors=8, iterations=2).fit(data, checkpoint=given)  # type: ignore[arg-type]
    assert file.read_text() == "a diary"


def test_a_missing_parent_is_named(data: Interactions, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"checkpoint: expected a folder that exists around .*absent"):
        ALS(factors=8, iterations=2).fit(data, checkpoint=tmp_path / "absent" / "run")
