"""ScoredEvents: a batch's decisions as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.fraud.rules import RuleResults
    from recocore.types import AnyArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class ScoredEvents:
    """The events of a batch that are decided on, with all that the decisions come from.

    Attributes:
        rows: their places in the batch, `[n]`.
        times: event times, microseconds, `[n]`.
        table: columns by name that rules and model read, `[n]` each; `value` is always there.
        features: what detector and trees read, float64 `[n, f]`.
        anomaly: how unusual, 0 to 1, `[n]`; NaN without a detector.
        base: risk before rules, `[n]`.
        rules: how each rule went.
        risk: 0 to 1, `[n]`; 1000 times it is the score.
        probability: of fraud, calibrated, `[n]`.
    """

    rows: Int64Array
    times: Int64Array
    table: Mapping[str, AnyArray]
    features: Float64Array
    anomaly: Float64Array
    base: Float64Array
    rules: RuleResults
    risk: Float64Array
    probability: Float64Array
