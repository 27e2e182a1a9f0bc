"""Random approvals, so that what would have been turned away has outcomes too; their probabilities are logged."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.fraud.rules import Outcome


@dataclass(frozen=True, slots=True)
class Exploration:
    """Which decisions are approved whatever the policy says.

    The draw is the keyed BLAKE2b of the decision's id, as a number in [0, 1): the same decision draws the same, on every
    machine and in every replay, and nobody without the seed knows what an id will draw.

    Attributes:
        rate: the share of decisions other than approve that are approved; 0 to 0.1.
        seed: keeps draws apart from those of another deployment.
        max_value: events of more money are never explored, nor are those that a rule gives a penalty.
    """

    rate: float = 0.0
    seed: str = ""
    max_value: float = 100.0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 0.1:
            raise InvalidArgumentError(f"rate: expected a share from 0 to 0.1, got {self.rate!r}", field="rate")
        if len(self.seed.encode()) > 64:
            raise InvalidArgumentError(f"seed: expected at most 64 bytes, got {len(self.seed.encode())}", field="seed")

    def draw(self, decision_id: str) -> float:
        """A number in [0, 1) that belongs to the decision."""
        digest = hashlib.blake2b(decision_id.encode(), digest_size=8, key=self.seed.encode()).digest()
        return (int.from_bytes(digest, "big") >> 11) / 2**53

    def apply(self, policy: Outcome, decision_id: str, value: float, *, punished: bool) -> tuple[Outcome, float]:
        """The outcome, and the probability with which it was the one."""
        eligible = policy != "approve" and not punished and not (math.isnan(value) or abs(value) > self.max_value)
        if not eligible or self.rate == 0:
            return policy, 1.0
        if self.draw(decision_id) < self.rate:
            return "approve", self.rate
        return policy, 1.0 - self.rate
