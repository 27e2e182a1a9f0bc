"""What the supervisor tells those who watch the whole service, and who they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from recocore.service.hosting.states import ModelInfo
    from recocore.service.processes.member import WorkerState


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker.

    Attributes:
        pid: of its process.
        state: what it is at.
        started: when it was started, UTC.
    """

    pid: int
    state: WorkerState
    started: datetime


class ServiceStatus(Protocol):
    """How the service is. Safe from any thread."""

    @property
    def address(self) -> str:
        """Where its workers listen."""
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
        """The versions that are held or could not be, without what only their manifests say."""
        ...

    def collect(self, subject: str, timeout: float = 1.0) -> Mapping[int, Mapping[str, Any]]:
        """What each worker that serves knows of a subject, by pid; a worker that does not answer in time is left out."""
        ...


class Attachment(Protocol):
    """Something that belongs to the whole service and lives in the supervisor, such as its page."""

    def start(self, status: ServiceStatus) -> None:
        """Begin, when the service serves; called on the supervisor's event loop, so it must not block."""
        ...

    def stop(self) -> None:
        """End; called before the workers drain."""
        ...
