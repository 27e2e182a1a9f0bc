"""Decision: what to do with an event, and every reason for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping  # noqa: TC003 - a Struct's annotations are looked up
from typing import Any, Literal, TypeAlias

import msgspec
import pyarrow as pa

from recocore.data.schema import EVENT_SCHEMA
from recocore.data.times import to_us
from recocore.fraud.rules import Outcome, Penalty  # noqa: TC001 - as above

ReasonKind: TypeAlias = Literal["rule", "anomaly", "model", "exploration", "cost", "ring"]


# Structs in place of frozen dataclasses: each event makes several, in a fifth of the time, and they are packed in half of it.
class Reason(msgspec.Struct, frozen=True):
    """One reason.

    Attributes:
        code: the rule's name, or ANOMALY, MODEL, RING, RANDOM_APPROVAL, EXPECTED_COST.
        kind: rule, anomaly, model, ring, exploration or cost.
        observed: what was seen; of a rule, the left side of its first comparison that held.
        threshold: what it was compared with.
        window: of the velocity feature that was compared, such as 1h; empty without one.
        contribution: points of the score that would be gone without it; 0 where it adds none.
        evidence: what lies behind it: the comparisons, the features that add most, or the costs.
    """

    code: str
    kind: ReasonKind
    observed: object
    threshold: object
    window: str
    contribution: float
    evidence: tuple[Mapping[str, object], ...]


class Decision(msgspec.Struct, frozen=True):
    """One decision.

    Attributes:
        decision_id: of the event and the versions that decided; the same for the same.
        event_id: of the event; empty where it has none.
        decision: approve, challenge, review or decline.
        policy: the same before random approval.
        propensity: the probability with which `decision` was the outcome, given the event.
        score: 0 to 1000, 1000 times the risk.
        probability: of fraud, calibrated.
        penalties: what rules ask to befall the account, from the mildest; for the caller to enforce.
        reasons: at least one, from the largest contribution.
        errors: names of rules that had no result.
        shadow: rules in shadow that hit or had an error, with what they would have asked for.
        ruleset_version, model_version: what decided.
        feature_time: the event's time, microseconds since 1970; features are as of it.
        rings_version: the rings that were known; empty where none were.
    """

    decision_id: str
    event_id: str
    decision: Outcome
    policy: Outcome
    propensity: float
    score: int
    probability: float
    penalties: tuple[Penalty, ...]
    reasons: tuple[Reason, ...]
    errors: tuple[str, ...]
    shadow: tuple[Mapping[str, object], ...]
    ruleset_version: str
    model_version: str
    feature_time: int
    rings_version: str = ""

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        reasons = tuple(msgspec.structs.asdict(reason) for reason in self.reasons)
        return {**msgspec.structs.asdict(self), "reasons": reasons}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Decision:
        """What `as_json` gave, read back from JSON."""
        reasons = tuple(Reason(**{**reason, "evidence": tuple(reason["evidence"])}) for reason in body["reasons"])
        lists = {name: tuple(body[name]) for name in ("penalties", "errors", "shadow")}
        return cls(**{**body, **lists, "reasons": reasons})


def identity(event: Mapping[str, Any]) -> str:
    """What tells an event from others: its `event_id`, or all that it says."""
    given = event.get("event_id")
    if given is not None:
        return str(given)
    said = {name: _plain(name, event[name]) for name in EVENT_SCHEMA.names if event.get(name) is not None}
    return json.dumps(said, ensure_ascii=False)


def _plain(name: str, value: Any) -> str | float | int | list[str]:
    """One form of a value, however a caller or a log spells it."""
    kind = EVENT_SCHEMA.field(name).type
    if pa.types.is_timestamp(kind):
        return to_us(value, name)
    if pa.types.is_list(kind):
        return sorted(map(str, value))
    return str(value) if pa.types.is_string(kind) else float(value)


def decision_id(event: Mapping[str, Any], ruleset_version: str, model_version: str) -> str:
    """32 hexadecimal digits of the BLAKE2b of event and versions."""
    text = "\x1f".join((identity(event), ruleset_version, model_version))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
