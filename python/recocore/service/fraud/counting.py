"""What was decided, how long it took and how rules went, on the board that the metrics port reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.service.observe import families
from recocore.service.observe.counting import Histogram

if TYPE_CHECKING:
    from recocore.fraud.ledger.tally import RuleTally
    from recocore.service.observe.board import Board

# A board has 2,048 rows, and a rule takes three.
_MOST_RULES = 600


class FraudCounting:
    """Shows tallies on a board. Its counts only grow, and begin anew with each rule set and process: what is new is added.

    Args:
        board: of this process.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._seconds = Histogram(board, families.FRAUD_SECONDS)
        self._tally: RuleTally | None = None
        self._shown: dict[int, int] = {}

    def took(self, seconds: float) -> None:
        """Count a decision's time. 1 us."""
        with self._board.lock:
            self._seconds.observe(seconds)

    def show(self, tally: RuleTally) -> None:
        """Add what was counted since the last call. Some microseconds a rule."""
        if tally is not self._tally:
            self._tally, self._shown = tally, {}
            self._board.clear(families.FRAUD_RULE_SET)
            self._board.add(self._board.row(families.FRAUD_RULE_SET, version=tally.rules.version))
        for outcome, count in tally.decided.items():
            self._add(self._board.row(families.FRAUD_DECISIONS, outcome=outcome), count)
        for place, rule in enumerate(tally.rules.rules[:_MOST_RULES]):
            for result, count in zip(("hit", "no_hit", "error"), tally.of(place), strict=True):
                self._add(self._board.row(families.FRAUD_RULES, rule=rule.name, result=result), count)

    def _add(self, row: int, count: int) -> None:
        change = count - self._shown.get(row, 0)
        if change:
            self._board.add(row, change)
            self._shown[row] = count
