"""lenskit: `ImplicitMFScorer`, which solves by Cholesky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from lenskit.als import ImplicitMFScorer
from lenskit.data import from_interactions_df
from lenskit.parallel import initialize
from lenskit.training import TrainingOptions

from benchmarks.als.fitting import FlatFitting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.als.solution import Factors


class Competitor(FlatFitting):
    """Takes its own Dataset; `weight` is what a seen pair weighs more than an unseen one."""

    packages: ClassVar[tuple[str, ...]] = ("lenskit",)
    exact: ClassVar[bool] = True

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        initialize(processes=1, threads=threads, backend_threads=threads)
        coo = self.interactions.tocoo()
        self._data = from_interactions_df(pd.DataFrame({"user_id": coo.row, "item_id": coo.col}))

    def fit(self, epochs: int) -> Any:
        """Fit."""
        model = self._scorer(epochs)
        model.train(self._data, TrainingOptions(rng=0))
        return model

    def factors_of(self, model: Any) -> Factors:
        """Scaled, in the order of the matrix, whose rows without entries lenskit does not know."""
        users, items = (np.zeros((size, self.factors), np.float32) for size in self.interactions.shape)
        users[model.users.ids().astype(np.int64)] = model.user_embeddings
        items[model.items.ids().astype(np.int64)] = model.item_embeddings
        return self.scaled(users, items)

    def after_each_epoch(self, epochs: int) -> Iterator[Factors]:
        """One epoch after another."""
        model = self._scorer(epochs)
        trainer = model.create_trainer(self._data, TrainingOptions(rng=0))
        for _ in range(epochs):
            trainer.train_epoch()
            yield self.factors_of(model)

    def _scorer(self, epochs: int) -> Any:
        return ImplicitMFScorer(
            features=self.factors,
            epochs=epochs,
            regularization=self.regularization,
            weight=self.confidence - 1,
        )
