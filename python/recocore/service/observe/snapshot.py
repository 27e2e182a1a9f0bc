"""What the supervisor knows of the service at one moment, for those who show it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from recocore.service.hosting.states import ModelInfo
    from recocore.service.processes.status import ServiceStatus

WORKER_STATES = ("starting", "standby", "serving", "draining")


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """One worker.

    Attributes:
        number: its place among those that live, from 0; whoever is started after it has ended takes that, and counts on.
        pid: of its process.
        state: one of `WORKER_STATES`.
        started: when it was started, seconds since 1970.
        restarts: processes that ended in its place before.
    """

    number: int
    pid: int
    state: str
    started: float
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class ModelSnapshot:
    """An alias and what answers under it, or a version that no alias leads to.

    Attributes:
        alias: empty for none.
        version: what answers.
        state: such as ready; of `recocore.service.hosting.states.ModelState`.
        model: name of the model's class; empty where the version could not be read.
        created: when the version was built, seconds since 1970; None where that is not known.
        loaded: when it began to answer under this alias, seconds since 1970; None without an alias.
        failure: why it could not be loaded; else empty.
    """

    alias: str
    version: str
    state: str
    model: str
    created: float | None
    loaded: float | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """The owner of the state, or the process that decides on fraud.

    Attributes:
        pid: of its process; None while it is being started again.
        restarts: those that ended before it.
    """

    pid: int | None
    restarts: int


@dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """The whole service.

    Attributes:
        address: where gRPC listens, `host:port`.
        pid: of the supervisor.
        started: when the service was started, seconds since 1970.
        size: how many workers are to serve.
        restarts: workers that ended, whatever place they had.
        workers: those that live, by number.
        models: the default alias first, versions without an alias last.
        state: None where the service has none.
        fraud: likewise.
    """

    address: str
    pid: int
    started: float
    size: int
    restarts: int
    workers: tuple[WorkerSnapshot, ...]
    models: tuple[ModelSnapshot, ...]
    state: StateSnapshot | None = None
    fraud: StateSnapshot | None = None

    @property
    def ready(self) -> bool:
        """Whether a worker takes calls."""
        return any(worker.state == "serving" for worker in self.workers)

    @classmethod
    def of(cls, status: ServiceStatus) -> Self:
        """The service as it is now; called in the supervisor's process."""
        models = {model.version: model for model in status.models}
        led = {alias.version for alias in status.aliases}
        shown: list[tuple[str, ModelInfo, float | None]] = [
            *((alias.name, models[alias.version], alias.since) for alias in status.aliases),
            *(("", model, None) for model in models.values() if model.version not in led),
        ]
        return cls(
            status.address,
            os.getpid(),
            status.started,
            status.size,
            status.restarts,
            tuple(
                WorkerSnapshot(worker.number, worker.pid, worker.state, worker.started.timestamp(), worker.restarts)
                for worker in status.workers
            ),
            tuple(
                ModelSnapshot(
                    alias,
                    model.version,
                    model.state,
                    model.algorithm,
                    model.created,
                    since,
                    model.failure.message if model.failure else "",
                )
                for alias, model, since in shown
            ),
            None if status.state is None else StateSnapshot(status.state.pid, status.state.restarts),
            None if status.fraud is None else StateSnapshot(status.fraud.pid, status.fraud.restarts),
        )

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The status that `to_json` wrote."""
        values = json.loads(text)
        values["workers"] = tuple(WorkerSnapshot(**worker) for worker in values["workers"])
        values["models"] = tuple(ModelSnapshot(**model) for model in values["models"])
        for name in ("state", "fraud"):
            values[name] = None if values[name] is None else StateSnapshot(**values[name])
        return cls(**values)
