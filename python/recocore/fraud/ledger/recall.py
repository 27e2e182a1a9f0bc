"""A decision as the ledger has it: found by its id, and made once more from what it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recocore.errors import NotFoundError
from recocore.fraud.ledger.contents import read_event, read_kept, read_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.fraud.decision import Decision, OutcomeReport
    from recocore.fraud.ledger.ledger import FraudLedger
    from recocore.fraud.ledger.versions import Versions


@dataclass(frozen=True, slots=True)
class Recalled:
    """A decision and all that is known of it.

    Attributes:
        decision: as it was answered.
        event: what it was about.
        counters: as of the event, by name; NaN is missing.
        reports: of its outcome, in the order in which they came.
        made: when, microseconds since 1970.
        reproduced: whether event, counters and versions give it again: same, different, or unknown where a version that it
            names is no longer kept.
    """

    decision: Decision
    event: Mapping[str, Any]
    counters: Mapping[str, float]
    reports: tuple[OutcomeReport, ...]
    made: int
    reproduced: Literal["same", "different", "unknown"]


def recall(ledger: FraudLedger, versions: Versions, decision_id: str) -> Recalled:
    """Find a decision. O(bytes of the segments that name it).

    Raises:
        NotFoundError: it is not there.
        CorruptError: a file is damaged.
    """
    name = bytes.fromhex(decision_id)
    event, kept, reports = None, None, []
    for _, rows in ledger.commits(naming=name) if ledger.knows(name) else ():
        if rows[-1][0].event == name:
            event, kept = read_event(rows[0][1]), read_kept(rows[-1][1])
        reports += [read_report(plain) for row, plain in rows if row.subject == name]
    if event is None or kept is None:
        raise NotFoundError(f"decision_id: there is no decision {decision_id}, or it was dropped or its user forgotten")
    decision = kept.value()
    found = versions.decider(decision)
    names: tuple[str, ...] = ()
    reproduced: Literal["same", "different", "unknown"] = "unknown"
    if found is not None:
        decider, model = found
        names = tuple(spec.name for spec in model.specs)
        time = decider.time(event)
        again = decider.decide(event, time, decider.given(event, time), kept.counters)
        reproduced = "same" if again == decision else "different"
    return Recalled(
        decision, event, dict(zip(names, kept.counters, strict=False)), tuple(reports), kept.made, reproduced
    )
