"""All there is to see of a service at one moment, read from the folder that its processes write to.

FOLDER/worker-<number>.board    what the workers of each place count, one after the other
FOLDER/service.board            what happens to the whole service
FOLDER/fraud.board              what was decided on fraud, and how rules went
FOLDER/status.json              what the supervisor knows; replaced whole
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recocore.service.observe import families
from recocore.service.observe.board import read_board
from recocore.service.observe.snapshot import ServiceSnapshot
from recocore.service.observe.usage import Usage, usage_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recocore.service.observe.board import Key

_GAUGES = frozenset(name for name, family in families.COUNTED.items() if family.kind == "gauge")


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment.

    Attributes:
        moment: seconds of the monotonic clock.
        time: seconds since 1970.
        status: what the supervisor last said.
        totals: the rows of all boards, added up.
        usage: by process: worker-<number>, supervisor, page, state, fraud. A process that is gone has no entry.
    """

    moment: float
    time: float
    status: ServiceSnapshot
    totals: Mapping[Key, float]
    usage: Mapping[str, Usage]

    def total(self, name: str) -> float:
        """The sum of a metric over all its labels; 0 where nothing was counted yet."""
        return sum(value for (metric, _), value in self.totals.items() if metric == name)

    def by(self, name: str, label: str) -> dict[str, float]:
        """A metric's sums by one of its labels."""
        sums: dict[str, float] = defaultdict(float)
        for (metric, labels), value in self.totals.items():
            if metric == name:
                sums[dict(labels)[label]] += value
        return dict(sums)


def board_path(folder: Path, name: str) -> Path:
    """Where a process counts."""
    return folder / f"{name}.board"


def status_path(folder: Path) -> Path:
    """Where the supervisor says what it knows."""
    return folder / "status.json"


def take_reading(folder: Path, page_pid: int) -> Reading:
    """Read everything now. Takes well under a millisecond for each worker."""
    status = ServiceSnapshot.from_json(status_path(folder).read_bytes())
    pids = {f"worker-{worker.number}": worker.pid for worker in status.workers}
    for name, owner in (("state", status.state), ("fraud", status.fraud)):
        if owner is not None and owner.pid is not None:
            pids[name] = owner.pid
    totals: dict[Key, float] = defaultdict(float)
    for path in folder.glob("*.board"):
        for (name, labels), value in read_board(path).items():
            # What a dead process had in hand ended with it; what it counted stays counted.
            if path.stem in pids or name not in _GAUGES:
                totals[name, labels] += value
    pids |= {"supervisor": status.pid, "page": page_pid}
    usage = {name: used for name, pid in pids.items() if (used := usage_of(pid)) is not None}
    return Reading(time.monotonic(), time.time(), status, dict(totals), usage)
