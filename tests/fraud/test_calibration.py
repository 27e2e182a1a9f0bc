"""Calibration beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression

from recocore.errors import InvalidArgumentError
from recocore.fraud.decision import Calibrator


@pytest.mark.parametrize("ties", [False, True])
def test_isotonic_is_scikit_learns(ties: bool) -> None:
    rng = np.random.default_rng(5)
    risk = rng.random(3000)
    if ties:
        risk = np.round(risk, 2)
    labels = (rng.random(3000) < risk**2).astype(float)
    asked = np.linspace(-0.1, 1.1, 997)
    peer = IsotonicRegression(out_of_bounds="clip").fit(risk, labels)
    ours = Calibrator.isotonic(risk, labels)
    np.testing.assert_allclose(ours(asked), peer.predict(asked), atol=1e-12)
    assert (np.diff(ours(asked)) >= 0).all()
    assert ours(risk).mean() == pytest.approx(labels.mean())


def test_platt_is_scikit_learns() -> None:
    rng = np.random.default_rng(6)
    risk = rng.normal(size=2000)
    labels = (rng.random(2000) < 1 / (1 + np.exp(4 - 2 * risk))).astype(float)
    ours = Calibrator.platt(risk, labels)
    a, b = _sigmoid_calibration(risk, labels)
    np.testing.assert_allclose((ours.x[0], ours.y[0]), (a, b), atol=1e-3)
    np.testing.assert_allclose(ours(risk), 1 / (1 + np.exp(a * risk + b)), atol=1e-4)


def test_one_kind_of_label_is_calibrated_too() -> None:
    risk = np.array([0.1, 0.5, 0.9])
    assert Calibrator.isotonic(risk, np.zeros(3))(risk).tolist() == [0, 0, 0]
    assert (Calibrator.platt(risk, np.zeros(3))(risk) < 0.5).all()
    with pytest.raises(InvalidArgumentError, match="labels"):
        Calibrator.isotonic(risk, np.array([0.0, 2, 1]))
    with pytest.raises(InvalidArgumentError, match="risk"):
        Calibrator.platt(np.array([np.nan]), np.zeros(1))
