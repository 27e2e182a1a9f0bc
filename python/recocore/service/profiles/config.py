"""Profiles in a service: what they are made by, and how much is kept for them."""

from __future__ import annotations

from dataclasses import dataclass

from recocore.errors import InvalidArgumentError

_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ProfilesConfig:
    """The section [profiles].

    Attributes:
        bytes_per_user: of a user's record that profiles are made of: the newest events that fit; 0 keeps none, and then
            there are no profiles.
        population: a file of `recocore profiles build`, whose configuration and cut points the profiles have; empty for the
            defaults, without what a population decides (scores, level, price bands).
        tags: a file of tag definitions, TOML or JSON; empty for none.
        segments: a file of `recocore profiles segment`; empty for none.
        models: a folder of `recocore profiles build --models`: the purchase and spend models by which a profile says whether
            its user is still a customer and what is expected of them; empty for none.
        segment_rules: a TOML file of rules, [[segments]] with name, when and about; empty for none.
        interest_weight: what the interests of a user add to the scores of Recommend, in the units of the model's scores: a
            share of it to each item of a category or brand, or with a tag, that they like; 0 adds nothing.
        segment_popular: a file of `recocore profiles popular`, from which those whom no model knows get what is popular in
            their segment before what is popular with everybody; empty for none.
        keep_seconds: how old a profile may be that is given again, as long as nothing was recorded of its user since; 0
            makes each anew.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    bytes_per_user: int = 1_024
    population: str = ""
    tags: str = ""
    segments: str = ""
    models: str = ""
    segment_rules: str = ""
    interest_weight: float = 0.0
    segment_popular: str = ""
    keep_seconds: float = 1.0

    @property
    def names_files(self) -> bool:
        """Whether there is anything to read: see `recocore.service.profiles.definitions`."""
        files = (self.population, self.tags, self.segments, self.models, self.segment_rules, self.segment_popular)
        return bool(self.bytes_per_user and any(files))

    def __post_init__(self) -> None:
        if not 0 <= self.bytes_per_user <= _MOST_BYTES:
            raise InvalidArgumentError(
                f"bytes_per_user: expected from 0 to {_MOST_BYTES}, got {self.bytes_per_user}",
                field="profiles.bytes_per_user",
            )
        if not 0 <= self.interest_weight <= 1e6:
            raise InvalidArgumentError(
                f"interest_weight: expected from 0 to 1,000,000, got {self.interest_weight}",
                field="profiles.interest_weight",
            )
        if not 0 <= self.keep_seconds <= 3_600:
            raise InvalidArgumentError(
                f"keep_seconds: expected from 0 to 3600, got {self.keep_seconds}", field="profiles.keep_seconds"
            )
