"""The methods of a client that are about fraud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore.client.events import event_message
from recocore.client.fraud import (
    FraudRow,
    decision_of,
    recalled,
    report_message,
    reported,
    rings_of,
    row_of,
    rules_of,
)
from recocore.v1 import fraud_service_pb2 as v1
from recocore.v1 import fraud_service_pb2_grpc as stubs

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc

    from recocore.client.events import Event
    from recocore.client.fraud import (
        FraudReport,
        FraudReported,
        FraudRings,
        FraudRules,
        RecalledDecision,
    )


class FraudCalls:
    """What `Client` asks of FraudService. Every method is retried like others: an event counts once for its id."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._fraud = stubs.FraudServiceStub(channel)

    def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        raise NotImplementedError

    def score_fraud(self, event: Event, *, timeout: float | None = None) -> FraudRow:
        """Count one event and decide on it."""
        response = self._call(self._fraud.ScoreFraud, v1.ScoreFraudRequest(event=event_message(event)), timeout)
        decision = decision_of(response.decision) if response.HasField("decision") else None
        return FraudRow(decision, response.duplicate)

    def batch_score_fraud(self, events: Iterable[Event], *, timeout: float | None = None) -> list[FraudRow]:
        """Count up to 500 events in their order, and decide on each; one that is refused leaves the others whole."""
        request = v1.BatchScoreFraudRequest(events=map(event_message, events))
        response = self._call(self._fraud.BatchScoreFraud, request, timeout)
        return [row_of(row, response.request_id) for row in response.rows]

    def report_outcomes(self, reports: Iterable[FraudReport], *, timeout: float | None = None) -> FraudReported:
        """Say how up to 500 decisions turned out. One that is sent again changes nothing if it has its `known_time`."""
        request = v1.ReportOutcomeRequest(reports=map(report_message, reports))
        return reported(self._call(self._fraud.ReportOutcome, request, timeout))

    def fraud_rules(self, *, timeout: float | None = None) -> FraudRules:
        """The rules that decide."""
        return rules_of(self._call(self._fraud.ListRules, v1.ListRulesRequest(), timeout))

    def activate_fraud_rules(
        self, toml: str, *, expected_version: str = "", dry_run: bool = False, timeout: float | None = None
    ) -> tuple[str, str]:
        """Decide by other rules from the next event on: the new version, and the one before.

        Args:
            toml: tables [[rules]].
            expected_version: the version that they are to replace; empty for whatever decides.
            dry_run: only ask whether they would be taken.
            timeout: seconds for this call.
        """
        request = v1.ActivateRulesRequest(toml=toml, expected_version=expected_version, dry_run=dry_run)
        response = self._call(self._fraud.ActivateRules, request, timeout)
        return response.version, response.previous_version

    def fraud_decision(self, decision_id: str, *, timeout: float | None = None) -> RecalledDecision:
        """A decision with its event, counters and outcomes."""
        return recalled(self._call(self._fraud.GetDecision, v1.GetDecisionRequest(decision_id=decision_id), timeout))

    def fraud_rings(self, max_members: int = 0, *, timeout: float | None = None) -> FraudRings:
        """The rings that are known, each with at most so many members; 0 leaves that to the service."""
        return rings_of(self._call(self._fraud.ListRings, v1.ListRingsRequest(max_members=max_members), timeout))
