"""A server with a state, in processes of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tests.service.owned import OwnedServer

if TYPE_CHECKING:
    from pathlib import Path


class StateServer(OwnedServer):
    """A server over an index, or a registry that it follows, with a state."""

    told = "the state is served"
    state: Path

    @classmethod
    def start(cls, served: Path, state: Path, *, workers: int = 1, settings: str = "", more: str = "") -> Self:
        """Settings are those of StateConfig, and `more` the arguments of `serve`, as source text."""
        followed = f"models=ModelsConfig(registry={str(served)!r}, poll_seconds=0.05)"
        what = followed if (served / "versions").is_dir() else f"index_path={str(served)!r}"
        made = cls.code(
            "from recocore.service import ModelsConfig, ServerConfig, StateConfig, serve\n"
            "from recocore.service.door.config import HttpConfig\n"
            "from recocore.service.observe.config import MetricsConfig\n"
            "from recocore.service.observe.observing import Observing\n"
            "from recocore.service.profiles.config import ProfilesConfig\n"
            f"serve({what}, port=0, workers={workers}, state=StateConfig(path={str(state)!r}, {settings}), {more})"
        )
        made.state = state
        return made
