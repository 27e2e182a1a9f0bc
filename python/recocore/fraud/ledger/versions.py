"""Versions: the models, rule sets and rings that decisions name, kept as long as the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.fraud.decision import Decider, FraudModel, rule_columns
from recocore.fraud.ledger.kept_rings import KeptRings, keep_rings
from recocore.fraud.rules import RuleSet
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.fraud.decision import Decision, KnownRings
    from recocore.state.keys import KeyFile


class Versions:
    """A folder with `models/VERSION/`, `rules/VERSION.toml` and `rings/VERSION.json`; what is kept never changes.

    Args:
        folder: where.
        keys: that make pseudonyms.
    """

    def __init__(self, folder: Path, keys: KeyFile) -> None:
        self._folder, self._keys = folder, keys
        for name in ("models", "rules", "rings"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)

    def keep_model(self, model: FraudModel) -> None:
        """Keep a model and its own rules."""
        path = self._folder / "models" / model.version
        if not path.exists():
            model.save(path)
        self.keep_rules(model.rules)

    def keep_rules(self, rules: RuleSet) -> None:
        """Keep a rule set, durably."""
        path = self._folder / "rules" / f"{rules.version}.toml"
        if not path.exists():
            replace_plain(path, rules.to_toml().encode(), mode=0o600)

    def keep_rings(self, rings: KnownRings) -> None:
        """Keep rings."""
        path = self._folder / "rings" / f"{rings.version}.json"
        if not path.exists():
            keep_rings(path, rings, self._keys)

    def rules(self, version: str, model: FraudModel) -> RuleSet:
        """A rule set over a model's counters.

        Raises:
            NotFoundError: it is not kept.
            InvalidArgumentError: the model lacks a counter that it reads.
        """
        try:
            text = read_plain(self._folder / "rules" / f"{version}.toml").decode()
        except FileNotFoundError:
            raise NotFoundError(f"rules {version}: not kept in {self._folder}") from None
        return RuleSet.from_toml(text, rule_columns(model.specs))

    def decider(self, decision: Decision) -> tuple[Decider, FraudModel] | None:
        """What decides as the versions that a decision names did, and its model; None where one of them is not kept."""
        try:
            model = FraudModel.load(self._folder / "models" / decision.model_version)
            rules = self.rules(decision.ruleset_version, model)
            rings = None
            if decision.rings_version:
                rings = KeptRings(self._folder / "rings" / f"{decision.rings_version}.json", self._keys)
        except (NotFoundError, InvalidArgumentError):
            return None
        return Decider(model, rules, rings, skew_us=int(model.velocity["clock_skew"])), model
