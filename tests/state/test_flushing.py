"""The thread that syncs ends when it is told, whatever it is at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.state.flushing import Flusher

if TYPE_CHECKING:
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
