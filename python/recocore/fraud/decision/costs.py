"""What each outcome is expected to cost, and the cheapest."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError
from recocore.fraud.rules import OUTCOMES

if TYPE_CHECKING:
    from recocore.fraud.rules import Outcome


@dataclass(frozen=True, slots=True)
class Costs:
    """Money that goes wrong, in the currency of the events' values.

    With p the probability of fraud, v the event's value, F = loss_rate v + chargeback_fee what an undetected fraud
    costs, and G = margin v + insult what a good customer who is turned away costs:

        approve    p F
        challenge  challenge + p (1 - challenge_catch) F + (1 - p) challenge_abandon G
        review     review + p (1 - review_catch) F + (1 - p) review_error G
        decline    (1 - p) G

    The cheapest is chosen, of equal ones the mildest (Elkan, "The Foundations of Cost-Sensitive Learning", 2001).

    Attributes:
        loss_rate: the share of the value that a fraud takes.
        chargeback_fee: what it costs besides.
        margin: what a good order earns, as a share of its value.
        insult: what turning a good customer away costs besides, in later orders.
        challenge: one challenge, such as a code by text message.
        challenge_catch: the share of frauds that fail it.
        challenge_abandon: the share of good customers who leave at it.
        review: one look by a person.
        review_catch: the share of frauds that the person finds.
        review_error: the share of good orders that the person turns away.
        typical_value: v of an event without a value.

    Example:
        >>> costs = Costs()
        >>> [costs.choose(p, 100.0)[0] for p in (0.001, 0.02, 0.2, 0.9)]
        ['approve', 'challenge', 'challenge', 'decline']
    """

    loss_rate: float = 1.0
    chargeback_fee: float = 15.0
    margin: float = 0.1
    insult: float = 5.0
    challenge: float = 0.2
    challenge_catch: float = 0.85
    challenge_abandon: float = 0.05
    review: float = 3.0
    review_catch: float = 0.95
    review_error: float = 0.02
    typical_value: float = 50.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            share = name.endswith(("_catch", "_abandon", "_error"))
            if not (isinstance(value, (int, float)) and 0 <= value <= (1 if share else 1e12)):
                raise InvalidArgumentError(
                    f"{name}: expected a number from 0 to {'1' if share else '1e12'}, got {value!r}", field=name
                )

    def expected(self, p: float, value: float) -> tuple[float, float, float, float]:
        """The expected costs of approve, challenge, review and decline; a value of NaN is `typical_value`."""
        value = self.typical_value if math.isnan(value) else abs(value)
        fraud = p * (self.loss_rate * value + self.chargeback_fee)
        good = (1 - p) * (self.margin * value + self.insult)
        return (
            fraud,
            self.challenge + (1 - self.challenge_catch) * fraud + self.challenge_abandon * good,
            self.review + (1 - self.review_catch) * fraud + self.review_error * good,
            good,
        )

    def choose(self, p: float, value: float) -> tuple[Outcome, tuple[float, float, float, float]]:
        """The cheapest outcome, and the costs of all four."""
        costs = self.expected(p, value)
        return OUTCOMES[costs.index(min(costs))], costs
