"""Lifetime models as one artefact: after a kill or a fault at any step they are those of one fit, and damage is named."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.profiles.made_up import made_up

from recocore.errors import CorruptError
from recocore.profiles.lifetime import BGNBD, LifetimeModels
from recocore.storage.document import seal

if TYPE_CHECKING:
    from pathlib import Path

# The calls by which a file is made, written, made durable and given its name.
STEPS = ("mkdir", "open", "fdopen", "fsync", "replace")

# Saves the second models over the first ones, again and again, in a process that dies before its n-th such call; ends
# with the first one that lives. Prints what is loaded after each.
CHILD = """
import os, signal, sys
from recocore.profiles.lifetime import LifetimeModels
first, second = (LifetimeModels.load(path) for path in sys.argv[1:3])
folder, n, status = sys.argv[3], 0, 1
while status:
    first.save(folder)
    n, child = n + 1, os.fork()
    if not child:
        left = n
        def dying(call):
            def called(*arguments, **named):
                global left
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **named)
            return called
        for step in sys.argv[4].split(","):
            setattr(os, step, dying(getattr(os, step)))
        second.save(folder)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(status, LifetimeModels.load(folder).version)
"""


@pytest.fixture(scope="module")
def both() -> tuple[LifetimeModels, LifetimeModels]:
    return LifetimeModels.fit(made_up(200)), LifetimeModels.fit(made_up(200), penalizer=0.1)


def parts(models: LifetimeModels) -> list[Any]:
    assert models.spend is not None
    return [model.to_body() for model in (models.purchases, models.purchases_modified, models.spend)]


def test_what_is_saved_is_loaded(both: tuple[LifetimeModels, LifetimeModels], tmp_path: Path) -> None:
    first, second = both
    assert first.version != second.version
    first.save(tmp_path / "models")
    read = LifetimeModels.load(tmp_path / "models")
    assert (parts(read), read.version) == (parts(first), first.version)
    LifetimeModels(first.purchases, first.purchases_modified, None).save(tmp_path / "models")
    assert LifetimeModels.load(tmp_path / "models").spend is None
    assert [entry.name for entry in (tmp_path / "models").iterdir()] == ["models.json"]


def test_kill_9_at_each_step_leaves_models_of_one_fit(
    both: tuple[LifetimeModels, LifetimeModels], tmp_path: Path
) -> None:
    paths = [tmp_path / "first", tmp_path / "second", tmp_path / "models"]
    for models, path in zip(both, paths, strict=False):
        models.save(path)
    arguments = [*map(str, paths), ",".join(STEPS)]
    told = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=True)
    seen = [line.split() for line in told.stdout.splitlines()]
    killed = [version for status, version in seen if status == "9"]
    assert [status for status, _ in seen] == ["9"] * len(killed) + ["0"]
    # The old ones until the name is given, the new ones after that.
    first, second = (models.version for models in both)
    turned = killed.index(second)
    assert killed == [first] * turned + [second] * (len(killed) - turned)
    assert turned >= 5
    assert seen[-1][1] == second


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_fault_at_each_step_leaves_models_of_one_fit(
    both: tuple[LifetimeModels, LifetimeModels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first, second = both
    first.save(tmp_path / "models")
    call, faults = getattr(os, step), 0
    for place in range(1, 10):
        left = place

        def failing(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if not left:
                raise OSError(errno.ENOSPC, "no space left on device")
            return call(*arguments, **named)

        with monkeypatch.context() as patched:
            patched.setattr(os, step, failing)
            try:
                second.save(tmp_path / "models")
            except OSError:
                faults += 1
        read = LifetimeModels.load(tmp_path / "models")
        assert parts(read) in (parts(first), parts(second))
        assert [entry.name for entry in (tmp_path / "models").iterdir()] == ["models.json"]
        if left > 0:
            break
    assert faults >= 1
    assert parts(read) == parts(second)


def test_damage_is_named(both: tuple[LifetimeModels, LifetimeModels], tmp_path: Path) -> None:
    first, second = both
    with pytest.raises(FileNotFoundError, match=r"models\.json"):
        LifetimeModels.load(tmp_path)
    first.save(tmp_path)
    path = tmp_path / "models.json"
    whole = path.read_bytes()
    for position in range(0, len(whole), 97):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(CorruptError, match=r"models\.json"):
            LifetimeModels.load(tmp_path)
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptError, match=r"models\.json"):
            LifetimeModels.load(tmp_path)
    # Sealed anew, but put together from two fits, of a later format, or of something else.
    body = json.loads(whole)
    body.pop("digest")
    mixed = {**body, "purchases": second.purchases.to_body()}
    for other, why in (
        (mixed, "version: expected"),
        ({**body, "format": 2}, "of format 1"),
        ({**body, "spend": 7}, "spend"),
    ):
        path.write_bytes(seal(other))
        with pytest.raises(CorruptError, match=why):
            LifetimeModels.load(tmp_path)


def test_models_of_separate_files_are_refused_by_name(
    both: tuple[LifetimeModels, LifetimeModels], tmp_path: Path
) -> None:
    """Earlier versions wrote a file for each, which a crash could leave of different fits."""
    assert isinstance(both[0].purchases, BGNBD)
    both[0].purchases.save(tmp_path / "bgnbd.json")
    with pytest.raises(CorruptError, match=r"expected models\.json, .* fit them again with `recocore profiles build"):
        LifetimeModels.load(tmp_path)
    both[0].save(tmp_path)
    assert LifetimeModels.load(tmp_path).version == both[0].version
