"""What a request says about the model that is to answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """At most one of three ways to name a model; none means the experiment's for the user, or else the default alias's.

    Attributes:
        alias: what it points to now.
        version: this one, as long as it is loaded.
        variant: that of the experiment, whoever asks.
    """

    alias: str = ""
    version: str = ""
    variant: str = ""


ANY_MODEL = ModelChoice()
