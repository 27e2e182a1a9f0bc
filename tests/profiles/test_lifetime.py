"""The purchase and spend models against the literature, plain formulas and simulated customers."""

from __future__ import annotations

import math
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.special import betainc, gammaln

from recocore.data import synthetic_shop
from recocore.errors import CorruptError, InvalidArgumentError, NotFittedError
from recocore.profiles import build
from recocore.profiles.lifetime import BGNBD, LIFETIME_FEATURES, GammaGamma, LifetimeModels, ModifiedBGNBD, clv
from recocore.profiles.lifetime.future import alive_purchases
from recocore.profiles.lifetime.inputs import distinct
from recocore.storage.document import seal

if TYPE_CHECKING:
    from recocore.types import Float64Array

History = tuple["Float64Array", "Float64Array", "Float64Array"]
MODELS = [BGNBD, ModifiedBGNBD]


def simulated(
    customers: int, params: tuple[float, float, float, float], first: int, seed: int, longest: float
) -> History:
    """Customers drawn from the model's own story, purchase by purchase."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = params
    rates, chances = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    ages = np.ceil(rng.uniform(longest / 2, longest, customers))
    frequency, recency = np.zeros(customers), np.zeros(customers)
    for who in range(customers):
        now, alive = 0.0, not (first and rng.random() < chances[who])
        while alive:
            now += rng.exponential(1 / rates[who])
            if now > ages[who]:
                break
            frequency[who] += 1
            recency[who] = now
            alive = rng.random() >= chances[who]
    return frequency, recency, ages


def plain_log_likelihood(params: tuple[float, ...], first: int, history: History) -> float:
    """The published product, customer by customer, in logarithms of its factors."""
    r, alpha, a, b = params
    total = 0.0
    for x, last, age in zip(*history, strict=True):
        later = x + first
        beta = math.lgamma(a + b) + math.lgamma(b + later) - math.lgamma(b) - math.lgamma(a + b + later)
        alive = (alpha + age) ** -(r + x)
        left = a / (b + later - 1) * (alpha + last) ** -(r + x) if later > 0 else 0.0
        total += math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha) + beta + math.log(alive + left)
    return total


@pytest.fixture(scope="module")
def cdnow(data: Path) -> History:
    table = pq.read_table(data / "cdnow" / "summary.parquet")
    return tuple(table.column(name).to_numpy() for name in ("frequency", "recency", "T"))


def test_cdnow_gives_the_published_parameters(cdnow: History) -> None:
    """Fader, Hardie, Lee (2005), table 1."""
    model = BGNBD().fit(*cdnow)
    assert {name: round(value, 3) for name, value in model.params_.items()} == pytest.approx(
        {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, abs=1e-9
    )
    assert model.log_likelihood_ == pytest.approx(-9582.4, abs=0.05)
    # E[Y(39) | x=2, t_x=30.43, T=38.86], Fader and Hardie's spreadsheet.
    assert model.expected_purchases(39, 2, 30.43, 38.86).item() == pytest.approx(1.226, abs=5e-4)


def test_published_answers_without_any_data() -> None:
    """The same spreadsheet, and table of note 025, from their rounded parameters."""
    model = fitted(BGNBD, {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    assert model.expected_purchases(39, 2, 30.43, 38.86).item() == pytest.approx(1.226, abs=2e-3)
    spend = fitted(GammaGamma, {"p": 6.25, "q": 3.74, "v": 15.44})
    told = spend.expected_spend([2, 1, 0, 7, 2], [22.35, 11.77, 0, 73.74, 25.55])
    assert told == pytest.approx([24.65, 18.91, 35.17, 71.46, 27.28], abs=0.05)


def fitted(kind: type[Any], params: dict[str, float]) -> Any:
    """A model of given parameters, by way of the file that `save` writes."""
    known = {"params": params, "standard_errors": dict.fromkeys(params), "log_likelihood": 0.0, "customers": 1}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_bytes(seal({"kind": kind.kind, "format": 1, "penalizer": 0.0, **known}))
        return kind.load(path)


def test_cdnow_spend_gives_the_published_parameters(data: Path) -> None:
    """Fader and Hardie (2013), note 025: p, q, gamma = 6.25, 3.74, 15.45."""
    table = pq.read_table(data / "cdnow" / "summary_with_spend.parquet")
    x, mean = table.column("x").to_numpy(), table.column("zbar").to_numpy()
    params = GammaGamma().fit(x[x > 0], mean[x > 0]).params_
    assert [params["p"], params["q"], params["v"]] == pytest.approx([6.25, 3.74, 15.45], abs=0.006)


@pytest.mark.parametrize("kind", MODELS)
def test_the_likelihood_is_the_published_product(kind: type[BGNBD]) -> None:
    history = simulated(60, (0.6, 5.0, 0.9, 2.0), kind._first, seed=1, longest=50)
    params = (0.7, 4.0, 1.2, 2.5)
    value, _ = kind()._log_likelihood(np.array(params), distinct(*history))
    assert value == pytest.approx(plain_log_likelihood(params, kind._first, history), rel=1e-12)
    model = kind().fit(*history)
    assert model.log_likelihood_ == pytest.approx(
        plain_log_likelihood(tuple(model.params_.values()), kind._first, history), rel=1e-9
    )


@pytest.mark.parametrize("kind", [*MODELS, GammaGamma])
def test_gradients_are_those_of_the_value(kind: type[Any]) -> None:
    rng = np.random.default_rng(2)
    if kind is GammaGamma:
        rows = distinct(rng.integers(1, 9, 50).astype(float), rng.gamma(3, 10, 50))
    else:
        rows = distinct(*simulated(50, (0.6, 5.0, 0.9, 2.0), kind._first, seed=3, longest=50))
    place = np.array([0.7, 4.0, 1.2, 2.5][: len(kind.names)])
    model = kind()
    _, slope = model._log_likelihood(place, rows)
    for axis in range(len(place)):
        step = np.zeros(len(place))
        step[axis] = 1e-5 * place[axis]
        up, down = (model._log_likelihood(place + sign * step, rows)[0] for sign in (1, -1))
        assert slope[axis] == pytest.approx((up - down) / (2 * step[axis]), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_parameters_of_simulated_customers_are_found(kind: type[BGNBD]) -> None:
    """Within four standard errors, which so are of the right size too."""
    true = (0.8, 6.0, 0.9, 3.0)
    model = kind().fit(*simulated(6_000, true, kind._first, seed=4, longest=80))
    for name, wanted in zip(model.params_, true, strict=True):
        assert abs(model.params_[name] - wanted) < 4 * model.standard_errors_[name], name
        assert 0 < model.standard_errors_[name] < wanted


@pytest.mark.parametrize("kind", MODELS)
def test_it_converges_at_hundreds_of_purchases(kind: type[BGNBD]) -> None:
    """Factors such as (alpha + T)^-(r + x) are 0 in float64 here; their logarithms are not."""
    history = simulated(700, (6.0, 16.0, 0.4, 90.0), kind._first, seed=5, longest=1_500)
    assert history[0].max() > 700
    assert (500.0 + 16) ** -(350.0) == 0.0
    model = kind().fit(*history)
    assert np.isfinite(model.log_likelihood_)
    assert model.params_["r"] == pytest.approx(6.0, rel=0.15)
    assert model.params_["alpha"] == pytest.approx(16.0, rel=0.15)
    alive = model.p_alive(*history)
    assert np.isfinite(alive).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    ahead = model.expected_purchases(30, *history)
    assert np.isfinite(ahead).all()
    assert (ahead >= 0).all()


def test_a_unit_of_time_changes_alpha_alone() -> None:
    frequency, recency, age = simulated(500, (0.8, 6.0, 0.9, 3.0), 0, seed=6, longest=80)
    days, weeks = BGNBD().fit(frequency, recency, age), BGNBD().fit(frequency, recency / 7, age / 7)
    for name, value in days.params_.items():
        assert weeks.params_[name] == pytest.approx(value / (7 if name == "alpha" else 1), rel=1e-5)


def test_rows_that_repeat_count_as_often_as_they_come() -> None:
    history = simulated(200, (0.8, 6.0, 0.9, 3.0), 0, seed=7, longest=40)
    once = BGNBD().fit(*history)
    thrice = BGNBD().fit(*(np.tile(values, 3) for values in history))
    assert list(thrice.params_.values()) == pytest.approx(list(once.params_.values()), rel=1e-6)
    assert thrice.log_likelihood_ == pytest.approx(3 * once.log_likelihood_, rel=1e-9)
    assert thrice.n_customers_ == 600


@pytest.mark.parametrize("a", [0.05, 0.3, 0.9975, 1.0, 1.003, 2.4, 12.0, 900.0])
@pytest.mark.parametrize("x", [0, 3, 360])
def test_purchases_to_come_are_the_sum_over_the_kth_purchase(a: float, x: int) -> None:
    """Of P(at least k purchases in time) times P(still there after k - 1 of them): positive terms, so exact."""
    for ahead in (1e-4, 0.3, 5.0):
        for b0 in (0.4, 2.5, 70.0):
            shape, b = 0.24 + x, b0 + x
            k = np.arange(1, 200 + int(20 * (1 + ahead) * (1 + np.sqrt(shape)) + 3 * shape * ahead))
            in_time = betainc(k, shape, ahead / (1 + ahead))
            there = np.exp(gammaln(b + k - 1) - gammaln(b) + gammaln(a + b) - gammaln(a + b + k - 1))
            told = alive_purchases(np.array([ahead]), np.array([shape]), a, np.array([b]))[0]
            assert told == pytest.approx(in_time @ there, rel=1e-9), (ahead, b0)


def test_without_a_repeat_purchase_bg_is_sure_and_mbg_is_not() -> None:
    params = {"r": 0.5, "alpha": 6.0, "a": 0.9, "b": 1.6}
    assert fitted(BGNBD, params).p_alive([0, 0], [0, 0], [1, 900]).tolist() == [1.0, 1.0]
    soon, late = fitted(ModifiedBGNBD, params).p_alive([0, 0], [0, 0], [1, 900])
    assert 1 > soon > late > 0
    # A newcomer has left at the first purchase with probability a / (a + b).
    assert fitted(ModifiedBGNBD, params).p_alive(0, 0, 0).item() == pytest.approx(1.6 / 2.5)


def test_spend_lies_between_the_own_mean_and_everybodys() -> None:
    rng = np.random.default_rng(8)
    nu = rng.gamma(4.0, 1 / 15.0, 4_000)
    counts = rng.integers(1, 12, 4_000)
    means = rng.gamma(6.0 * counts, 1 / (nu * counts))
    model = GammaGamma().fit(counts, means)
    for name, wanted in zip("pqv", (6.0, 4.0, 15.0), strict=True):
        assert abs(model.params_[name] - wanted) < 4 * model.standard_errors_[name], name
    everybody = model.expected_spend(0, 0).item()
    assert everybody == pytest.approx(6 * 15 / 3, rel=0.05)
    told = model.expected_spend(counts, means)
    assert (np.minimum(means, everybody) - 1e-9 <= told).all()
    assert (told <= np.maximum(means, everybody) + 1e-9).all()


def test_lifetime_value_is_the_discounted_sum() -> None:
    model = fitted(BGNBD, {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4})
    spend = fitted(GammaGamma, {"p": 6.25, "q": 3.74, "v": 15.44})
    worth = clv(model, spend, [3], [20], [30], [25.0], periods=2, period=4, discount_rate=0.1, margin=0.5)
    first, both = (model.expected_purchases(ahead, 3, 20, 30).item() for ahead in (4, 8))
    value = spend.expected_spend(3, 25.0).item()
    assert worth[0] == pytest.approx(0.5 * value * (first / 1.1 + (both - first) / 1.21), rel=1e-12)


def test_one_user_alone_has_what_the_table_has() -> None:
    events = synthetic_shop(n_users=300, n_items=40, n_events=12_000, seed=4).events
    table = build(events, datetime(2025, 7, 1, tzinfo=UTC))
    for models in (LifetimeModels.fit(table), LifetimeModels.fit(table, penalizer=0.1)):
        for expected, profile in zip(models.features(table).to_pylist(), table.table.to_pylist(), strict=True):
            present = {name: expected[name] for name in LIFETIME_FEATURES if expected[name] is not None}
            told = models.row(profile)
            assert told == pytest.approx({"horizon_days": 90.0, **present} if present else {}, rel=1e-12)


def test_a_value_over_many_periods_is_that_of_each() -> None:
    model = fitted(ModifiedBGNBD, {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4})
    spend = fitted(GammaGamma, {"p": 6.25, "q": 3.74, "v": 15.44})
    worth = clv(model, spend, [3, 1], [20, 4], [30, 31], [25.0, 9.0], periods=30, period=7, discount_rate=0.02)
    bought = np.array([model.expected_purchases(7.0 * step, [3, 1], [20, 4], [30, 31]) for step in range(31)])
    plain = (np.diff(bought, axis=0) / 1.02 ** np.arange(1, 31)[:, None]).sum(axis=0)
    assert worth == pytest.approx(plain * spend.expected_spend([3, 1], [25.0, 9.0]), rel=1e-12)


REFUSED: list[tuple[str, tuple[Any, Any, Any]]] = [
    ("recency: expected at most T, got 31 at position 1", ([1, 1], [20, 31], [30, 30])),
    ("frequency: expected whole numbers of at least 0, got 1.5", ([1.5], [20], [30])),
    ("frequency: expected whole numbers of at least 0, got -1", ([-1], [20], [30])),
    ("recency: expected 0 where frequency is 0, got 20", ([0], [20], [30])),
    ("recency: expected at least 0", ([1], [-1], [30])),
    ("T: expected finite numbers, got nan at position 0", ([1], [20], [math.nan])),
    ("T: expected a time above 0 for somebody", ([0], [0], [0])),
    ("T: expected columns of one length", ([1, 2], [1, 2], [3, 4, 5])),
    ("frequency: expected a column of at least one customer", ([], [], [])),
    ("frequency: expected numbers, got list", (["one"], [20], [30])),
]


@pytest.mark.parametrize(("message", "history"), REFUSED)
@pytest.mark.parametrize("kind", MODELS)
def test_columns_that_contradict_each_other_are_refused(kind: type[BGNBD], message: str, history: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        kind().fit(*history)
    assert message in str(refused.value)


def test_spend_refuses_what_is_free() -> None:
    with pytest.raises(InvalidArgumentError, match=r"mean_value: expected above 0, got 0 at position 1; leave out"):
        GammaGamma().fit([1, 2], [5, 0])
    with pytest.raises(InvalidArgumentError, match="frequency: expected at least 1, got 0"):
        GammaGamma().fit([1, 0], [5, 5])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"periods": 0}, "periods: expected an integer from 1"),
        ({"period": 0}, "period: expected a number above 0, got 0"),
        ({"discount_rate": -1}, "discount_rate: expected a number above -1"),
        ({"margin": 1.5}, "margin: expected a number above 0 and at most 1, got 1.5"),
    ],
)
def test_lifetime_value_refuses_by_name(change: dict[str, Any], expected: str) -> None:
    model = fitted(BGNBD, {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4})
    spend = fitted(GammaGamma, {"p": 6.25, "q": 3.74, "v": 15.44})
    with pytest.raises(InvalidArgumentError) as refused:
        clv(model, spend, [3], [20], [30], [25.0], **change)
    assert expected in str(refused.value)


def test_everybodys_mean_is_infinite_where_it_does_not_exist() -> None:
    spend = fitted(GammaGamma, {"p": 2.0, "q": 0.9, "v": 15.0})
    nobody, somebody = spend.expected_spend([0, 1], [0, 20])
    assert nobody == np.inf
    assert somebody == pytest.approx(2 * (15 + 20) / (2 + 0.9 - 1))


def test_before_fit_there_are_no_answers() -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        BGNBD().p_alive(1, 2, 3)
    with pytest.raises(NotFittedError, match="call fit"):
        _ = GammaGamma().params_
    with pytest.raises(InvalidArgumentError, match="penalizer: expected a number of at least 0"):
        BGNBD(penalizer=-1)


@pytest.mark.parametrize("kind", MODELS)
def test_a_saved_model_answers_alike_and_a_damaged_file_not_at_all(kind: type[BGNBD], tmp_path: Path) -> None:
    history = simulated(300, (0.8, 6.0, 0.9, 3.0), kind._first, seed=9, longest=40)
    model = kind(penalizer=0.001).fit(*history)
    path = tmp_path / "model.json"
    model.save(path)
    read = kind.load(path)
    assert (read.params_, read.log_likelihood_, read.penalizer) == (model.params_, model.log_likelihood_, 0.001)
    assert read.p_alive(*history).tolist() == model.p_alive(*history).tolist()
    with pytest.raises(CorruptError, match="expected kind"):
        GammaGamma.load(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"alpha": ', '"alpha": 1'), encoding="utf-8")
    with pytest.raises(CorruptError, match="digest"):
        kind.load(path)
