"""What the supervisor knows of the service at one moment, for those who show it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, Self

WorkerState = Literal["starting", "serving", "draining", "dead"]


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """One worker.

    Attributes:
        number: its place among the workers, from 0; the process that takes over a dead one's place has its number.
        pid: of the process that is or was in this place last.
        state: as far as the supervisor knows.
        started: when that process was started, seconds since 1970.
        restarts: processes that were started in this place after the first.
    """

    number: int
    pid: int
    state: WorkerState
    started: float
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class ModelSnapshot:
    """One alias, or the one index that is served.

    Attributes:
        alias: empty where an index is served by its path.
        version: what it points to.
        model: name of the model's class.
        created: when the version was built, seconds since 1970; None where that is not known.
        loaded: when it began to serve here, seconds since 1970.
    """

    alias: str
    version: str
    model: str
    created: float | None
    loaded: float


@dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """The whole service.

    Attributes:
        address: where gRPC listens, `host:port`.
        pid: of the supervisor.
        started: when the service was started, seconds since 1970.
        workers: by number.
        models: the default first.
    """

    address: str
    pid: int
    started: float
    workers: tuple[WorkerSnapshot, ...]
    models: tuple[ModelSnapshot, ...]

    @property
    def ready(self) -> bool:
        """Whether a worker takes calls."""
        return any(worker.state == "serving" for worker in self.workers)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The status that `to_json` wrote."""
        values = json.loads(text)
        values["workers"] = tuple(WorkerSnapshot(**worker) for worker in values["workers"])
        values["models"] = tuple(ModelSnapshot(**model) for model in values["models"])
        return cls(**values)
