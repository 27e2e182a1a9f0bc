"""The scenario: its cases, and what is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from benchmarks.harness.scenario import Case, Inputs, Scenario
from benchmarks.topk import vectors
from benchmarks.topk.problem import Problem
from benchmarks.topk.ranking import Ranking
from benchmarks.topk.reference import Reference, agree

if TYPE_CHECKING:
    from pathlib import Path

GAUSSIAN = "gaussian"


@dataclass(frozen=True, slots=True)
class Parameters:
    """One search: the k items with the largest inner products for each query.

    Attributes:
        vectors: gaussian, or a data set of `benchmarks.datasets` whose users and items ALS gives factors.
        queries: so many; with a data set, at most so many of its users, and 0 is all.
        items: so many; with a data set, all.
        factors: length of a vector.
        k: items for each query.
        excluded: items that each query must not bring back.
        allowed: the part of the items that may come back at all.
        one_by_one: a call for each query, without exclusions.

    Example:
        >>> print(Parameters("gaussian", 200, 5_000, k=10, excluded=7))
        the 10 best for each query, gaussian, 128 factors, 7 items excluded a query
        >>> print(Parameters("gaussian", 200, 5_000, k=10, allowed=0.01, one_by_one=True))
        the 10 best for each query, gaussian, 128 factors, 1 % of the items allowed, one query a call
    """

    vectors: str
    queries: int = 0
    items: int = 0
    factors: int = 128
    k: int = 10
    excluded: int = 0
    allowed: float = 1.0
    one_by_one: bool = False

    def __str__(self) -> str:
        kind = GAUSSIAN if self.vectors == GAUSSIAN else f"ALS on {self.vectors}"
        said = [f"the {self.k} best for each query", kind, f"{self.factors} factors"]
        if self.excluded:
            said.append(f"{self.excluded} items excluded a query")
        if self.allowed < 1:
            said.append(f"{100 * self.allowed:g} % of the items allowed")
        if self.one_by_one:
            said.append("one query a call")
        return ", ".join(said)


# usearch cannot exclude, and compares pairs one by one: seven times faiss's time is minutes a run where there are many.
_MANY = ("recocore", "recocore-float32", "faiss", "implicit")
# Whoever has something prepared for the next query.
_ONE = ("recocore", "faiss", "implicit", "usearch")
_HUNDRED_THOUSAND, _MILLION = 100_000, 1_000_000


class TopkScenario(Scenario[Parameters]):
    """Queries against items."""

    name: ClassVar[str] = "topk"
    title: ClassVar[str] = "Exact top-k"
    about: ClassVar[str] = (
        "From float32 queries and items in memory to the ids and scores of the k largest inner products of every query. faiss"
        " fills its index before the run; recocore packs the items in each run, but for queries that come one a call: its "
        "Retriever is prepared, as a service has it. Every result is checked first: up to 1,000 queries against float64, "
        "scores to what float32 sums may be off by and items wherever scores are further apart than that; all queries against"
        " the first right result in the same way; and in all rows that no item comes twice, is excluded or is not allowed. "
        "The largest error of a score stands in the table. Excluded items are ones that score high, as what was bought does; "
        "faiss is asked for as many more, which are dropped in NumPy. usearch compares pair by pair and takes part where that"
        " ends soon. For an allow-list the peers search a copy of the allowed items, made in the run. The roof is the bare "
        "product: NumPy's BLAS multiplies the case's queries with the items that may come back, in float32 on as many "
        "threads, and keeps nothing. It is timed in the same rounds, and every row of a table says what part of its rate that"
        " library comes to; who rules items out by less than a float32 product can pass it."
    )
    work_unit: ClassVar[str] = "floating-point operations"
    roof: ClassVar[tuple[str, str] | None] = ("benchmarks.topk.bare_product", "the bare float32 product, by BLAS")
    roof_in_cases: ClassVar[bool] = True
    part: ClassVar[str | None] = "query"
    cases = (
        Case("tiny", Parameters(GAUSSIAN, 300, 2_000, factors=16), when="named", competitors=_ONE),
        Case("k10_quick", Parameters(GAUSSIAN, 5_000, _HUNDRED_THOUSAND), when="quick"),
        Case("k10", Parameters(GAUSSIAN, 20_000, _HUNDRED_THOUSAND), competitors=_MANY),
        Case("k100", Parameters(GAUSSIAN, 20_000, _HUNDRED_THOUSAND, k=100), competitors=_MANY),
        Case("excluding", Parameters(GAUSSIAN, 20_000, _HUNDRED_THOUSAND, excluded=100), competitors=_MANY),
        Case("allowing", Parameters(GAUSSIAN, 20_000, _HUNDRED_THOUSAND, allowed=0.01)),
        Case("one", Parameters(GAUSSIAN, 200, _HUNDRED_THOUSAND, one_by_one=True), competitors=_ONE),
        Case("gowalla", Parameters("gowalla"), competitors=_MANY),
        Case("amazon-beauty", Parameters("amazon-beauty"), competitors=_MANY),
        Case("million_k10", Parameters(GAUSSIAN, 2_000, _MILLION), when="large", competitors=_MANY),
        Case("million_k100", Parameters(GAUSSIAN, 2_000, _MILLION, k=100), when="large", competitors=_MANY),
        Case("million_one", Parameters(GAUSSIAN, 50, _MILLION, one_by_one=True), when="large", competitors=_ONE),
    )

    def prepare(self, parameters: Parameters, folder: Path, data: Path) -> Inputs:
        """Write the vectors and what may come back, and the true best of some queries."""
        problem = _problem(parameters, data)
        Reference.of(problem, parameters.k).save(folder / "expected.npz")
        n, m = len(problem.queries), len(problem.items)
        return Inputs(
            files=problem.save(folder),
            work=problem.flops,
            facts={"queries": n, "items": m},
            expected=folder / "expected.npz",
            parts=n if parameters.one_by_one else 1,
        )

    def check(self, parameters: Parameters, inputs: Inputs, result: Path) -> None:
        """Compare the sampled queries with float64, and look at what comes back in all rows."""
        assert inputs.expected is not None
        Reference.load(inputs.expected).check(Ranking.load(result), Problem.load(inputs.files))

    def agree(self, parameters: Parameters, result: Path, accepted: Path) -> None:
        """Compare scores and items of all queries."""
        agree(Ranking.load(result), Ranking.load(accepted), Problem.beside(accepted))

    def quality(self, parameters: Parameters, inputs: Inputs, result: Path) -> dict[str, float]:
        """The largest error of a score."""
        assert inputs.expected is not None
        reference, problem = Reference.load(inputs.expected), Problem.load(inputs.files)
        return {"largest error": reference.largest_error(Ranking.load(result), problem)}


def _problem(parameters: Parameters, data: Path) -> Problem:
    if parameters.vectors == GAUSSIAN:
        queries, items = vectors.gaussian(parameters.queries, parameters.items, parameters.factors)
    else:
        queries, items = vectors.learnt(parameters.vectors, parameters.factors, data)
        queries = queries[: parameters.queries or None]
    return Problem(
        queries,
        items,
        vectors.seen(queries, items, parameters.excluded) if parameters.excluded else None,
        vectors.share(len(items), parameters.allowed) if parameters.allowed < 1 else None,
    )


SCENARIO = TopkScenario()
