"""Outcomes of decisions, as they come in: who said when that it was fraud, and what was known at a time."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from recocore.errors import CorruptError
from recocore.fraud.outcomes import OutcomeReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.types import Float64Array


class FeedbackStore:
    """Reports by decision, kept in a file of JSON lines that only grows.

    A decision may be reported more than once; what counts at a time is the report of the highest confidence among those
    known by then, of equal ones the latest. A line that a crash has cut off at the file's end is left out and overwritten.

    Args:
        path: the file; None keeps reports in memory alone.

    Raises:
        CorruptError: a line other than the last is no report.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = None if path is None else Path(path)
        self._reports: dict[str, list[OutcomeReport]] = {}
        if self._path is not None and self._path.exists():
            self._read(self._path)

    def _read(self, path: Path) -> None:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                self._keep(OutcomeReport(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise CorruptError(f"{path}: line {number}: expected a report of an outcome: {error}") from error
        if whole < len(content):
            os.truncate(path, whole)

    def _keep(self, report: OutcomeReport) -> None:
        known = self._reports.setdefault(report.decision_id, [])
        if report not in known:
            known.append(report)

    def report(self, report: OutcomeReport) -> Self:
        """Take a report in; one that is there already changes nothing. It is on disk when this returns."""
        if report in self._reports.get(report.decision_id, ()):
            return self
        if self._path is not None:
            with self._path.open("ab") as sink:
                sink.write(json.dumps(asdict(report)).encode() + b"\n")
                sink.flush()
                os.fsync(sink.fileno())
        self._keep(report)
        return self

    def __len__(self) -> int:
        return sum(map(len, self._reports.values()))

    def known(self, decision_id: str, by: int) -> OutcomeReport | None:
        """The report that counts for a decision at a time, microseconds since 1970."""
        reports = [report for report in self._reports.get(decision_id, ()) if report.ts <= by]
        return max(reports, key=lambda report: (report.confidence, report.ts), default=None)

    def labels(self, decision_ids: Sequence[str], by: int, *, min_confidence: float = 0.5) -> Float64Array:
        """1, 0 or NaN for each decision, by what was known at a time and no later: labels for a fit at that cut."""
        labels = np.full(len(decision_ids), math.nan)
        for place, name in enumerate(decision_ids):
            report = self.known(name, by)
            if report is not None and report.confidence >= min_confidence:
                labels[place] = report.y
        return labels
