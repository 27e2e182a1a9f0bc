"""What all detectors share: shapes, determinism, hostile rows, saved and loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from tests.fraud.detectors.every import EVERY, normal

from recocore.errors import CorruptError, InvalidArgumentError, NotFittedError, NotFoundError
from recocore.fraud import ECOD, HBOS, MCD, Detector, HalfSpaceTrees, IsolationForest, load_detector
from recocore.fraud.detectors.base import FORMAT
from recocore.storage import load_arrays, save_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import AnyArray

DETECTORS = pytest.mark.parametrize("make", EVERY.values(), ids=list(EVERY))


@DETECTORS
def test_an_outlier_in_one_feature_scores_high_and_for_that_feature(make: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(800, 4))
    rows[17, 2] = 30
    detector = make().fit(rows)
    scores = detector.score(rows)
    assert scores.dtype == np.float64
    assert scores.shape == (800,)
    assert scores[17] > np.quantile(scores, 0.95)
    reasons = detector.explain(rows[17:18])
    assert reasons.shape == (1, 4)
    assert reasons.argmax() == 2


@DETECTORS
def test_reasons_sum_to_the_score(make: Any) -> None:
    rows = normal(600, 3)
    rows[::7, 1] = rows[0, 1]
    detector = make().fit(rows)
    more = np.concatenate([rows, 4 * normal(100, 3, seed=1)])
    scores, sums = detector.score(more), detector.explain(more).sum(axis=1)
    if detector.kind == "isolation-forest":  # in log2, from the average path
        np.testing.assert_allclose(np.ptp(np.log2(scores) - sums), 0, atol=1e-12)
    elif detector.kind == "half-space-trees":
        np.testing.assert_allclose(sums, scores - (1 - 2.0**-detector.depth), atol=1e-12)
    else:
        np.testing.assert_allclose(sums, scores, rtol=1e-9)


@DETECTORS
def test_the_same_bytes_at_every_number_of_threads(make: Any) -> None:
    rows = normal(2_000, 5)
    rows[::11, 2] = np.nan if make().kind != "mcd" else 0.25
    answers = []
    for threads in (1, 2, 5):
        detector = make()
        detector.num_threads = threads
        detector.fit(rows)
        answers.append((detector.score(rows).tobytes(), detector.explain(rows).tobytes()))
    assert len(set(answers)) == 1


@DETECTORS
def test_a_row_scores_alike_alone_in_float32_and_between_others(make: Any) -> None:
    rows = normal(700, 4).astype(np.float32)
    wide = rows.astype(np.float64)
    detector = make().fit(wide)
    together = detector.score(wide)
    assert detector.score(rows).tobytes() == together.tobytes()
    assert detector.explain(rows).tobytes() == detector.explain(wide).tobytes()
    padded = np.zeros((700, 9))
    padded[:, 2:6] = wide
    assert detector.score(padded[:, 2:6]).tobytes() == together.tobytes()
    if getattr(detector, "variant", None) != "pyod":  # whose ranks count the rows of the call
        alone = np.concatenate([detector.score(wide[row : row + 1]) for row in range(0, 700, 41)])
        assert alone.tobytes() == together[::41].tobytes()


@DETECTORS
def test_scoring_changes_nothing_and_no_rows_have_no_scores(make: Any) -> None:
    rows = normal(300, 3)
    detector = make().fit(rows)
    before = detector.score(rows).tobytes()
    detector.explain(3 * rows)
    assert detector.score(np.empty((0, 3))).shape == (0,)
    assert detector.explain(np.empty((0, 3))).shape == (0, 3)
    assert detector.score(rows).tobytes() == before


HOSTILE = {
    "one row": np.array([[1.0, 2.0]]),
    "one column": np.arange(50.0).reshape(-1, 1),
    "two rows": np.array([[1.0, 2.0], [3.0, 5.0]]),
    "constant": np.full((40, 3), 7.5),
    "a constant column": np.column_stack([np.arange(60.0) ** 2, np.full(60, -3.0)]),
    "many duplicates": np.repeat([[1.0, 2.0], [1.0, 3.0]], [5_000, 2], axis=0),
    "huge": np.random.default_rng(0).normal(size=(60, 2)) * 1e300,
    "largest": np.array([[1.7e308, -1.7e308], [-1.7e308, 1.7e308], [0.0, 0.0], [1.0, 2.0]]),
    "the largest throughout": np.full((5, 2), [np.finfo(np.float64).max, -np.finfo(np.float64).max]),
    "subnormal": np.random.default_rng(0).integers(0, 9, size=(60, 2)) * 5e-324,
    "one far": np.concatenate([np.random.default_rng(0).normal(size=(50, 2)), [[1e300, -1e300]]]),
    "near each other": 1e16 + np.arange(40.0).reshape(-1, 2),
    "zeros of both signs": np.array([[0.0, -0.0], [-0.0, 0.0], [0.0, 0.0]] * 5),
    "collinear": np.outer(np.arange(40.0), [1.0, 2.0, 3.0]),
}


@DETECTORS
@pytest.mark.parametrize("rows", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_rows_neither_crash_nor_give_nan(make: Any, rows: Any) -> None:
    detector = make().fit(rows)
    other = np.array([[0.0] * rows.shape[1], [1.7e308] * rows.shape[1], [-1.7e308] * rows.shape[1]])
    for asked in (rows, other, np.full((1, rows.shape[1]), np.nan)):
        assert np.isfinite(detector.score(asked)).all()
        assert np.isfinite(detector.explain(asked)).all()


@DETECTORS
@settings(deadline=None, max_examples=15)
@given(
    rows=st_numpy.arrays(
        np.float64,
        st.tuples(st.integers(1, 20), st.integers(1, 4)),
        elements=st.floats(allow_infinity=False) | st.sampled_from([0.0, 1.0, -1e300, 5e-324]),
    )
)
# One value far out in few rows, which once made MCD's scatter indefinite.
@example(
    rows=np.array(
        [
            [7e-301, 0],
            [0, 1e-5],
            [7e4, -7e306],
            [0, 0],
            [1e-300, 1e-5],
            [1e-5, 1.33330509e-300],
            [1.33330509e-282, 7e199],
        ]
    )
)
def test_any_finite_rows_are_scored(make: Any, rows: AnyArray) -> None:
    detector = make()
    if detector.kind == "mcd":
        rows = np.nan_to_num(rows)
    detector.fit(rows)
    assert np.isfinite(detector.score(rows)).all()
    assert np.isfinite(detector.explain(rows)).all()


@DETECTORS
def test_what_is_no_matrix_of_features_is_refused_by_name(make: Any) -> None:
    rows = normal(50, 3)
    bad = rows.copy()
    bad[31, 2] = np.inf
    detector = make()
    with pytest.raises(NotFittedError, match="call fit or load first"):
        detector.score(rows)
    with pytest.raises(NotFittedError):
        detector.explain(rows)
    with pytest.raises(InvalidArgumentError, match="X: expected at least one row"):
        detector.fit(np.empty((0, 3)))
    with pytest.raises(InvalidArgumentError, match="row 31, feature 2"):
        detector.fit(bad)
    detector.fit(rows)
    with pytest.raises(InvalidArgumentError, match="X: expected 3 features, as in fit, got 2"):
        detector.score(rows[:, :2].copy())
    with pytest.raises(InvalidArgumentError, match="row 31, feature 2"):
        detector.score(bad)
    with pytest.raises(InvalidArgumentError, match="row 31, feature 2"):
        detector.explain(bad.astype(np.float32))
    for wrong in (rows[0], rows.astype(np.int64), np.asfortranarray(rows), rows.tolist(), None):
        with pytest.raises(InvalidArgumentError, match="X: expected a C-contiguous 2-d array"):
            detector.score(wrong)


@DETECTORS
def test_saved_and_loaded_it_answers_with_the_same_bytes(make: Any, tmp_path: Path) -> None:
    rows = normal(400, 3)
    detector = make().fit(rows)
    detector.save(tmp_path / "detector")
    for loaded in (type(detector).load(tmp_path / "detector"), load_detector(tmp_path / "detector")):
        assert type(loaded) is type(detector)
        assert loaded.parameters() == detector.parameters()
        assert loaded.score(rows).tobytes() == detector.score(rows).tobytes()
        assert loaded.explain(rows).tobytes() == detector.explain(rows).tobytes()
    if isinstance(detector, HalfSpaceTrees):
        again = HalfSpaceTrees.load(tmp_path / "detector")
        assert again.update(rows).score(rows).tobytes() == detector.update(rows).score(rows).tobytes()
    with pytest.raises(OSError, match=r"not empty; choose a name that is free: '.*/detector'$"):
        detector.save(tmp_path / "detector")
    with pytest.raises(NotFittedError):
        make().save(tmp_path / "other")


@DETECTORS
def test_every_flipped_byte_is_found(make: Any, tmp_path: Path) -> None:
    detector = make().fit(normal(30, 2))
    detector.save(tmp_path / "whole")
    random = np.random.default_rng(0)
    for file in sorted((tmp_path / "whole").iterdir()):
        data = bytearray(file.read_bytes())
        for position in random.integers(0, len(data), 3):
            damaged = bytearray(data)
            damaged[position] ^= 1 << int(random.integers(8))
            file.write_bytes(damaged)
            with pytest.raises(CorruptError, match=file.name.split(".")[0]):
                load_detector(tmp_path / "whole")
        file.write_bytes(data)
    load_detector(tmp_path / "whole")


def test_another_kind_nothing_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    ECOD().fit(normal(30, 2)).save(tmp_path / "ecod")
    with pytest.raises(CorruptError, match="expected a detector of kind hbos, got 'ecod'"):
        HBOS.load(tmp_path / "ecod")
    with pytest.raises(NotFoundError):
        load_detector(tmp_path / "absent")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "manifest.json").write_text(json.dumps({"format": "other"}), encoding="utf-8")
    with pytest.raises(CorruptError, match="recocore-detector"):
        load_detector(tmp_path / "foreign")


@DETECTORS
def test_arrays_that_are_whole_but_no_detector_are_refused(make: Any, tmp_path: Path) -> None:
    """Each array of a saved detector, replaced by others under a right manifest: loading refuses, or scores are finite."""
    make().fit(normal(30, 2)).save(tmp_path / "whole")
    folder = load_arrays(tmp_path / "whole", FORMAT)
    random = np.random.default_rng(0)
    trial = 0
    refused = 0
    for name, array in folder.arrays.items():
        shuffled = random.permutation(array)
        for other in (array[:-1], -array - 1, shuffled, array.astype(np.float32)):
            trial += 1
            save_arrays(tmp_path / str(trial), FORMAT, folder.about, {**folder.arrays, name: other})
            try:
                loaded = load_detector(tmp_path / str(trial))
            except CorruptError:
                refused += 1
                continue
            assert np.isfinite(loaded.score(normal(20, 2))).all(), name
    assert refused >= 2 * len(folder.arrays)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (ECOD, {"variant": "copod"}, "variant: expected one of paper, pyod"),
        (ECOD, {"num_threads": -1}, "num_threads: expected 0"),
        (IsolationForest, {"n_trees": 0}, "n_trees: expected an integer of at least 1"),
        (IsolationForest, {"sample_size": 1.5}, "sample_size: expected an integer"),
        (IsolationForest, {"seed": -1}, "seed: expected an integer of at least 0"),
        (MCD, {"support_fraction": 1.5}, "support_fraction: expected a number in"),
        (HBOS, {"n_bins": 1}, "n_bins: expected an integer of at least 2"),
        (HBOS, {"alpha": 0}, "alpha: expected a finite number > 0"),
        (HBOS, {"bins": "auto"}, "bins: expected one of static, dynamic"),
        (HalfSpaceTrees, {"depth": 21}, "depth: expected an integer from 1 to 20"),
        (HalfSpaceTrees, {"window": 0}, "window: expected an integer of at least 1"),
    ],
)
def test_parameters_are_checked_by_name(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        make(**options)


def test_a_detector_prints_its_parameters() -> None:
    assert repr(HBOS(n_bins=5)) == "HBOS(n_bins=5, alpha=0.1, tol=0.5, bins='static')"
    assert not isinstance(HBOS(), type(ECOD()))
    assert isinstance(HBOS(), Detector)
