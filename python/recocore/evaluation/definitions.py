"""The metrics by name, and what each needs.

R is the set of a user's relevant items: the entries above zero in the user's row of the test matrix. Hits are the items
of R among the first k of the list; rel_i is 1 where the list's i-th item is in R, else 0.

| name | of one user |
|---|---|
| recall | hits / abs(R) |
| capped_recall | hits / min(k, abs(R)) |
| precision | hits / k, however short the list |
| hit_rate | 1 if there is a hit, else 0 |
| map | sum over i <= k of rel_i · hits among the first i / i, over abs(R) |
| map_capped | the same sum over min(k, abs(R)) |
| mrr | 1 / the rank of the first hit, 0 without one |
| ndcg | sum over i <= k of rel_i / log2(i + 1), over the same sum of a list that begins with R |
| ndcg_graded | ndcg with the gain g(v) of the test value v in place of rel_i: v (linear) or 2**v - 1 (exponential) |
| auc | share of the pairs (relevant, other candidate) that the scores order rightly, equal scores counting one half |
| novelty | mean over the list of -log2(max(1, users with the item in training) / users in training) |
| intra_list_diversity | 1 - the mean cosine over the pairs of the list, by `item_vectors` |

Their means run over the users with a relevant item; a user without a list scores 0, save in auc. There the candidates
are the items outside the user's training row, or all items when seen ones are not excluded; those that a list lacks tie
with each other below it, so an empty list has 0.5, as has a user without a relevant, or without another, candidate. A
list of no items has novelty 0, one of fewer than two diversity 0; an item whose vector is zero has cosine 0 with all.

Two more describe all the lists together, so no user has a value of them:

| name | of all lists |
|---|---|
| coverage | share of the catalogue that is in some list |
| gini | of the items' exposures x_1 <= ... <= x_n: sum of (2i - n - 1) x_i / (n · sum of x_i); 0 when all are equal |

Other libraries use the same names for other things: see Tamm, Damdinov, Vasilev, "Quality metrics in recommender
systems: do we calculate metrics consistently?", RecSys 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.ops.ranking import RANKING_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_T = TypeVar("_T")

Gain: TypeAlias = Literal["linear", "exponential"]
Ties: TypeAlias = Literal["list", "average"]

ACCURACY = RANKING_METRICS
AUC = "auc"
NOVELTY = "novelty"
DIVERSITY = "intra_list_diversity"
COVERAGE = "coverage"
GINI = "gini"
METRICS = (*ACCURACY, AUC, NOVELTY, DIVERSITY, COVERAGE, GINI)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, checked.

    Attributes:
        cutoffs: each k, rising, without duplicates.
        metrics: names of `METRICS` in the order asked, without duplicates.
        ties: "list" takes a list's order as it is; "average" is the mean over all orders of equal scores.
        gain: of ndcg_graded.
    """

    cutoffs: tuple[int, ...]
    metrics: tuple[str, ...]
    ties: Ties
    gain: Gain

    @classmethod
    def of(cls, k: int | Sequence[int], metrics: str | Sequence[str], ties: Ties, gain: Gain) -> Plan:
        """Check what a caller asks for.

        Raises:
            InvalidArgumentError: an unknown name or a cutoff below 1; the message lists the known names.
        """
        names = (metrics,) if isinstance(metrics, str) else _tuple("metrics", metrics, "names")
        for name in names:
            if name not in METRICS:
                raise InvalidArgumentError(
                    f"metrics: expected names among {', '.join(METRICS)}, got {name!r}; cutoffs go into k",
                    field="metrics",
                )
        if not names:
            raise InvalidArgumentError(
                f"metrics: expected at least one of {', '.join(METRICS)}, got none", field="metrics"
            )
        _require_option("ties", ties, get_args(Ties))
        _require_option("gain", gain, get_args(Gain))
        return cls(_cutoffs(k), tuple(dict.fromkeys(names)), ties, gain)

    @property
    def accuracy(self) -> list[str]:
        """The metrics asked for that compare a list with the relevant items at a cutoff."""
        return [name for name in self.metrics if name in ACCURACY]

    @property
    def names(self) -> list[str]:
        """What the results are called, for example "recall@20"; auc has no cutoff."""
        return [name for m in self.metrics for name in ([m] if m == AUC else [f"{m}@{k}" for k in self.cutoffs])]


def _cutoffs(k: int | Sequence[int]) -> tuple[int, ...]:
    cutoffs: tuple[object, ...] = (k,) if isinstance(k, (int, np.integer)) else _tuple("k", k, "cutoffs")
    checked = set()
    for cutoff in cutoffs:
        if isinstance(cutoff, bool) or not isinstance(cutoff, (int, np.integer)) or not 1 <= cutoff < 2**31:
            raise InvalidArgumentError(f"k: expected cutoffs in [1, 2**31), got {cutoff!r}", field="k")
        checked.add(int(cutoff))
    if not checked:
        raise InvalidArgumentError("k: expected at least one cutoff, got none", field="k")
    return tuple(sorted(checked))


def _tuple(argument: str, values: Iterable[_T], expected: str) -> tuple[_T, ...]:
    try:
        return tuple(values)
    except TypeError:
        raise InvalidArgumentError(
            f"{argument}: expected a sequence of {expected}, got {values!r}", field=argument
        ) from None


def _require_option(argument: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidArgumentError(f"{argument}: expected {' or '.join(known)}, got {value!r}", field=argument)
