"""The same models in the `lifetimes` package, on its own data sets; skipped where it is not installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recocore.profiles.lifetime import BGNBD, GammaGamma, ModifiedBGNBD, clv
from recocore.profiles.lifetime.inputs import distinct

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lifetimes = pytest.importorskip("lifetimes", reason="lifetimes is not installed (pip install lifetimes)")
    pandas = pytest.importorskip("pandas")

# Read as files: its own readers import pkg_resources, which newer setuptools lacks.
DATASETS = Path(lifetimes.__file__).parent / "datasets"
PEERS = [(BGNBD, "BetaGeoFitter"), (ModifiedBGNBD, "ModifiedBetaGeoFitter")]
pytestmark = pytest.mark.filterwarnings("ignore")  # of its own making, about pandas and numpy


@pytest.fixture(scope="module")
def summary() -> Any:
    return pandas.read_csv(DATASETS / "cdnow_customers_summary.csv", index_col=0)


@pytest.fixture(scope="module")
def transactions() -> Any:
    """Its example of transactions, summarised by its own code, with values made up from the customer's number."""
    log = pandas.read_csv(DATASETS / "example_transactions.csv")
    log["value"] = 5.0 + np.random.default_rng(0).gamma(2.0, 10.0, len(log))
    from lifetimes.utils import summary_data_from_transaction_data  # noqa: PLC0415  (skipped where it is absent)

    return summary_data_from_transaction_data(
        log, "id", "date", monetary_value_col="value", observation_period_end="2014-12-31"
    )


@pytest.mark.parametrize(("name", "penalizer"), [("summary", 0.0), ("transactions", 0.0), ("transactions", 0.01)])
@pytest.mark.parametrize(("ours", "theirs"), PEERS)
def test_parameters_and_answers_agree(ours: Any, theirs: str, penalizer: float, name: str, request: Any) -> None:
    """To the digits at which its optimiser stops; ours is never the less likely."""
    table = request.getfixturevalue(name)
    history = (table["frequency"], table["recency"], table["T"])
    peer = getattr(lifetimes, theirs)(penalizer_coef=penalizer).fit(*history)
    model = ours(penalizer=penalizer).fit(*history)
    assert list(model.params_.values()) == pytest.approx(list(peer.params_[list(model.params_)]), rel=5e-3)
    if not penalizer:
        rows = distinct(*(column.to_numpy(np.float64) for column in history))
        at_peer, _ = model._log_likelihood(peer.params_[list(model.params_)].to_numpy(), rows)
        assert model.log_likelihood_ >= at_peer - 1e-6
    alive = np.ravel(peer.conditional_probability_alive(*history))
    assert model.p_alive(*history) == pytest.approx(alive, abs=2e-3)
    ahead = peer.conditional_expected_number_of_purchases_up_to_time(10, *history)
    assert model.expected_purchases(10, *history) == pytest.approx(np.ravel(ahead), rel=5e-3)


def test_spend_agrees_on_cdnow() -> None:
    table = pandas.read_csv(DATASETS / "cdnow_customers_summary_with_transactions.csv")
    table = table[table["x"] > 0]
    peer = lifetimes.GammaGammaFitter(penalizer_coef=0.0).fit(table["x"], table["zbar"])
    spend = GammaGamma().fit(table["x"], table["zbar"])
    assert list(spend.params_.values()) == pytest.approx(list(peer.params_[["p", "q", "v"]]), rel=5e-3)
    penalised = lifetimes.GammaGammaFitter(penalizer_coef=0.001).fit(table["x"], table["zbar"])
    ours = GammaGamma(penalizer=0.001).fit(table["x"], table["zbar"])
    assert list(ours.params_.values()) == pytest.approx(list(penalised.params_[["p", "q", "v"]]), rel=5e-3)


def test_spend_and_lifetime_value_agree(transactions: Any) -> None:
    table = transactions[transactions["frequency"] > 0]
    peer = lifetimes.GammaGammaFitter(penalizer_coef=0.0).fit(table["frequency"], table["monetary_value"])
    spend = GammaGamma().fit(table["frequency"], table["monetary_value"])
    assert list(spend.params_.values()) == pytest.approx(list(peer.params_[["p", "q", "v"]]), rel=2e-2)
    told = spend.expected_spend(table["frequency"], table["monetary_value"])
    theirs = peer.conditional_expected_average_profit(table["frequency"], table["monetary_value"])
    assert told == pytest.approx(theirs.to_numpy(), rel=2e-3)
    history = (table["frequency"], table["recency"], table["T"])
    bought = lifetimes.BetaGeoFitter(penalizer_coef=0.0).fit(*history)
    worth = peer.customer_lifetime_value(
        bought, *history, table["monetary_value"], time=6, discount_rate=0.01, freq="D"
    )
    model = BGNBD().fit(*history)
    ours = clv(model, spend, *history, table["monetary_value"], periods=6, period=30, discount_rate=0.01)
    assert ours == pytest.approx(worth.to_numpy(), rel=1e-2)
