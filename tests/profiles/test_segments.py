"""Clusters against scikit-learn, numbers that stay, cohorts and drift against written-out tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recocore.data import EventBatch
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.profiles.features import Features
from recocore.profiles.segments import Segmentation, SegmentRule, clustering, drift, members, psi, retention
from recocore.profiles.segments.kmeans import kmeans, lloyd, plus_plus, silhouette
from recocore.profiles.segments.scaling import Scale, log

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import Float64Array

NAMES = ("n_orders", "spend_net", "days_since_last_event")


def customers(seed: int, sizes: tuple[int, ...] = (300, 200, 100), drifted: float = 0.0) -> pa.Table:
    """Three kinds of customers: sleepers, regulars and big spenders, in a shuffled order."""
    rng = np.random.default_rng(seed)
    means = np.log1p([[1.0, 2_000, 300], [6.0, 15_000, 20], [30.0, 400_000, 3]]) + drifted
    kinds = rng.permutation(np.repeat(np.arange(3), sizes))
    values = np.expm1(means[kinds] + rng.normal(0, 0.15, (len(kinds), 3)))
    columns = {name: values[:, place] for place, name in enumerate(NAMES)}
    return pa.table({"user_id": [f"u{row:05d}" for row in range(len(kinds))], **columns, "kind": kinds})


def blobs(seed: int, n: int = 400, k: int = 5) -> Float64Array:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 4, (k, 3))[rng.integers(0, k, n)] + rng.normal(0, 1, (n, 3))


@pytest.mark.parametrize("seed", range(4))
def test_lloyd_is_that_of_scikit_learn(seed: int) -> None:
    cluster = pytest.importorskip("sklearn.cluster", reason="scikit-learn is not installed")
    points = blobs(seed)
    start = plus_plus(points, 5, np.random.default_rng(seed))
    ours = lloyd(points, start)
    theirs = cluster.KMeans(5, init=start, n_init=1, algorithm="lloyd", max_iter=100).fit(points)
    assert ours.labels.tolist() == theirs.labels_.tolist()
    assert ours.centroids == pytest.approx(theirs.cluster_centers_, rel=1e-9)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_search_ends_as_low_as_that_of_scikit_learn(seed: int) -> None:
    cluster = pytest.importorskip("sklearn.cluster", reason="scikit-learn is not installed")
    points = blobs(10 + seed, n=1_000, k=7)
    theirs = cluster.KMeans(7, n_init=10, random_state=seed).fit(points).inertia_
    assert kmeans(points, 7, seed).inertia <= theirs * 1.01


@pytest.mark.parametrize("k", [2, 3, 9])
def test_the_silhouette_is_that_of_scikit_learn(k: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    points = blobs(3, n=150)
    labels = np.random.default_rng(k).integers(0, k, 150) * 3 + 1
    labels[0] = 1_000  # alone in its cluster
    assert silhouette(points, labels) == pytest.approx(metrics.silhouette_score(points, labels), abs=1e-9)


def test_a_centroid_without_rows_moves_to_where_rows_are_far() -> None:
    points = np.array([[0.0], [0.1], [0.2], [9.0]])
    found = lloyd(points, np.array([[0.0], [50.0]]))
    assert sorted(np.bincount(found.labels).tolist()) == [1, 3]
    assert found.inertia == pytest.approx(0.02)


def test_the_kinds_of_customers_are_found_and_k_too() -> None:
    table = customers(1)
    segments = Segmentation.fit(table, NAMES)
    assert max(segments.silhouettes, key=lambda k: segments.silhouettes[k]) == 3
    assert segments.numbers == (1, 2, 3)
    assert segments.sizes == (300, 200, 100)  # numbers go by size
    assert segments.assign(table).tolist() == (table.column("kind").to_numpy() + 1).tolist()
    again = Segmentation.fit(table, NAMES)
    assert again.centroids.tobytes() == segments.centroids.tobytes()


def test_many_users_are_tried_on_a_sample_and_fitted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    table = customers(6, sizes=(3_000, 2_000, 1_000))
    whole = Segmentation.fit(table, NAMES)
    monkeypatch.setattr(clustering, "_TRIAL", 500)
    monkeypatch.setattr(clustering, "_SAMPLE", 200)
    sampled = Segmentation.fit(table, NAMES)
    assert sampled.sizes == whole.sizes == (3_000, 2_000, 1_000)
    assert sampled.centroids == pytest.approx(whole.centroids, rel=1e-9)


def test_what_stands_out_is_said_in_the_features_units() -> None:
    table = customers(1)
    said = Segmentation.fit(table, NAMES, k=3).explain(table)
    assert [out.feature for out in said[3]][:2] != []
    money = next(out for out in said[3] if out.feature == "spend_net")
    assert 300_000 < money.median < 500_000
    assert money.difference > 0.5
    assert next(out for out in said[1] if out.feature == "days_since_last_event").difference > 0.5


def test_numbers_stay_with_their_segments() -> None:
    """Though sizes have turned around and everybody has moved a little."""
    before = Segmentation.fit(customers(1), NAMES, k=3)
    later = customers(2, sizes=(50, 150, 500), drifted=0.1)
    after = Segmentation.fit(later, NAMES, k=3, previous=before, seed=99)
    assert after.numbers == (1, 2, 3)
    assert after.assign(later).tolist() == (later.column("kind").to_numpy() + 1).tolist()
    assert Segmentation.fit(later, NAMES, k=3).assign(later).tolist() != after.assign(later).tolist()


def test_a_further_segment_gets_a_number_that_nobody_had() -> None:
    table = customers(1)
    three = Segmentation.fit(table, NAMES, k=3)
    two = Segmentation.fit(table, NAMES, k=2, previous=three)
    assert set(two.numbers) < {1, 2, 3}
    assert two.next_number == 4
    four = Segmentation.fit(table, NAMES, k=4, previous=two)
    assert set(two.numbers) < set(four.numbers)
    assert set(four.numbers) - set(two.numbers) == {4, 5}
    assert list(four.numbers) == sorted(four.numbers)


def test_missing_values_count_as_the_median_and_far_ones_are_held() -> None:
    values = [1.0, 2.0, 3.0, None, 1e12]
    table = pa.table({"user_id": list(range(5)), "spend_net": values})
    scale = Scale.fit(Features(table), ("spend_net",))
    points = scale.points(Features(table))
    assert points[3, 0] == pytest.approx((log(np.array(2.5)) - scale.center[0]) / scale.spread[0])
    assert points[4, 0] == 5.0
    assert np.isfinite(points).all()


def test_a_saved_segmentation_assigns_alike(tmp_path: Path) -> None:
    table = customers(4)
    segments = Segmentation.fit(table, NAMES)
    path = tmp_path / "segments.json"
    segments.save(path)
    read = Segmentation.load(path)
    assert read.assign(table).tolist() == segments.assign(table).tolist()
    assert (read.numbers, read.next_number, read.sizes) == (segments.numbers, segments.next_number, segments.sizes)
    assert read.silhouettes == segments.silhouettes
    path.write_text(path.read_text(encoding="utf-8").replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    with pytest.raises(CorruptError, match="digest"):
        Segmentation.load(path)


def test_refusals_of_segmentations() -> None:
    table = customers(1, sizes=(3, 2, 1))
    with pytest.raises(InvalidArgumentError, match="k: expected at most 6"):
        Segmentation.fit(table, NAMES, k=7)
    with pytest.raises(NotFoundError, match="got 'nothing'"):
        Segmentation.fit(table, ("nothing",))
    with pytest.raises(InvalidArgumentError, match="users who differ"):
        Segmentation.fit(table.slice(0, 1), NAMES)
    with pytest.raises(InvalidArgumentError, match="previous: expected a segmentation by n_orders"):
        Segmentation.fit(table, NAMES[:1], k=2, previous=Segmentation.fit(table, NAMES, k=2))


def test_members_of_predicates() -> None:
    features = Features(pa.table({"user_id": [7, 8, 9], "level": [95, 40, None]}))
    rules = [
        SegmentRule.parse("top", "level >= 90", features.kinds),
        SegmentRule.parse("rest", "level < 90", features.kinds),
    ]
    told = members(rules, features)
    assert told.column("user_id").to_pylist() == [7, 8]
    assert told.column("segment").to_pylist() == ["top", "rest"]
    assert members([], features).num_rows == 0
    with pytest.raises(InvalidArgumentError, match="when: expected a condition"):
        SegmentRule.parse("level", "level", features.kinds)
    with pytest.raises(InvalidArgumentError, match="lower-case"):
        SegmentRule.parse("Top!", "level > 1", features.kinds)


def log_of(rows: list[tuple[str, str]]) -> EventBatch:
    users, times = zip(*rows, strict=True)
    table = pa.table({"user_id": list(users), "item_id": ["a"] * len(rows), "event_time": list(times)})
    return EventBatch.from_arrow(table, timezone="UTC")


def test_a_written_out_retention_matrix() -> None:
    rows = [
        ("ann", "2026-01-05"), ("ann", "2026-01-20"), ("ann", "2026-03-02"),
        ("bob", "2026-01-31"), ("bob", "2026-02-01"),
        ("eve", "2026-03-15"),
    ]  # fmt: skip
    kept = retention(log_of(rows))
    assert kept.cohorts == ("2026-01-01", "2026-03-01")  # nobody came in February
    assert kept.sizes.tolist() == [2, 1]
    assert kept.active.tolist() == [[2, 1, 1], [1, -1, -1]]
    assert kept.rates[0].tolist() == [1.0, 0.5, 0.5]
    assert not kept.complete
    assert kept.to_table().column("after").to_pylist() == [0, 1, 2, 0]
    whole = retention(log_of(rows), as_of=datetime(2026, 4, 1, tzinfo=UTC))
    assert whole.complete
    past = retention(log_of(rows), as_of=datetime(2026, 2, 1, tzinfo=UTC))
    assert (past.cohorts, past.active.tolist()) == (("2026-01-01",), [[2]])


def test_retention_keeps_to_the_local_calendar() -> None:
    rows = [("ann", "2026-01-31T20:00:00Z"), ("bob", "2026-01-04T23:00:00Z"), ("bob", "2026-01-05T01:00:00Z")]
    assert retention(log_of(rows), timezone="Asia/Taipei").cohorts == ("2026-01-01", "2026-02-01")
    # 4 January 2026 was a Sunday.
    assert retention(log_of(rows[1:]), period="week").active.tolist() == [[1, 1]]
    assert retention(log_of(rows[1:]), period="week", timezone="Asia/Taipei").cohorts == ("2026-01-05",)
    assert retention(log_of(rows[1:]), period="day").cohorts == ("2026-01-04",)
    before_epoch = retention(log_of([("old", "1969-12-31"), ("old", "1970-01-01")]), period="month")
    assert (before_epoch.cohorts, before_epoch.active.tolist()) == (("1969-12-01",), [[1, 1]])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40)), min_size=1, max_size=60), st.randoms())
def test_retention_is_that_of_a_plain_loop_in_any_order(rows: list[tuple[int, int]], rng: Any) -> None:
    days = [f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}" for _, day in rows]
    events = [(f"u{user}", day) for (user, _), day in zip(rows, days, strict=True)]
    rng.shuffle(events)
    kept = retention(log_of(events), period="day")
    first = {user: min(day for who, day in events if who == user) for user, _ in events}
    for place, cohort in enumerate(kept.cohorts):
        members_ = {user for user, day in first.items() if day == cohort}
        assert kept.sizes[place] == len(members_)
        for after in range(kept.active.shape[1]):
            day = str(np.datetime64(cohort) + after)
            active = {user for user, when in events if when == day and user in members_}
            assert kept.active[place, after] in (len(active), -1)
            assert (kept.active[place, after] == -1) == (day > max(day for _, day in events))


def test_retention_refusals() -> None:
    with pytest.raises(InvalidArgumentError, match="period: expected one of day, week, month"):
        retention(log_of([("a", "2026-01-01")]), period="year")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="timezone: expected an IANA name"):
        retention(log_of([("a", "2026-01-01")]), timezone="Mars/Base")
    with pytest.raises(InvalidArgumentError, match="expected at least one"):
        retention(log_of([("a", "2026-01-01")]), types=["buy"])
    with pytest.raises(InvalidArgumentError, match="at most 1000 periods"):
        retention(log_of([("a", "1990-01-01"), ("a", "2026-01-01")]), period="day")


def test_psi_is_the_written_out_sum() -> None:
    before, after = [1] * 50 + [2] * 30 + [3] * 20, [1] * 30 + [2] * 30 + [3] * 40
    expected = (0.3 - 0.5) * np.log(0.3 / 0.5) + 0 + (0.4 - 0.2) * np.log(0.4 / 0.2)
    assert psi(before, after) == pytest.approx(expected, rel=1e-12)
    old, new = (np.array([{1: "a", 2: "b", 3: None}[value] for value in side], object) for side in (before, after))
    assert psi(old, new) == pytest.approx(expected, rel=1e-12)
    # A missing value is a bin of its own, and a bin that is new does not make the index infinite.
    assert psi([1.0, 1.0], [1.0, np.nan]) == pytest.approx(
        (0.5 - 1) * np.log(0.5) + (0.5 - 5e-5) * np.log(0.5 / 5e-5), rel=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.lists(st.integers(0, 9), min_size=1, max_size=80))
def test_psi_is_never_negative_and_zero_of_itself(before: list[int], after: list[int]) -> None:
    assert psi(before, after) >= 0
    assert psi(before, before) == 0


def test_drift_names_what_has_moved() -> None:
    told = drift(customers(1), customers(2, drifted=0.6), [*NAMES, "kind"]).to_pylist()
    verdicts = {row["feature"]: row["verdict"] for row in told}
    assert verdicts["kind"] == "stable"
    assert verdicts["n_orders"] == "shifted"
    assert [row["psi"] for row in told] == sorted((row["psi"] for row in told), reverse=True)
    with pytest.raises(NotFoundError, match="got 'nothing'"):
        drift(customers(1), customers(2), ["nothing"])
