"""The thread that syncs holds up nobody, and ends when it is told, whatever it is at."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.state.made import rows

from recocore.state import Durability, StateConfig, StateStore
from recocore.state.disk import Disk
from recocore.state.flushing import Flusher

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_stop_just_before_the_wakes_are_cleared_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner waited for ever for its thread at its end, once in some dozen ends."""
    flusher = Flusher(lambda: True, 0.0)
    clear = flusher._work.clear

    def stop_and_clear() -> None:
        flusher._stop.set()
        flusher._work.set()
        clear()

    monkeypatch.setattr(flusher._work, "clear", stop_and_clear)
    flusher.wake()
    thread = flusher._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()


class WaitingDisk(Disk):
    """Syncs once it may."""

    def __init__(self) -> None:
        self.entered, self.may = threading.Event(), threading.Event()
        self.may.set()

    def sync(self, descriptor: int) -> None:
        self.entered.set()
        assert self.may.wait(30)
        super().sync(descriptor)


def test_events_are_taken_and_read_while_the_device_is_waited_for(tmp_path: Path) -> None:
    disk, made = WaitingDisk(), rows(30)
    with StateStore.open(tmp_path / "state", StateConfig(buffered_ms=1), disk=disk) as store:
        store.record(made[:10])  # makes keys, with a sync of its own
        disk.entered.clear()
        disk.may.clear()
        store.record(made[10:20], durability=Durability.BUFFERED)
        assert disk.entered.wait(30)
        receipt = store.record(made[20:], durability=Durability.BUFFERED)
        assert store.commit == receipt.commit
        assert store.user(made[-1]["user_id"]) is not None
        disk.may.set()
        store.flush()
        assert store.verify() == 30
