"""FraudModel: everything that decides, in one immutable, versioned, saved object."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from recocore.data.events import as_events
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.fraud.decision.assembling import Assembler
from recocore.fraud.decision.calibration import Calibrator
from recocore.fraud.decision.costs import Costs
from recocore.fraud.decision.exploration import Exploration
from recocore.fraud.decision.rows import ANOMALY, require_finite, rule_columns, table_of
from recocore.fraud.decision.scored import ScoredEvents
from recocore.fraud.detectors import load_detector
from recocore.fraud.rules import RuleSet
from recocore.fraud.supervised import BoostedTrees, ModelCard
from recocore.fraud.velocity import Velocity, VelocitySpec
from recocore.fraud.velocity.columns import event_times
from recocore.storage import load_arrays, published, save_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from recocore.data import EventBatch
    from recocore.expressions import Compiled
    from recocore.fraud.decision.decision import Decision
    from recocore.fraud.decision.rings import Rings
    from recocore.fraud.detectors import Detector
    from recocore.types import AnyArray, Float64Array

_KIND: Final = "recocore.fraud-model"


@dataclass(frozen=True, eq=False)
class FraudModel:
    """Counters, rules, detector, trees, calibration, costs and exploration. `fit_model` makes one from a log.

    The risk of an event is 1 - (1 - base) (1 - rules): `rules` is 1 - product of (1 - score / 1000) over the rules that
    hit, `base` what the trees say where there are some, else anomaly_weight a^32 with a the share of learnt events
    that the detector finds less unusual. The score is 1000 times the risk, the probability its calibrated value.

    Attributes:
        velocity: settings and counters, as `Velocity.describe` has them.
        rules: the rule set that it was made with; an engine may be given another.
        features: names of the numbers that detector and trees read.
        detector: fitted, or None.
        levels: the detector's scores at `shares` of what it learnt from.
        shares: 0 to 1, rising.
        typical: medians of the features.
        anomaly_weight: the most that the detector alone can make of a risk.
        trees: fitted, or None.
        calibrator: risk to probability.
        costs: what outcomes cost.
        exploration: random approvals.
        decide: the types of events that are decided on; empty for all. Others only count.
        card: what it was made from.
    """

    velocity: Mapping[str, Any]
    rules: RuleSet
    features: tuple[str, ...]
    detector: Detector | None
    levels: Float64Array
    shares: Float64Array
    typical: Float64Array
    anomaly_weight: float
    trees: BoostedTrees | None
    calibrator: Calibrator
    costs: Costs
    exploration: Exploration
    decide: tuple[str, ...]
    card: ModelCard

    @cached_property
    def specs(self) -> tuple[VelocitySpec, ...]:
        """The counters."""
        return tuple(VelocitySpec.parse(text) for text in self.velocity["specs"])

    @cached_property
    def version(self) -> str:
        """16 hexadecimal digits of the SHA-256 of everything that decides, the rules (which have their own) apart."""
        about, arrays = self._parts()
        del about["card"], about["rules"]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for name in sorted(arrays):
            digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()[:16]

    def new_velocity(self) -> Velocity:
        """Counters that have seen nothing yet."""
        return Velocity.described(self.velocity)

    def anomaly_of(self, features: Float64Array) -> Float64Array:
        """How unusual rows `[n, f]` are, 0 to 1, `[n]`; NaN without a detector."""
        if self.detector is None:
            return np.full(len(features), np.nan)
        found: Float64Array = np.interp(self.detector.score(features), self.levels, self.shares)
        return found

    def tree_rows(self, features: Float64Array, anomaly: Float64Array) -> Float64Array:
        """What the trees read, `[n, f + 1]`."""
        return np.ascontiguousarray(np.column_stack([features, anomaly]))

    def base_of(self, features: Float64Array, anomaly: Float64Array) -> Float64Array:
        """The risk before rules, `[n]`."""
        if self.trees is not None:
            return self.trees.probability(self.tree_rows(features, anomaly))
        if self.detector is None:
            return np.zeros(len(features))
        power = anomaly
        for _ in range(5):  # a^32 by squaring: the same bits in rows and in columns
            power = power * power
        return self.anomaly_weight * power

    def base_of_one(self, features: Float64Array, anomaly: float) -> float:
        """The same of one row `[1, f]`, to the bit: what NumPy does to an array of one costs more than the arithmetic."""
        if self.trees is not None:
            return float(self.base_of(features, np.array([anomaly]))[0])
        if self.detector is None:
            return 0.0
        power = anomaly
        for _ in range(5):
            power = power * power
        return self.anomaly_weight * power

    def score_events(self, events: Any, velocity: Velocity | None = None, rules: RuleSet | None = None) -> ScoredEvents:
        """Count a batch's events and score those that are decided on. O(events x (counters + rules + trees)).

        Args:
            events: in the order of the log: a batch, or what `EventBatch.from_arrow` takes.
            velocity: counters to go on with; new ones where None. They take all events in.
            rules: in place of the model's own.

        Raises:
            InvalidArgumentError: an event without a time, or an infinite number; nothing is counted then.
        """
        events = as_events(events)
        require_finite(events)
        velocity = self.new_velocity() if velocity is None else velocity
        rules = self.rules if rules is None else rules
        times = event_times(events, velocity.skew_us)
        counted = velocity.update(events)
        rows = self._decided(events)
        counters = {name: counted[rows, place] for place, name in enumerate(velocity.names)}
        decided = events.filter(rows) if not rows.all() else events
        times = times[rows]
        names = dict.fromkeys([*rules.names, *self.features, "value"])
        table = table_of(decided, times, counters, names)
        features = np.ascontiguousarray(np.column_stack([table[name] for name in self.features]), np.float64)
        anomaly = self.anomaly_of(features)
        base = self.base_of(features, anomaly)
        results = rules.evaluate({**table, ANOMALY: anomaly}, times)
        risk = 1 - (1 - base) * (1 - results.risk())
        return ScoredEvents(
            np.flatnonzero(rows),
            times,
            {**table, ANOMALY: anomaly},
            features,
            anomaly,
            base,
            results,
            risk,
            self.calibrator(risk),
        )

    def _decided(self, events: EventBatch) -> Any:
        if not self.decide:
            return np.ones(len(events), np.bool_)
        return np.isin(np.array(events.column("type").to_pylist(), object), self.decide)

    def decisions(
        self,
        events: Any,
        velocity: Velocity | None = None,
        rules: RuleSet | None = None,
        rings: Rings | None = None,
    ) -> Iterator[Decision]:
        """The decision of every event of a batch that is decided on, in order: what an engine would have said live.

        Raises:
            InvalidArgumentError: as `score_events`.
        """
        events = as_events(events)
        rules = self.rules if rules is None else rules
        scored = self.score_events(events, velocity, rules)
        read = [*dict.fromkeys([*rules.names, "value"])]
        assembler = Assembler(self, rules, rings, read)
        columns = [scored.table[name].tolist() for name in read]
        told = events.table.take(scored.rows)
        for name in ("event_time", "known_time"):
            if name in told.column_names:
                place = told.column_names.index(name)
                told = told.set_column(place, name, told.column(name).cast("int64"))
        for at, event in enumerate(told.to_pylist()):
            yield assembler.decision(
                event,
                int(scored.times[at]),
                [column[at] for column in columns],
                scored.features[at : at + 1],
                [(place, status) for place, status in enumerate(scored.rules.statuses[at].tolist()) if status],
                float(scored.anomaly[at]),
                float(scored.base[at]),
                float(scored.risk[at]),
                float(scored.probability[at]),
            )

    def _parts(self) -> tuple[dict[str, Any], dict[str, AnyArray]]:
        about = {
            "velocity": dict(self.velocity),
            "rules": self.rules.to_toml(),
            "features": list(self.features),
            "detector": None if self.detector is None else repr(self.detector),
            "anomaly_weight": self.anomaly_weight,
            "trees": None if self.trees is None else [self.trees.features, self.trees.baseline],
            "calibration": self.calibrator.method,
            "costs": asdict(self.costs),
            "exploration": asdict(self.exploration),
            "decide": list(self.decide),
            "card": self.card.as_json(),
        }
        arrays = {
            "levels": self.levels,
            "shares": self.shares,
            "typical": self.typical,
            "calibrator_x": self.calibrator.x,
            "calibrator_y": self.calibrator.y,
        }
        if self.trees is not None:
            arrays |= {f"trees_{name}": array for name, array in self.trees.arrays.items()}
        return about, arrays

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a folder that must not be there, whole or not at all.

        Raises:
            OSError: the file system refuses; nothing is left behind.
        """
        about, arrays = self._parts()
        with published(Path(path), replace=False) as folder:
            save_arrays(folder / "model", _KIND, about, arrays)
            if self.detector is not None:
                self.detector.save(folder / "detector")

    @classmethod
    def load(cls, path: str | os.PathLike[str], functions: Mapping[str, Compiled] | None = None) -> Self:
        """Read what `save` wrote.

        Args:
            path: the folder.
            functions: the compiled functions of rules that are not expressions, by the rules' names.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged, foreign or newer.
        """
        root = Path(path)
        try:
            folder = load_arrays(root / "model", _KIND)
        except NotFoundError:
            raise NotFoundError(f"{path}: there is no model of fraud here; `recocore fraud fit` writes one") from None
        about, arrays = folder.about, {name: np.array(array) for name, array in folder.arrays.items()}
        try:
            specs = [VelocitySpec.parse(text) for text in about["velocity"]["specs"]]
            trees = None
            if about["trees"] is not None:
                taken = {name.removeprefix("trees_"): array for name, array in arrays.items()}
                trees = BoostedTrees.restored(taken, *about["trees"])
            return cls(
                about["velocity"],
                RuleSet.from_toml(about["rules"], rule_columns(specs), functions),
                tuple(about["features"]),
                None if about["detector"] is None else load_detector(root / "detector", num_threads=1),
                arrays["levels"],
                arrays["shares"],
                arrays["typical"],
                about["anomaly_weight"],
                trees,
                Calibrator(about["calibration"], arrays["calibrator_x"], arrays["calibrator_y"]),
                Costs(**about["costs"]),
                Exploration(**about["exploration"]),
                tuple(about["decide"]),
                ModelCard.from_json(about["card"]),
            )
        except (KeyError, TypeError, InvalidArgumentError) as error:
            raise CorruptError(f"{path}: expected a model of fraud: {error}") from error
