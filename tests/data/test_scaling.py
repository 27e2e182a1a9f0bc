"""Fill and scale against plain NumPy formulas, and through JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recocore.data import MeanFill, MedianFill, MinMax, ZScore
from recocore.errors import CorruptError, InvalidArgumentError

FILLS: list[Any] = [MeanFill, MedianFill]
SCALERS: list[Any] = [ZScore, MinMax]
SHAPES = st.one_of(st.tuples(st.integers(1, 12)), st.tuples(st.integers(1, 12), st.integers(1, 3)))
ARRAYS = SHAPES.flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 6)))
)


@pytest.mark.parametrize(("kind", "reference"), [(MeanFill, np.nanmean), (MedianFill, np.nanmedian)])
@given(array=ARRAYS, seed=st.integers(0, 9))
def test_fill_equals_numpy_and_marks_what_it_filled(kind: Any, reference: Any, array: Any, seed: int) -> None:
    gaps = np.random.default_rng(seed).random(array.shape) < 0.3
    gaps[0] = False  # something is known of each column
    holed = np.where(gaps, np.nan, array)
    filled = kind.from_json(kind.fit(holed).to_json()).apply(holed)
    expected = np.where(gaps, reference(holed, axis=0), array)
    np.testing.assert_allclose(filled.values, expected, rtol=1e-12, atol=1e-9)
    assert np.array_equal(filled.values[~gaps], array[~gaps])
    assert np.array_equal(filled.mask, gaps)


@given(array=ARRAYS)
def test_z_score_equals_numpy(array: Any) -> None:
    spread = array.std(axis=0)
    constant = np.ptp(array, axis=0) == 0
    scaled = ZScore.fit(array).apply(array)
    expected = np.where(constant, 0.0, (array - array.mean(axis=0)) / np.where(spread == 0, 1, spread))
    wide = np.broadcast_to(constant | (np.ptp(array, axis=0) > 1e-6 * np.abs(array).max(axis=0)), array.shape)
    np.testing.assert_allclose(scaled[wide], expected[wide], rtol=1e-6, atol=1e-6)


@given(array=ARRAYS)
def test_min_max_spans_zero_to_one(array: Any) -> None:
    scaled = MinMax.fit(array).apply(array)
    assert ((scaled >= 0) & (scaled <= 1)).all()
    assert (scaled.min(axis=0) == 0).all()
    assert np.array_equal(scaled.max(axis=0), np.where(np.ptp(array, axis=0) > 0, 1.0, 0.0))


@pytest.mark.parametrize("kind", SCALERS)
@given(array=ARRAYS)
def test_scaling_is_undone_and_saved_exactly(kind: Any, array: Any) -> None:
    fitted = kind.fit(array)
    reloaded = kind.from_json(fitted.to_json())
    assert reloaded == fitted
    assert reloaded.apply(array).tobytes() == fitted.apply(array).tobytes()
    tolerance = 1e-12 * max(1.0, float(np.abs(array).max()))
    np.testing.assert_allclose(reloaded.inverse(reloaded.apply(array)), array, rtol=1e-9, atol=tolerance)


@pytest.mark.parametrize("value", [0.1, -0.0, 1e308, 5e-324, 1e-200])
def test_constant_columns_become_zero(value: float) -> None:
    array = np.full((7, 2), value)
    for kind in SCALERS:
        fitted = kind.fit(array)
        assert (fitted.apply(array) == 0).all()
        assert (fitted.inverse(fitted.apply(array)) == value).all()


def test_extreme_spreads_are_right_or_refused() -> None:
    tiny = ZScore.fit([1e-200, 3e-200])
    np.testing.assert_allclose(tiny.apply([1e-200, 3e-200]), [-1, 1], rtol=1e-12)
    large = ZScore.fit([-1e200, 1e200])
    np.testing.assert_allclose(large.apply([-1e200, 1e200]), [-1, 1], rtol=1e-12)
    assert MedianFill.fit([1.5e308, 1.7e308]).value == 1.6e308
    assert MeanFill.fit([1.5e308, 1.7e308]).value == 1.6e308
    for fit in (MinMax.fit, ZScore.fit):
        with pytest.raises(InvalidArgumentError, match="beyond float64"):
            fit([-1.7e308, 1.7e308, 1.7e308, 1.7e308])
    with pytest.raises(InvalidArgumentError, match="beyond float64"):
        MinMax.fit([0.0, 1e-300]).apply([1e300])


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint64, np.bool_])
def test_any_real_dtype_gives_float64(dtype: Any) -> None:
    scaled = MinMax.fit(np.array([0, 1], dtype)).apply(np.array([1, 0], dtype))
    assert (scaled.dtype.name, scaled.tolist()) == ("float64", [1.0, 0.0])


def test_fitting_needs_sound_numbers() -> None:
    for kind in (*FILLS, *SCALERS):
        for array, message in (
            ([], "at least one row|expected real numbers"),
            (np.empty((0, 2)), "at least one row"),
            ([1.0, float("inf")], "got 1 infinities"),
            (["x"], "expected real numbers"),
            (np.zeros((1, 1, 1)), "expected real numbers .* got 3-d"),
        ):
            with pytest.raises(InvalidArgumentError, match=message):
                kind.fit(array)
    for kind in FILLS:
        with pytest.raises(InvalidArgumentError, match=r"columns of NaN alone: \[1\]"):
            kind.fit([[1.0, np.nan], [2.0, np.nan]])
    for kind in SCALERS:
        with pytest.raises(InvalidArgumentError, match="got 1 NaN; fill them first"):
            kind.fit([1.0, np.nan])


def test_applying_needs_the_columns_that_were_fitted() -> None:
    fitted = ZScore.fit([[1.0, 2.0], [3.0, 5.0]])
    for array in ([1.0, 2.0], [[1.0, 2.0, 3.0]]):
        with pytest.raises(InvalidArgumentError, match=r"expected \[n, 2\] as fitted"):
            fitted.apply(array)
    with pytest.raises(InvalidArgumentError, match="got 1 NaN"):
        fitted.apply([[np.nan, 1.0]])
    assert fitted.apply(np.empty((0, 2))).shape == (0, 2)


GOOD: dict[str, Any] = json.loads(ZScore.fit([1.0, 2.0]).to_json())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        "[" * 10_000,
        json.dumps(GOOD | {"version": 2}),
        json.dumps(GOOD | {"kind": "min_max"}),
        json.dumps(GOOD | {"format": "other"}),
        json.dumps(GOOD | {"scale": 0.0}),
        json.dumps(GOOD | {"scale": [1.0]}),
        json.dumps(GOOD | {"scale": "1.0"}),
        json.dumps(GOOD | {"scale": True}),
        json.dumps(GOOD | {"scale": None}),
        json.dumps(GOOD | {"centre": float("nan")}),
        json.dumps(GOOD | {"centre": 10**400}),
        json.dumps({name: value for name, value in GOOD.items() if name != "scale"}),
    ],
)
def test_what_to_json_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(CorruptError, match="ZScore: expected"):
        ZScore.from_json(text)
