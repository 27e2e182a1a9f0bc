"""Keeps the process that decides on fraud at work: it is started before the workers and ended after them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from recocore.service.processes.ready_keeper import ReadyKeeper

if TYPE_CHECKING:
    from recocore.service.events.config import StateConfig
    from recocore.service.fraud.config import FraudConfig


class FraudKeeper(ReadyKeeper):
    """The process that decides, from the supervisor's side.

    Args:
        config: of fraud.
        state: whose events it may follow.
        log_level: of the process.
        board: where it counts; None where nobody reads it.
    """

    def __init__(self, config: FraudConfig, state: StateConfig, log_level: str, board: str | None) -> None:
        settings = {
            "config": asdict(config),
            "state": {"path": state.path, "keys": state.keys},
            "log_level": log_level,
            "board": board,
        }
        super().__init__("fraud owner", "recocore.service.fraud.owner_process", settings)
