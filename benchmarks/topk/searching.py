"""What competitors share: the case's problem, and how calls become a ranking."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.topk.problem import Problem
from benchmarks.topk.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Searching(Base):
    """Searches for all queries in one call, or in one call each.

    Attributes:
        problem: the case's.
        k: items for each query.
        one_by_one: whether queries come one at a time.
        threads: for the library.
    """

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self.problem = Problem.load(inputs)
        self.k: int = parameters["k"]
        self.one_by_one: bool = parameters["one_by_one"]
        self.threads = threads

    @abstractmethod
    def search(self, queries: Any) -> Any:
        """The library's answer for float32 `[n, f]`: all queries of the problem, or one of them."""

    @abstractmethod
    def read(self, answer: Any) -> tuple[Any, Any]:
        """Ids and scores of an answer, both `[n, k]`; ids are those of `problem.candidates`."""

    def run(self) -> Any:
        """Search; gives the answers."""
        queries = self.problem.queries
        if not self.one_by_one:
            return [self.search(queries)]
        return [self.search(queries[row : row + 1]) for row in range(len(queries))]

    def save(self, result: Any, path: Path) -> None:
        """Write the ranking."""
        ids, scores = (np.concatenate(parts) for parts in zip(*map(self.read, result), strict=True))
        Ranking(np.asarray(ids, np.int32), np.asarray(scores, np.float32)).save(path)


class Gathering(Searching):
    """A library without allow-lists: it searches a copy of the allowed items, made in each run."""

    def original(self, ids: Any) -> Any:
        """Items of the problem, from those of `problem.candidates`."""
        return ids if self.problem.allowed is None else self.problem.allowed[ids]
