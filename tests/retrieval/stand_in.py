"""A retriever that scores every pair in float64, and the rules by the letter, item by item."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from recocore.csr import Csr


class BruteForce:
    """Every pair is scored in float64 and sorted; `asked` has the k of each call."""

    def __init__(self, items: Any, metric: str = "inner_product", biases: Any = None) -> None:
        self.items = np.asarray(items, np.float32)
        self.metric = metric
        self.biases = None if biases is None else np.asarray(biases, np.float32)
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.items)

    def scores(self, queries: Any) -> Any:
        """Float32 `[n, m]`."""
        q, y = queries.astype(np.float64), self.items.astype(np.float64)
        if self.metric == "euclidean":
            found = -((q[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)
        else:
            found = np.einsum("if,jf->ij", q, y)
        if self.metric == "cosine":
            norms = np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(y, axis=1)[None, :]
            found = np.divide(found, norms, out=np.zeros_like(found), where=norms > 0)
        return (found if self.biases is None else found + self.biases).astype(np.float32)

    def topk(
        self, queries: Any, k: int, *, exclude: Any = None, allow: Any = None, block: Any = None
    ) -> tuple[Any, Any]:
        self.asked.append(k)
        shape = (len(queries), len(self.items))
        admitted = mask(allow, shape, True) & ~mask(exclude, shape, False) & ~mask(block, shape, False)
        scores = self.scores(queries)
        ids = np.full((shape[0], k), -1, np.int32)
        best = np.full((shape[0], k), -np.inf, np.float32)
        for row in range(shape[0]):
            listed = sorted(np.flatnonzero(admitted[row]), key=lambda item: (-scores[row, item], item))[:k]
            ids[row, : len(listed)] = listed
            best[row, : len(listed)] = scores[row, listed]
        return ids, best


def mask(value: Any, shape: tuple[int, int], default: bool) -> Any:
    """A filter as booleans `[n, m]`."""
    if value is None:
        return np.full(shape, default)
    if isinstance(value, Csr):
        value = value.to_scipy()
    found = np.zeros(shape, bool)
    if hasattr(value, "tocoo"):
        coordinates = value.tocoo()
        found[coordinates.row, coordinates.col] = True
    else:
        found[:, np.asarray(value)] = True
    return found


def cosine(a: Any, b: Any) -> float:
    """In float64, rounded to float32."""
    dot, aa, bb = (
        math.fsum(float(x) * float(y) for x, y in zip(*pair, strict=True)) for pair in ((a, b), (a, a), (b, b))
    )
    return float(np.float32(dot / math.sqrt(aa * bb))) if aa and bb else 0.0


def by_the_letter(items: Any, scores: Any, may: Any, k: int, rules: dict[str, Any]) -> tuple[list[int], list[float]]:
    """The list of one query, from scores float32 `[m]` and whether it may have each item, bool `[m]`."""
    boosts, pins, trade_off = rules.get("boosts", {}), rules.get("pins", {}), rules.get("diversity") or 1.0
    groups, cap = rules.get("groups", ()), rules.get("max_per_group")
    boosted = [float(np.float32(score) + np.float32(boosts.get(item, 0.0))) for item, score in enumerate(scores)]
    shown_pins = {place: item for place, item in pins.items() if may[item]}
    chosen = list(shown_pins.values())
    free = [item for item in range(len(scores)) if may[item] and item not in chosen]

    def capped(item: int) -> bool:
        return cap is not None and groups[item] != -1 and [groups[other] for other in chosen].count(groups[item]) >= cap

    @functools.cache
    def close(item: int, other: int) -> float:
        return cosine(items[item], items[other])

    def value(item: int) -> float:
        closest = max((close(item, other) for other in chosen), default=0.0)
        return trade_off * boosted[item] - (1 - trade_off) * closest

    others: list[int] = []
    for buried in (False, True):
        tier = [item for item in free if (item in rules.get("buries", ())) == buried]
        while len(others) < k and (tier := [item for item in tier if not capped(item)]):
            worth = {item: boosted[item] if buried or trade_off == 1 else value(item) for item in tier}
            best = min(tier, key=lambda item: (-worth[item], -boosted[item], item))
            others.append(best)
            chosen.append(best)
            tier.remove(best)
    listed: list[int] = []
    while others and len(listed) < k:
        listed.append(shown_pins.pop(len(listed)) if len(listed) in shown_pins else others.pop(0))
    listed += [shown_pins[place] for place in sorted(shown_pins)]
    return listed[:k], [boosted[item] for item in listed[:k]]
