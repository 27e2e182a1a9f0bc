"""ModelCard: what a fitted model was made from and how it did, for those who have to answer for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts about a fit (Mitchell et al., "Model Cards for Model Reporting", 2019).

    Attributes:
        first_event, last_event: event times of the rows it learnt from, ISO 8601.
        label_cut: labels that were known later were not used; empty where no label was.
        rows, labelled, fraud: rows that it learnt from, how many with a label, and how many of those fraud.
        calibration_rows, calibration_fraud: later rows that its probability was fitted to, not learnt from.
        features: what it reads.
        detector, classifier, calibration: what it is made of.
        measured: average precision and others on the calibration rows; in-sample for the calibration alone.
        limits: sentences about what it cannot know.
    """

    first_event: str
    last_event: str
    label_cut: str
    rows: int
    labelled: int
    fraud: int
    calibration_rows: int
    calibration_fraud: int
    features: tuple[str, ...]
    detector: str
    classifier: str
    calibration: str
    measured: Mapping[str, float | None]
    limits: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ModelCard:
        """What `as_json` gave."""
        return cls(**{**body, "features": tuple(body["features"]), "limits": tuple(body["limits"])})
