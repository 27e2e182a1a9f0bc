"""Queries and items that are hard to bound, and the exact answer of scoring every pair."""

from __future__ import annotations

from typing import Any

import numpy as np

from recocore import _native


def gaussian(n: int, f: int, seed: int) -> Any:
    """Nothing special."""
    return np.random.default_rng(seed).normal(size=(n, f)).astype(np.float32)


def integers(n: int, f: int, seed: int) -> Any:
    """Small whole numbers: sums are exact and ties are many."""
    return np.random.default_rng(seed).integers(-3, 4, (n, f)).astype(np.float32)


def duplicates(n: int, f: int, seed: int) -> Any:
    """Five vectors over and over."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5, f)).astype(np.float32)[rng.integers(0, 5, n)]


def sparse(n: int, f: int, seed: int) -> Any:
    """Mostly zeros, and rows of zeros alone."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, f)) * (rng.random((n, f)) < 0.1) * (rng.random((n, 1)) < 0.7)
    return values.astype(np.float32)


def mixed_lengths(n: int, f: int, seed: int) -> Any:
    """Lengths from 1e-12 to 1e12."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, f)) * 10.0 ** rng.uniform(-12, 12, (n, 1))).astype(np.float32)


def tiny(n: int, f: int, seed: int) -> Any:
    """So small that products vanish or are denormal."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, f)) * 10.0 ** rng.uniform(-45, -20, (n, 1))).astype(np.float32)


def huge(n: int, f: int, seed: int) -> Any:
    """So large that sums overflow to infinity or to no number."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(size=(n, f)) * 10.0 ** rng.uniform(15, 22, (n, 1)), -3e38, 3e38).astype(np.float32)


def on_the_bound(n: int, f: int, seed: int) -> Any:
    """Values midway between two codes of eight bits, all on one side: what codes leave out is as long as it can be."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-126, 127, (n, f)) + 0.4999 * rng.choice([-1, 1], (n, 1))
    codes[:, 0] = 127
    return (codes / 127).astype(np.float32)


def cancelling(n: int, f: int, seed: int) -> Any:
    """Large values that cancel, so that scores are all rounding."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(n, (f + 1) // 2)) * 1e4
    values = np.concatenate([half, -half], axis=1)[:, :f] + rng.normal(size=(n, f)) * 1e-3
    return values.astype(np.float32)


KINDS = (gaussian, integers, duplicates, sparse, mixed_lengths, tiny, huge, on_the_bound, cancelling)


def best(scores: Any, k: int, admitted: Any = None, threshold: Any = None) -> tuple[Any, Any]:
    """The k best of float32 scores `[n, m]` by a full sort: what every search must return, to the bit."""
    scores = scores.copy()
    dropped = np.isnan(scores)
    if admitted is not None:
        dropped |= ~np.broadcast_to(admitted, scores.shape)
    if threshold is not None:
        dropped |= scores < np.reshape(threshold, (-1, 1))
    ids = np.full((len(scores), k), -1, np.int32)
    found = np.full((len(scores), k), -np.inf, np.float32)
    for row in range(len(scores)):
        candidates = np.flatnonzero(~dropped[row])
        order = candidates[np.lexsort((candidates, -scores[row, candidates].astype(np.float64)))][:k]
        ids[row, : len(order)] = order
        found[row, : len(order)] = scores[row, order]
    return ids, found


def products(queries: Any, items: Any) -> Any:
    """The scores of every pair, by the kernel that defines them."""
    return _native.score_all(queries, np.ascontiguousarray(items))
