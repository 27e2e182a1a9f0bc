"""FraudSettings: counters, rules, costs and exploration in one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Final, Self

from recocore.errors import InvalidArgumentError
from recocore.fraud.decision.costs import Costs
from recocore.fraud.decision.exploration import Exploration
from recocore.fraud.decision.rows import rule_columns
from recocore.fraud.rules import RuleSet
from recocore.fraud.velocity import VelocitySpec

# What an unknown shop begins with: counters that attacks move, and rules that only add to the score.
DEFAULT_SETTINGS: Final = """\
# Counted of each event, from those before it: STATISTIC [COLUMN] by ENTITY[+ENTITY] over WINDOW [of TYPE|TYPE]
counters = [
  "count by user_id over 1h",
  "count by user_id over 1d",
  "sum value by user_id over 1d",
  "ratio value by user_id over 4w",
  "count by device over 1h",
  "distinct user_id by device over 1d",
  "distinct user_id by ip over 1d",
  "count by ip over 10m",
  "distinct payment_id by user_id over 1d",
  "distinct user_id by payment_id over 4w",
  "distinct user_id by address_id over 4w",
  "count by coupon_id+device over 1d",
]
# Types of events that are decided on; none is all.
decide = []

[[rules]]
name = "account_farm"
description = "several accounts on one device within a day"
when = "distinct_user_id_by_device_1d >= 3"
score = 500

[[rules]]
name = "card_testing"
description = "one account tries many payment instruments"
when = "distinct_payment_id_by_user_id_1d >= 4"
score = 600

[[rules]]
name = "coupon_burst"
description = "one device redeems one coupon again and again"
when = "coupon_id is not missing and count_by_coupon_id_device_1d >= 3"
score = 400

[[rules]]
name = "burst"
description = "an account orders faster than people do"
when = "count_by_user_id_1h >= 20"
score = 300

[[rules]]
name = "out_of_character"
description = "far more money than this account's usual"
when = "ratio_value_by_user_id_4w is not missing and ratio_value_by_user_id_4w > 5 and value > 100"
score = 200
"""


@dataclass(frozen=True, slots=True, eq=False)
class FraudSettings:
    """What a file of settings says.

    Attributes:
        counters: the velocity counters.
        rules: over them.
        decide: types of events that are decided on; empty for all.
        numbers: columns of the events that detector and trees read beside the counters.
        costs: what outcomes cost.
        exploration: random approvals.
    """

    counters: tuple[VelocitySpec, ...]
    rules: RuleSet
    decide: tuple[str, ...]
    numbers: tuple[str, ...]
    costs: Costs
    exploration: Exploration

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read settings: `counters`, and, where wanted, `decide`, `numbers`, `[costs]`, `[exploration]`, `[[rules]]`.

        Raises:
            InvalidArgumentError: something is wrong; nothing of it is taken.

        Example:
            >>> settings = FraudSettings.from_toml(DEFAULT_SETTINGS)
            >>> len(settings.counters), [rule.name for rule in settings.rules.rules][:2]
            (12, ['account_farm', 'burst'])
        """
        try:
            body = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InvalidArgumentError(f"settings: expected TOML, got an error: {error}", field="settings") from None
        wanted = ("counters", "decide", "numbers", "costs", "exploration", "rules")
        unknown = sorted(set(body) - set(wanted))
        if unknown:
            raise InvalidArgumentError(
                f"settings: expected {', '.join(wanted)}, got {', '.join(unknown)}", field="settings"
            )
        texts = {name: _texts(body, name) for name in ("counters", "decide", "numbers")}
        counters = tuple(VelocitySpec.parse(counter) for counter in texts["counters"])
        tables = body.get("rules", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise InvalidArgumentError("rules: expected tables [[rules]], got another form", field="rules")
        try:
            costs, exploration = Costs(**body.get("costs", {})), Exploration(**body.get("exploration", {}))
        except TypeError as error:
            raise InvalidArgumentError(f"settings: costs or exploration: {error}", field="settings") from None
        return cls(
            counters,
            RuleSet.from_tables(tables, rule_columns(counters)),
            texts["decide"],
            texts["numbers"] or ("value",),
            costs,
            exploration,
        )


def _texts(body: dict[str, Any], name: str) -> tuple[str, ...]:
    given = body.get(name, [])
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise InvalidArgumentError(f"{name}: expected a list of texts, got {given!r:.80}", field=name)
    return tuple(given)
