"""FraudEngine: decisions live, one event after the other, in one process that owns the counters."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.fraud.decision.deciding import Decider
from recocore.fraud.decision.decision import Decision
from recocore.fraud.velocity import Velocity
from recocore.storage import load_arrays, published, save_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from recocore.fraud.decision.model import FraudModel
    from recocore.fraud.decision.rings import Rings
    from recocore.fraud.rules import RuleSet

_KIND: Final = "recocore.fraud-engine"


class FraudEngine:
    """Scores events as they come; what it says is what `FraudModel.decisions` says of the same log.

    One process owns an engine; its threads may share it, and one event is in it at a time. An event whose `event_id` it
    has decided on lately is the same event sent again: it gets the same decision and counts once.

    Args:
        model: fitted.
        velocity: counters as they stand after the log so far; new ones where None.
        rules: in place of the model's own.
        rings: that are known, for reasons.
        remembered: decisions kept for events that are sent again.

    Raises:
        InvalidArgumentError: the counters are of other settings than the model's.
    """

    def __init__(
        self,
        model: FraudModel,
        velocity: Velocity | None = None,
        rules: RuleSet | None = None,
        *,
        rings: Rings | None = None,
        remembered: int = 10_000,
    ) -> None:
        self.model = model
        self.velocity = model.new_velocity() if velocity is None else velocity
        if self.velocity.describe() != dict(model.velocity):
            raise InvalidArgumentError(
                "velocity: expected the model's counters and settings; take those that fit_model gave, or none",
                field="velocity",
            )
        self._lock = Lock()
        self._remembered = remembered
        self._recent: OrderedDict[str, Decision] = OrderedDict()
        self._rings = rings
        self.use_rules(model.rules if rules is None else rules)

    def use_rules(self, rules: RuleSet) -> None:
        """Decide by other rules from the next event on; they are compiled before the old ones go."""
        decider = Decider(self.model, rules, self._rings, skew_us=self.velocity.skew_us)
        with self._lock:
            self.rules, self._decider = rules, decider

    def observe(self, event: Mapping[str, Any]) -> None:
        """Count an event that nobody decides on, such as a view, or a fraud that was reported.

        Raises:
            InvalidArgumentError: it has no `event_time`, or a value of another kind.
        """
        with self._lock:
            self.velocity.update_one(event)

    def score(self, event: Mapping[str, Any]) -> Decision:
        """Decide on an event and count it. Some tens of microseconds.

        Args:
            event: columns of the event schema by name; None, or no such key, is missing. Times are datetimes with a zone
                or microseconds since 1970.

        Raises:
            InvalidArgumentError: it has no `event_time`, or a value of another kind; it is not counted then.
        """
        with self._lock:
            event_id = event.get("event_id")
            if event_id is not None and (known := self._recent.get(event_id)) is not None:
                return known
            decider = self._decider
            time = decider.time(event)
            row = decider.given(event, time)  # refuses what does not fit before it is counted
            decision = decider.decide(event, time, row, self.velocity.update_one(event))
            if event_id is not None:
                self._recent[event_id] = decision
                if len(self._recent) > self._remembered:
                    self._recent.popitem(last=False)
            return decision

    def recall(self, event_id: str) -> Decision | None:
        """The decision on an event, as long as it is remembered."""
        with self._lock:
            return self._recent.get(event_id)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint of counters and remembered decisions, a folder that must not be there.

        Raises:
            OSError: the file system refuses; nothing is left behind.
        """
        with self._lock, published(Path(path), replace=False) as folder:
            self.velocity.save(folder / "velocity")
            told = "\n".join(json.dumps([key, decision.as_json()]) for key, decision in self._recent.items())
            about = {"model": self.model.version, "remembered": self._remembered}
            save_arrays(folder / "recent", _KIND, about, {"lines": np.frombuffer(told.encode(), np.int8)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: FraudModel, rules: RuleSet | None = None) -> Self:
        """Go on from a checkpoint; the model must count as the one that wrote it did.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged, foreign or newer.
            InvalidArgumentError: the model counts otherwise.
        """
        recent = load_arrays(Path(path) / "recent", _KIND)
        engine = cls(model, Velocity.load(Path(path) / "velocity"), rules, remembered=int(recent.about["remembered"]))
        try:
            for line in recent.arrays["lines"].tobytes().decode().splitlines():
                key, body = json.loads(line)
                engine._recent[key] = Decision.from_json(body)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptError(f"{path}: expected remembered decisions: {error}") from error
        return engine
