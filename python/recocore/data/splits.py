"""Splits into train and test parts that share id maps; each depends on its input and its seed alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from recocore.data.checks import check_share, is_whole
from recocore.data.events import EventBatch, as_events
from recocore.data.ids import IdMap
from recocore.data.interactions import Interactions, add_up
from recocore.data.times import to_us
from recocore.data.weighting import decay, weigh
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import integer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from recocore.data.times import Instant
    from recocore.types import BoolArray, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What to learn from and what to be asked about, under the same id maps."""

    train: Interactions
    test: Interactions


@dataclass(frozen=True, slots=True, eq=False)
class StrongSplit:
    """Whole users held out: a model learns from `train`, sees their `fold_in` when asked, and is asked about `test`."""

    train: Interactions
    fold_in: Interactions
    test: Interactions


@overload
def split_by_time(
    data: EventBatch,
    *,
    cutoff: Instant | None = None,
    fraction: float | None = None,
    weights: Mapping[str, float] | None = None,
    half_life: timedelta | None = None,
) -> Split: ...
@overload
def split_by_time(data: Interactions, *, cutoff: Instant | None = None, fraction: float | None = None) -> Split: ...
def split_by_time(
    data: EventBatch | Interactions,
    *,
    cutoff: Instant | None = None,
    fraction: float | None = None,
    weights: Mapping[str, float] | None = None,
    half_life: timedelta | None = None,
) -> Split:
    """Learn from what came before an instant, be asked about what came from it on.

    From events, each side is weighed on its own, so that a pair which met on both sides is in both and nothing of the
    test leaks into a training weight. From interactions, where a pair has only the time of its latest event, each pair
    is on one side.

    Args:
        data: events with an `event_time`, a batch or what `EventBatch.from_arrow` takes, or interactions with timestamps.
        cutoff: the first instant of the test.
        fraction: instead of it, the share of the latest rows for the test, in (0, 1); rows of one instant stay
            together, so that the test may be larger.
        weights: as in `Interactions.from_events`, for events.
        half_life: as in `Interactions.from_events`, for events; ages are measured from the last event of each side.

    Raises:
        InvalidArgumentError: no times, both or neither of `cutoff` and `fraction`, or a side left empty.
    """
    if not isinstance(data, Interactions):
        return _split_events(as_events(data), cutoff, fraction, weights, half_life)
    if weights is not None or half_life is not None:
        raise InvalidArgumentError(
            "weights, half_life: expected None, as interactions are weighed already; split the events instead",
            field="weights",
        )
    late = _from_cutoff(_times(data), cutoff, fraction)
    return Split(data.where(~late), data.where(late))


def leave_last_out(interactions: Interactions, n: int = 1) -> Split:
    """Hold out each user's latest `n` pairs; users with no more than `n` pairs stay in train whole.

    Of pairs at the same instant, the one with the higher item index counts as later.
    """
    integer(n, "n", 1)
    counts = np.diff(interactions.matrix.indptr)
    order = np.lexsort((_times(interactions), interactions.rows()))
    return _hold_last(interactions, order, np.where(counts > n, n, 0))


def hold_out(interactions: Interactions, fraction: float = 0.2, seed: int = 0) -> Split:
    """Hold out a random share of each user's pairs, rounded to the nearest whole, but never all of them."""
    check_share(fraction, "fraction")
    counts = np.diff(interactions.matrix.indptr)
    held = np.minimum(_rounded(counts * fraction), np.maximum(counts - 1, 0))
    return _hold_last(interactions, _shuffled_rows(interactions, np.random.default_rng(seed)), held)


def strong_generalisation(
    interactions: Interactions, held_out_users: float = 0.1, fold_in_fraction: float = 0.8, seed: int = 0
) -> StrongSplit:
    """Hold out whole users, and split the pairs of each at random into what the model is shown and asked.

    Only users with two pairs or more can be held out; each has at least one pair in `fold_in` and one in `test`. The
    rows of users held out are empty in `train`, and those of all others in `fold_in` and `test`.

    Args:
        interactions: what to split.
        held_out_users: how many users to hold out (an integer), or their share in (0, 1) of those that can be.
        fold_in_fraction: the share of a held-out user's pairs that the model is shown, in (0, 1).
        seed: makes the choice.
    """
    check_share(fold_in_fraction, "fold_in_fraction")
    counts = np.diff(interactions.matrix.indptr)
    eligible = np.flatnonzero(counts >= 2)
    wanted = _held_out_count(held_out_users, len(eligible))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(eligible, wanted, replace=False))
    held_counts = counts[chosen]
    held = np.zeros(interactions.n_users, np.int64)
    held[chosen] = np.clip(_rounded(held_counts * (1 - fold_in_fraction)), 1, held_counts - 1)
    parts = _hold_last(interactions, _shuffled_rows(interactions, rng), held)
    others = np.setdiff1d(np.arange(interactions.n_users), chosen, assume_unique=True)
    return StrongSplit(parts.train.subset_users(others), parts.train.subset_users(chosen), parts.test)


