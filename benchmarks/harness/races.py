"""Who is first at the quality that the fastest peer comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness.results import is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.harness.results import CaseResult, Timed
    from benchmarks.harness.scenario import Race


@dataclass(frozen=True, slots=True)
class Finish:
    """A race on one case.

    Attributes:
        metric: the quality.
        pacemaker: of the peers that end near the best value of any peer, the one that is first at its own last value.
        target: the pacemaker's last value, give or take the tolerance.
        seconds: each competitor's time to the target; None where it does not get there.
        last: the value that each ends at.
    """

    metric: str
    pacemaker: str
    target: float
    seconds: Mapping[str, float | None]
    last: Mapping[str, float]

    @property
    def ours(self) -> tuple[str, float] | None:
        """Recocore's fastest way there."""
        arrived = [(name, seconds) for name, seconds in self.seconds.items() if seconds is not None and is_ours(name)]
        return min(arrived, key=lambda entry: entry[1], default=None)

    @property
    def peer(self) -> tuple[str, float]:
        """The fastest peer's."""
        return min(
            ((name, seconds) for name, seconds in self.seconds.items() if seconds is not None and not is_ours(name)),
            key=lambda entry: entry[1],
        )


def finish(case: CaseResult, metric: str, race: Race) -> Finish | None:
    """The race on a case; None where no peer runs."""
    runners = [entry for entry in case.timed if entry.trajectory and metric in entry.trajectory[-1].quality]
    last = {entry.name: entry.trajectory[-1].quality[metric] for entry in runners}
    peers = [entry for entry in runners if not is_ours(entry.name)]
    if not peers:
        return None
    best = (max if race.rising else min)(last[entry.name] for entry in peers)
    near = [entry for entry in peers if _good(last[entry.name], best, race.near, race.rising)]
    arrivals = {entry.name: _arrival(entry, metric, last[entry.name], race) for entry in near}
    pacemaker = min(near, key=lambda entry: arrivals[entry.name] or 0.0).name
    aim = last[pacemaker]
    return Finish(
        metric,
        pacemaker,
        aim * (1 - race.tolerance if race.rising else 1 + race.tolerance),
        {entry.name: _arrival(entry, metric, aim, race) for entry in runners},
        last,
    )


def _good(value: float, aim: float, tolerance: float, rising: bool) -> bool:
    return value >= aim * (1 - tolerance) if rising else value <= aim * (1 + tolerance)


def _arrival(entry: Timed, metric: str, aim: float, race: Race) -> float | None:
    """The time of the first point that is within the tolerance of the aim."""
    for point in entry.trajectory:
        if _good(point.quality[metric], aim, race.tolerance, race.rising):
            return point.share * entry.times.median
    return None
