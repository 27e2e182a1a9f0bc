"""What the supervisor tells those who watch the whole service, and who they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from recocore.service.hosting.states import ModelInfo
    from recocore.service.processes.member import WorkerState


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker.

    Attributes:
        number: its place among those that live, from 0; whoever is started after it has ended takes that.
        pid: of its process.
        state: what it is at; one that was told to take calls and does not yet is starting.
        started: when it was started, UTC.
        restarts: processes that ended in its place before.
    """

    number: int
    pid: int
    state: WorkerState
    started: datetime
    restarts: int


@dataclass(frozen=True, slots=True)
class AliasStatus:
    """What an alias leads to.

    Attributes:
        name: the alias.
        version: that answers under it.
        since: when it began to, seconds since 1970.
    """

    name: str
    version: str
    since: float


class OwnerStatus(Protocol):
    """The process that owns the state, or decides on fraud. Safe from any thread."""

    @property
    def pid(self) -> int | None:
        """Of the process; None where none lives."""
        ...

    @property
    def restarts(self) -> int:
        """How many have ended before the service did."""
        ...


class ServiceStatus(Protocol):
    """How the service is. Safe from any thread."""

    @property
    def address(self) -> str:
        """Where its workers listen."""
        ...

    @property
    def started(self) -> float:
        """When the service was started, seconds since 1970."""
        ...

    @property
    def size(self) -> int:
        """How many workers are to serve."""
        ...

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """The workers that live."""
        ...

    @property
    def restarts(self) -> int:
        """How many workers have ended before the service did."""
        ...

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The versions that are held or could not be."""
        ...

    @property
    def aliases(self) -> tuple[AliasStatus, ...]:
        """What answers under which alias, the default one first."""
        ...

    @property
    def state(self) -> OwnerStatus | None:
        """The owner of the state; None without one."""
        ...

    @property
    def fraud(self) -> OwnerStatus | None:
        """The process that decides on fraud; None without one."""
        ...


class Attachment(Protocol):
    """Something that belongs to the whole service and lives in the supervisor, such as its door."""

    def start(self, status: ServiceStatus) -> None:
        """Begin, when the service serves; called on the supervisor's event loop, so it must not block."""
        ...

    def stop(self) -> None:
        """End; called in a thread of its own, before the workers drain."""
        ...
