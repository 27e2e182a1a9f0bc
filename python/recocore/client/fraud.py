"""Decisions on fraud as a caller gets them, and outcomes as a caller reports them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from google.protobuf.json_format import MessageToDict

from recocore.client.arguments import message
from recocore.client.errors import ServiceError, service_error
from recocore.errors import InvalidArgumentError
from recocore.v1 import fraud_pb2 as shared
from recocore.v1 import fraud_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Mapping

FraudOutcome: TypeAlias = Literal["approve", "challenge", "review", "decline"]
FraudPenalty: TypeAlias = Literal["limit", "freeze", "ban"]
FraudLabel: TypeAlias = Literal["good", "fraud"]
Reproduced: TypeAlias = Literal["same", "different", "unknown_version"]

_LABELS = {"good": shared.FraudOutcomeReport.LABEL_GOOD, "fraud": shared.FraudOutcomeReport.LABEL_FRAUD}


@dataclass(frozen=True, slots=True)
class FraudReason:
    """One reason.

    Attributes:
        code: a rule's name, or ANOMALY, MODEL, RING, RANDOM_APPROVAL, EXPECTED_COST.
        kind: rule, anomaly, model, ring, exploration or cost.
        observed, threshold: what was seen, and what it was compared with; None where that cannot be said.
        window: of the counter that was compared, such as 1h; empty without one.
        contribution: points of the score that would be gone without it.
        evidence: what lies behind it.
    """

    code: str
    kind: str
    observed: Any
    threshold: Any
    window: str
    contribution: float
    evidence: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class FraudShadow:
    """What a rule in shadow would have asked for: `status` is hit or error, `outcome` None where it asks for none."""

    rule: str
    status: str
    outcome: FraudOutcome | None
    score: int


@dataclass(frozen=True, slots=True)
class FraudDecision:
    """A decision; fraud.proto says what each field is."""

    decision_id: str
    event_id: str
    outcome: FraudOutcome
    policy: FraudOutcome
    propensity: float
    score: int
    probability: float
    penalties: tuple[FraudPenalty, ...]
    reasons: tuple[FraudReason, ...]
    rule_errors: tuple[str, ...]
    shadow: tuple[FraudShadow, ...]
    ruleset_version: str
    model_version: str
    rings_version: str
    feature_time: datetime


@dataclass(frozen=True, slots=True)
class FraudRow:
    """What became of one event.

    Attributes:
        decision: None where the event was refused, or only counts.
        duplicate: whether it had come before.
        error: why it was refused, if it was.
    """

    decision: FraudDecision | None
    duplicate: bool
    error: ServiceError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudReport:
    """How a decision turned out.

    Attributes:
        decision_id: which.
        label: good or fraud.
        source: who says so, such as chargeback.
        known_time: when it became known, aware; now where none is given.
        confidence: above 0 and at most 1.
    """

    decision_id: str
    label: FraudLabel
    source: str
    known_time: datetime | None = None
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class FraudReported:
    """What became of the reports of a call: `errors` has the place of each that was refused."""

    accepted: int
    duplicates: int
    errors: tuple[tuple[int, ServiceError], ...]


@dataclass(frozen=True, slots=True)
class FraudRule:
    """A rule and how it went since the process that decides began; fraud.proto says what each field is."""

    name: str
    condition: str
    outcome: FraudOutcome | None
    score: int
    priority: int
    penalty: FraudPenalty | None
    shadow: bool
    snoozed_until: datetime | None
    description: str
    version: str
    hit_count: int
    no_hit_count: int
    error_count: int


@dataclass(frozen=True, slots=True)
class FraudRules:
    """The rule set that decides; `toml` is what `activate_fraud_rules` takes."""

    version: str
    rules: tuple[FraudRule, ...]
    toml: str


@dataclass(frozen=True, slots=True)
class RecalledDecision:
    """A decision and all that is known of it.

    Attributes:
        decision: as it was answered.
        event: what it was about, by the names of event.proto.
        counters: as of the event; those that were missing are left out.
        reports: what was said of it since.
        reproduced: whether event, counters and versions gave it once more.
        time: when it was made.
    """

    decision: FraudDecision
    event: dict[str, Any]
    counters: Mapping[str, float]
    reports: tuple[FraudReport, ...]
    reproduced: Reproduced
    time: datetime


@dataclass(frozen=True, slots=True)
class FraudRing:
    """A known ring; fraud.proto says what each field is."""

    ring: int
    density: float
    account_count: int
    entity_count: int
    accounts: tuple[str, ...]
    entities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FraudRings:
    """The rings that are known, with the version that decisions name; `found` is None where none are known."""

    rings: tuple[FraudRing, ...]
    version: str
    found: datetime | None


def decision_of(told: shared.FraudDecision) -> FraudDecision:
    """A decision."""
    return FraudDecision(
        told.decision_id,
        told.event_id,
        _word(told, "outcome"),
        _word(told, "policy"),
        told.propensity,
        told.score,
        told.probability,
        tuple(_value("FraudPenalty", penalty) for penalty in told.penalties),
        tuple(map(_reason, told.reasons)),
        tuple(told.rule_errors),
        tuple(
            FraudShadow(rule.rule, _word(rule, "status"), _word(rule, "outcome"), rule.score) for rule in told.shadow
        ),
        told.ruleset_version,
        told.model_version,
        told.rings_version,
        told.feature_time.ToDatetime(UTC),
    )


def _reason(told: shared.FraudReason) -> FraudReason:
    body = MessageToDict(told, preserving_proto_field_name=True)
    return FraudReason(
        told.code,
        _word(told, "kind"),
        body.get("observed"),
        body.get("threshold"),
        told.window,
        told.contribution,
        tuple(body.get("evidence", ())),
    )


def row_of(told: v1.BatchScoreFraudResponse.Row, request_id: str) -> FraudRow:
    """What became of one event of a batch."""
    if told.status.code:
        return FraudRow(None, told.duplicate, service_error(told.status, request_id))
    return FraudRow(decision_of(told.decision) if told.HasField("decision") else None, told.duplicate)


def report_message(report: FraudReport) -> shared.FraudOutcomeReport:
    """The message of a report."""
    if not isinstance(report, FraudReport):
        raise InvalidArgumentError(f"reports: expected FraudReport, got {report!r:.80}", field="reports")
    if report.label not in _LABELS:
        raise InvalidArgumentError(f"label: expected good or fraud, got {report.label!r:.40}", field="label")
    made = message(
        shared.FraudOutcomeReport,
        {
            "decision_id": report.decision_id,
            "label": _LABELS[report.label],
            "source": report.source,
            "confidence": report.confidence,
        },
    )
    if report.known_time is not None:
        if report.known_time.tzinfo is None:
            raise InvalidArgumentError(
                f"known_time: expected a time with a zone, got {report.known_time!r}; add tzinfo=UTC",
                field="known_time",
            )
        made.known_time.FromDatetime(report.known_time)
    return made


def reported(response: v1.ReportOutcomeResponse) -> FraudReported:
    """What a response says."""
    errors = tuple((row.index, service_error(row.error, response.request_id)) for row in response.errors)
    return FraudReported(response.accepted, response.duplicates, errors)


def rules_of(response: v1.ListRulesResponse) -> FraudRules:
    """What a response says."""
    rules = tuple(
        FraudRule(
            rule.name,
            rule.condition,
            _word(rule, "outcome"),
            rule.score,
            rule.priority,
            _word(rule, "penalty"),
            rule.shadow,
            rule.snoozed_until.ToDatetime(UTC) if rule.HasField("snoozed_until") else None,
            rule.description,
            rule.version,
            rule.hit_count,
            rule.no_hit_count,
            rule.error_count,
        )
        for rule in response.rules
    )
    return FraudRules(response.version, rules, response.toml)


def recalled(response: v1.GetDecisionResponse) -> RecalledDecision:
    """What a response says."""
    kind = v1.GetDecisionResponse.Reproduced.Name(response.reproduced)
    return RecalledDecision(
        decision_of(response.decision),
        MessageToDict(response.event, preserving_proto_field_name=True),
        dict(response.counters),
        tuple(
            FraudReport(
                decision_id=report.decision_id,
                label="fraud" if report.label == shared.FraudOutcomeReport.LABEL_FRAUD else "good",
                source=report.source,
                known_time=report.known_time.ToDatetime(UTC),
                confidence=report.confidence,
            )
            for report in response.reports
        ),
        cast("Reproduced", kind.removeprefix("REPRODUCED_").lower()),
        response.decision_time.ToDatetime(UTC),
    )


def rings_of(response: v1.ListRingsResponse) -> FraudRings:
    """What a response says."""
    rings = tuple(
        FraudRing(
            ring.ring, ring.density, ring.account_count, ring.entity_count, tuple(ring.accounts), tuple(ring.entities)
        )
        for ring in response.rings
    )
    found = response.found_time.ToDatetime(UTC) if response.HasField("found_time") else None
    return FraudRings(rings, response.version, found)


def _word(told: Any, field: str) -> Any:
    """The word of an enum's value, such as approve; None for that which stands for none."""
    return _value(told.DESCRIPTOR.fields_by_name[field].enum_type.name, getattr(told, field))


def _value(enum: str, number: int) -> Any:
    values = shared.DESCRIPTOR.enum_types_by_name[enum].values
    first = values[0].name.removesuffix("UNSPECIFIED")
    known = {value.number: value.name.removeprefix(first).lower() for value in values[1:]}
    # One that this client does not know yet is its number.
    return known.get(number, str(number)) if number else None
