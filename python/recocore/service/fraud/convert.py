"""Between the messages of FraudService and plain values."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec

from recocore._native import DecisionWriter
from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.fraud import OutcomeReport
from recocore.service import limits
from recocore.service.convert.checks import Checks
from recocore.service.convert.errors import status_of
from recocore.service.convert.messages import parse, serialize, sound
from recocore.service.events.rows import event_of
from recocore.service.problems import (
    InvalidRequestError,
    ResponseTooLargeError,
    Violation,
    problem_of,
)
from recocore.v1 import fraud_pb2 as shared
from recocore.v1 import fraud_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.rpc import status_pb2

    from recocore.service.events.rows import RowMaker


_DECISION_ID = re.compile(r"[0-9a-f]{32}")
# Where what `RuleSet.from_tables` says of one rule ends and the next begins.
_NEXT_RULE = re.compile(r"; (?=rules\[\d+\] \()")
# Twelve of these and their frame are in the 8 KiB that a peer takes of details.
_MOST_PROBLEM_CHARS = 400
_US = 1_000_000
_DAY_US = 86_400 * _US

_OUTCOMES: Mapping[str | None, shared.FraudOutcome.ValueType] = {
    None: shared.FRAUD_OUTCOME_UNSPECIFIED,
    "approve": shared.FRAUD_OUTCOME_APPROVE,
    "challenge": shared.FRAUD_OUTCOME_CHALLENGE,
    "review": shared.FRAUD_OUTCOME_REVIEW,
    "decline": shared.FRAUD_OUTCOME_DECLINE,
}
_PENALTIES: Mapping[str | None, shared.FraudPenalty.ValueType] = {
    None: shared.FRAUD_PENALTY_UNSPECIFIED,
    "limit": shared.FRAUD_PENALTY_LIMIT,
    "freeze": shared.FRAUD_PENALTY_FREEZE,
    "ban": shared.FRAUD_PENALTY_BAN,
}
_KINDS: Mapping[str, shared.FraudReasonKind.ValueType] = {
    "rule": shared.FRAUD_REASON_KIND_RULE,
    "anomaly": shared.FRAUD_REASON_KIND_ANOMALY,
    "model": shared.FRAUD_REASON_KIND_MODEL,
    "exploration": shared.FRAUD_REASON_KIND_EXPLORATION,
    "cost": shared.FRAUD_REASON_KIND_COST,
    "ring": shared.FRAUD_REASON_KIND_RING,
}
_STATUSES: Mapping[str, shared.FraudRuleStatus.ValueType] = {
    "hit": shared.FRAUD_RULE_STATUS_HIT,
    "error": shared.FRAUD_RULE_STATUS_ERROR,
}
_LABELS: Mapping[int, int] = {shared.FraudOutcomeReport.LABEL_GOOD: 0, shared.FraudOutcomeReport.LABEL_FRAUD: 1}
_REPRODUCED: Mapping[str, v1.GetDecisionResponse.Reproduced.ValueType] = {
    "same": v1.GetDecisionResponse.REPRODUCED_SAME,
    "different": v1.GetDecisionResponse.REPRODUCED_DIFFERENT,
    "unknown": v1.GetDecisionResponse.REPRODUCED_UNKNOWN_VERSION,
}

_pack = msgspec.msgpack.Encoder().encode
_decisions = DecisionWriter(
    {name: number for names in (_OUTCOMES, _PENALTIES, _KINDS, _STATUSES) for name, number in names.items() if name}
)
# Of a ScoreFraudResponse: the keys of fields of bytes, and a whole field that is true.
_DECISION = bytes([v1.ScoreFraudResponse.DECISION_FIELD_NUMBER << 3 | 2])
_REQUEST_ID = bytes([v1.ScoreFraudResponse.REQUEST_ID_FIELD_NUMBER << 3 | 2])
_DUPLICATE = bytes([v1.ScoreFraudResponse.DUPLICATE_FIELD_NUMBER << 3, 1])


class _Named(msgspec.Struct):
    """Of a row, the user alone."""

    user_id: str


_named = msgspec.msgpack.Decoder(_Named).decode


def decode_score(data: bytes, maker: RowMaker, now_us: int) -> tuple[bytes, str]:
    """The row of a ScoreFraudRequest's event, and the user.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: fields break their limits.
    """
    # Its event has the place that the events of RecordEvents have, and is read as the one of them.
    read = maker.read(data, now_us)
    if read is not None and len(read[1]) == 1 and read[1][0] is not None:
        return read[1][0], _named(read[1][0]).user_id
    request = parse(v1.ScoreFraudRequest, data)
    return maker.row(request.event, "event", now_us), request.event.user_id


def encode_score(scored: Sequence[Any], request_id: str) -> bytes:
    """A ScoreFraudResponse.

    Args:
        scored: what `FraudClient.score` says of the event.
        request_id: of the call.

    Raises:
        InvalidRequestError: the event was refused.
    """
    packed, duplicate, field, problem = scored
    if problem:
        raise InvalidRequestError((Violation(_path("event", field), problem),))
    # Written by hand: a message object would take as long as all else of the answer.
    data = b"".join(
        (
            b"" if packed is None else _field(_DECISION, _decisions.write(packed)),
            _DUPLICATE if duplicate else b"",
            _field(_REQUEST_ID, request_id.encode()),
        )
    )
    if len(data) > limits.MAX_MESSAGE_BYTES:
        raise ResponseTooLargeError(len(data))
    return data


def decode_batch(
    data: bytes, maker: RowMaker, now_us: int
) -> tuple[list[bytes], list[int], dict[int, InvalidRequestError]]:
    """The rows of a BatchScoreFraudRequest's sound events, the place of each, and what is wrong with the others, by place.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: too many events, or none.
    """
    read = maker.read(data, now_us)
    if read is not None and 0 < len(read[1]) <= limits.MAX_SCORED_EVENTS:
        rows = [row for row in read[1] if row is not None]
        if len(rows) == len(read[1]):
            return rows, list(range(len(rows))), {}
    request = parse(v1.BatchScoreFraudRequest, data)
    checks = Checks()
    checks.count(request.events, "events", limits.MAX_SCORED_EVENTS, "events", least=1)
    checks.done()
    return sound(request.events, "events", lambda event, path: maker.row(event, path, now_us))


def encode_batch(
    scored: Sequence[Sequence[Any]],
    places: Sequence[int],
    errors: Mapping[int, InvalidRequestError],
    request_id: str,
) -> bytes:
    """A BatchScoreFraudResponse: what was said of the events at some places, and the errors of the others."""
    by_place = dict(zip(places, scored, strict=True))
    response = v1.BatchScoreFraudResponse(request_id=request_id)
    for place in range(len(by_place) + len(errors)):
        row = response.rows.add()
        if place in errors:
            row.status.CopyFrom(_status(errors[place], request_id))
            continue
        packed, row.duplicate, field, problem = by_place[place]
        if problem:
            refused = InvalidRequestError((Violation(_path(f"events[{place}]", field), problem),))
            row.status.CopyFrom(_status(refused, request_id))
            continue
        row.status.SetInParent()
        if packed is not None:
            row.decision.MergeFromString(_decisions.write(packed))
    return serialize(response)


def decode_report(data: bytes, now_us: int) -> tuple[list[OutcomeReport], list[int], dict[int, InvalidRequestError]]:
    """The sound reports of a ReportOutcomeRequest, the place of each, and what is wrong with the others, by place.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: too many reports, or none.
    """
    request = parse(v1.ReportOutcomeRequest, data)
    checks = Checks()
    checks.count(request.reports, "reports", limits.MAX_OUTCOME_REPORTS, "reports", least=1)
    checks.done()
    return sound(request.reports, "reports", lambda told, path: _report(told, path, now_us))


def _report(told: shared.FraudOutcomeReport, path: str, now_us: int) -> OutcomeReport:
    checks = Checks()
    _check_decision_id(checks, told.decision_id, f"{path}.decision_id")
    label = checks.choice(_LABELS, told.label, f"{path}.label", "FraudOutcomeReport.Label")
    size = len(told.source.encode())
    if not 1 <= size <= limits.MAX_SOURCE_BYTES:
        checks.refuse(f"{path}.source", f"expected 1 to {limits.MAX_SOURCE_BYTES} bytes, got {size}")
    known = now_us
    if told.HasField("known_time"):
        known = told.known_time.seconds * _US + told.known_time.nanos // 1_000
        if not (0 <= known <= now_us + _DAY_US and 0 <= told.known_time.nanos < 1_000_000_000):
            checks.refuse(
                f"{path}.known_time",
                f"expected a time from 1970 to a day from now, got {told.known_time.seconds} s since 1970",
            )
    confidence = told.confidence if told.HasField("confidence") else 1.0
    if not 0 < confidence <= 1:
        checks.refuse(f"{path}.confidence", f"expected above 0 and at most 1, got {confidence:g}")
    checks.done()
    return OutcomeReport(told.decision_id, label, told.source, known, confidence)


def encode_report(
    outcomes: Sequence[bool | str], places: Sequence[int], errors: Mapping[int, InvalidRequestError], request_id: str
) -> bytes:
    """A ReportOutcomeResponse: what was said of the reports at some places, and the errors of the others."""
    wrong: dict[int, Exception] = dict(errors)
    response = v1.ReportOutcomeResponse(request_id=request_id)
    for place, outcome in zip(places, outcomes, strict=True):
        if isinstance(outcome, str):
            wrong[place] = NotFoundError(f"reports[{place}].{outcome}")
        elif outcome:
            response.accepted += 1
        else:
            response.duplicates += 1
    for place in sorted(wrong):
        response.errors.add(index=place, error=_status(wrong[place], request_id))
    return serialize(response)


def decode_list_rules(data: bytes) -> None:
    """A ListRulesRequest, which says nothing; raises as `decode_score`."""
    parse(v1.ListRulesRequest, data)


def encode_list_rules(told: Mapping[str, Any], request_id: str) -> bytes:
    """A ListRulesResponse."""
    response = v1.ListRulesResponse(version=told["version"], toml=told["toml"], request_id=request_id)
    for rule in told["rules"]:
        hits, misses, errors = rule["counts"]
        made = response.rules.add(
            name=rule["name"],
            condition=rule["condition"],
            outcome=_OUTCOMES[rule["outcome"]],
            score=rule["score"],
            priority=rule["priority"],
            penalty=_PENALTIES[rule["penalty"]],
            shadow=rule["shadow"],
            description=rule["description"],
            version=rule["version"],
            hit_count=hits,
            no_hit_count=misses,
            error_count=errors,
        )
        if rule["snoozed_until"] is not None:
            made.snoozed_until.FromMicroseconds(round(rule["snoozed_until"] * _US))
    return serialize(response)


def decode_activate(data: bytes) -> tuple[str, str, bool]:
    """The rules of an ActivateRulesRequest, the version they replace, and whether to say only; raises as `decode_score`."""
    request = parse(v1.ActivateRulesRequest, data)
    checks = Checks()
    if (size := len(request.toml.encode())) > limits.MAX_RULES_BYTES or not size:
        checks.refuse("toml", f"expected 1 to {limits.MAX_RULES_BYTES:,} bytes, got {size:,}")
    if len(request.expected_version) > limits.MAX_ID_BYTES:
        checks.refuse("expected_version", "expected the version of a rule set, got a longer text")
    checks.done()
    return request.toml, request.expected_version, request.dry_run


def refused_rules(error: InvalidArgumentError) -> InvalidRequestError:
    """What is wrong with rules, a violation for each of them."""
    told = _NEXT_RULE.split(str(error))
    return InvalidRequestError(tuple(Violation("toml", problem[:_MOST_PROBLEM_CHARS]) for problem in told))


def encode_activate(version: str, previous: str, request_id: str) -> bytes:
    """An ActivateRulesResponse."""
    return serialize(v1.ActivateRulesResponse(version=version, previous_version=previous, request_id=request_id))


def decode_get_decision(data: bytes) -> str:
    """The id of a GetDecisionRequest; raises as `decode_score`."""
    request = parse(v1.GetDecisionRequest, data)
    checks = Checks()
    _check_decision_id(checks, request.decision_id, "decision_id")
    checks.done()
    return request.decision_id


def encode_get_decision(told: Mapping[str, Any], request_id: str) -> bytes:
    """A GetDecisionResponse."""
    response = v1.GetDecisionResponse(
        event=event_of(told["event"]),
        counters={name: value for name, value in told["counters"].items() if not math.isnan(value)},
        reproduced=_REPRODUCED[told["reproduced"]],
        request_id=request_id,
    )
    response.decision.MergeFromString(_decisions.write(_pack(told["decision"])))
    response.decision_time.FromMicroseconds(told["made"])
    for report in told["reports"]:
        made = response.reports.add(
            decision_id=report["decision_id"],
            label=shared.FraudOutcomeReport.LABEL_FRAUD if report["y"] else shared.FraudOutcomeReport.LABEL_GOOD,
            source=report["source"],
            confidence=report["confidence"],
        )
        made.known_time.FromMicroseconds(report["ts"])
    return serialize(response)


def decode_list_rings(data: bytes) -> int:
    """How many members of a ring a ListRingsRequest asks for; raises as `decode_score`."""
    request = parse(v1.ListRingsRequest, data)
    checks = Checks()
    if request.max_members < 0:
        checks.refuse("max_members", f"expected at least 0, got {request.max_members}")
    checks.done()
    return min(request.max_members, limits.MAX_RING_MEMBERS) or limits.DEFAULT_RING_MEMBERS


def encode_list_rings(told: Mapping[str, Any], request_id: str) -> bytes:
    """A ListRingsResponse."""
    response = v1.ListRingsResponse(version=told["version"], request_id=request_id)
    if told["found"] is not None:
        response.found_time.FromMicroseconds(told["found"])
    for place, (density, accounts, entities, named, shared_by) in enumerate(told["rings"][: limits.MAX_RINGS]):
        response.rings.add(
            ring=place,
            density=density,
            account_count=accounts,
            entity_count=entities,
            accounts=named,
            entities=[f"{name}:{value}" for name, value in shared_by],
        )
    return serialize(response)


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


def _check_decision_id(checks: Checks, value: str, field: str) -> None:
    if not _DECISION_ID.fullmatch(value):
        checks.refuse(field, f"expected 32 hexadecimal digits, got {value[:80]!r}")


def _field(key: bytes, data: bytes) -> bytes:
    """A field of bytes: the length has seven bits a byte, the lowest first; all but the last have the highest bit set."""
    made, left = bytearray(key), len(data)
    while left > 127:
        made.append(left & 127 | 128)
        left >>= 7
    made.append(left)
    return bytes(made) + data


def _path(event: str, field: str) -> str:
    return f"{event}.{field}" if field else event


def _status(error: Exception, request_id: str) -> status_pb2.Status:
    return status_of(problem_of(error), request_id)