def _split_events(
    events: EventBatch,
    cutoff: Instant | None,
    fraction: float | None,
    weights: Mapping[str, float] | None,
    half_life: timedelta | None,
) -> Split:
    counted = weigh(events, weights)
    times = counted.timestamps
    if times is None:
        raise InvalidArgumentError(
            "events: expected an event_time to split by, got none; name its source with columns={'event_time': ...} "
            "(--columns event_time=SOURCE), or split at random (--split random)",
            field="event_time",
        )
    late = _from_cutoff(times, cutoff, fraction)
    users, rows = IdMap.build(counted.users, "user_id")
    items, columns = IdMap.build(counted.items, "item_id")

    def part(side: BoolArray) -> Interactions:
        decayed = decay(counted.weights[side], times[side], half_life)
        return add_up(users, items, rows[side], columns[side], weights=decayed, timestamps=times[side])

    return Split(part(~late), part(late))


def _times(interactions: Interactions) -> Int64Array:
    if interactions.timestamps is None:
        raise InvalidArgumentError(
            "interactions: expected timestamps, got none; build them with timestamps=..., or from events with times "
            "(--columns event_time=SOURCE), or split at random (--split random)",
            field="timestamps",
        )
    return interactions.timestamps


def _from_cutoff(times: Int64Array, cutoff: Instant | None, fraction: float | None) -> BoolArray:
    if (cutoff is None) == (fraction is None):
        raise InvalidArgumentError("cutoff, fraction: expected one of them", field="cutoff")
    if len(times) == 0:
        raise InvalidArgumentError("cutoff, fraction: expected rows to split, got none", field="cutoff")
    if fraction is not None:
        check_share(fraction, "fraction")
        held = max(1, int(_rounded(len(times) * fraction)))
        first = int(np.partition(times, len(times) - held)[len(times) - held])
    else:
        first = to_us(cutoff, "cutoff")
    late = np.asarray(times >= first)
    if late.all() or not late.any():
        raise InvalidArgumentError(
            f"cutoff, fraction: expected rows before and after, got all {'after' if late.all() else 'before'}; "
            f"times run from {_iso(times.min())} to {_iso(times.max())}",
            field="cutoff" if fraction is None else "fraction",
        )
    return late


def _hold_last(interactions: Interactions, order: Int64Array, held: Int64Array) -> Split:
    """Test: the last `held[row]` entries of each row, where `order` lists the entries of row 0, then row 1, ..."""
    counts = np.diff(interactions.matrix.indptr)
    first_held = np.repeat(interactions.matrix.indptr[1:] - held, counts)
    test = np.zeros(len(order), np.bool_)
    test[order] = np.arange(len(order)) >= first_held
    return Split(interactions.where(~test), interactions.where(test))


def _shuffled_rows(interactions: Interactions, rng: np.random.Generator) -> Int64Array:
    """The entries of row 0 in random order, then those of row 1, ..."""
    # One sort of distinct keys is several times faster than a stable sort by two keys.
    keys = interactions.rows().astype(np.int64) * interactions.nnz + rng.permutation(interactions.nnz)
    return np.argsort(keys).astype(np.int64, copy=False)


def _rounded(numbers: Any) -> Any:
    return np.floor(np.asarray(numbers) + 0.5).astype(np.int64)


def _held_out_count(wanted: float, eligible: int) -> int:
    if is_whole(wanted):
        count = int(wanted)
    else:
        check_share(wanted, "held_out_users")
        count = max(1, math.floor(eligible * wanted + 0.5))
    if not 1 <= count <= eligible:
        raise InvalidArgumentError(
            f"held_out_users: expected from 1 to {eligible}, the users with two pairs or more, got {count}",
            field="held_out_users",
        )
    return count


def _iso(time: Any) -> str:
    return str(np.datetime64(int(time), "us"))
