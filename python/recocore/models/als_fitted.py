"""What fitted factors take in without another fit: new rows, and interactions that changed."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.models.als_fold_in import folded_in, new_rows
from recocore.models.als_scoring import equations_of, scorer_of
from recocore.models.als_update import ChangingSide, Entries, updated_factors
from recocore.models.base import BaseModel, check_learnable
from recocore.models.entry_weights import EntryWeights, entry_weights
from recocore.models.matrix_changes import rising_numbers
from recocore.ops.als import AlsPrior
from recocore.ops.arguments import sparse
from recocore.scoring import FactorScorer

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.data import Interactions
    from recocore.models.als_equations import Equations, Side, SolverSettings
    from recocore.types import AnyArray, Float32Array, Progress


class FactorModel(BaseModel):
    """Factors of users and items, each row of which solves its equations; a subclass fits them.

    Attributes:
        factors: length of a factor.
    """

    factors: int

    def __init__(self) -> None:
        super().__init__()
        self._priors: dict[Side, AlsPrior] = {}

    @abstractmethod
    def _settings(self, *, fold_in: bool = False) -> SolverSettings:
        """How rows are solved."""

    @property
    def user_factors(self) -> Float32Array:
        """float32 `[n_users, factors]`; with the loss explicit `[n_users, factors + 2]`, rows [mean + bias, x, 1]."""
        return self._factor_scorer.user_factors

    @property
    def item_factors(self) -> Float32Array:
        """float32 `[n_items, factors]`; with the loss explicit `[n_items, factors + 2]`, rows [1, y, bias]."""
        return self._factor_scorer.item_factors

    def fold_in_users(self, interactions: Any = None, features: Any = None, weights: Any = None) -> Float32Array:
        """Factors for users that the model was not fitted to, float32 `[n, factors]`, all in one call.

        They are solved for by the model's solver: exactly by cholesky, which auto is here; cg and subspace take several rounds
        from zero.

        Args:
            interactions: `[n, n_items]`, a Csr or a SciPy sparse matrix; None where there are none.
            features: `[n, p]`, where the model was fitted to features of users; a user without interactions is put where
                they say.
            weights: of the interactions, as in `fit`; None for ones.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: the columns are not the model's items or features, or a value is not finite.

        Example:
            >>> import recocore
            >>> data = recocore.Interactions.from_coo([0, 0, 1, 1], [0, 1, 0, 2])
            >>> model = recocore.models.ALS(factors=2, iterations=2).fit(data)
            >>> model.fold_in_users(data.matrix.rows([1, 0])).shape
            (2, 2)
        """
        return self._fold_in("users", interactions, self.item_factors, features, weights)

    def fold_in_items(self, interactions: Any = None, features: Any = None, weights: Any = None) -> Float32Array:
        """Factors for items that the model was not fitted to, float32 `[n, factors]`, as `fold_in_users` has those of users.

        Args:
            interactions: `[n, n_users]`, a Csr or a SciPy sparse matrix; None where there are none.
            features: `[n, q]`, where the model was fitted to features of items.
            weights: of the interactions, as in `fit`; None for ones.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: the columns are not the model's users or features, or a value is not finite.

        Example:
            >>> import recocore, scipy.sparse
            >>> data = recocore.Interactions.from_coo([0, 0, 1, 1], [0, 1, 0, 2])
            >>> colors = scipy.sparse.csr_matrix([[1, 0], [1, 0], [0, 1]])
            >>> model = recocore.models.ALS(factors=2, iterations=5).fit(data, item_features=colors)
            >>> model.fold_in_items(features=scipy.sparse.csr_matrix([[0, 1]])).shape  # of a color, and nobody's yet
            (1, 2)
        """
        return self._fold_in("items", interactions, self.user_factors, features, weights)

    def partial_fit(
        self,
        interactions: Interactions,
        user_indices: Any = None,
        item_indices: Any = None,
        progress: Progress | None = None,
        *,
        weights: Any = None,
        user_features: Any = None,
        item_features: Any = None,
    ) -> Self:
        """Learn from interactions that grew or changed a little since the fit.

        Users and items whose entries, weights or features changed, new ones included, are folded in: first these users, then
        these items, then the users again, who so have the very factors that `fold_in_users` gives. All others keep theirs,
        and drift from the optimum as changes add up, until the next `fit`; so does what features say of factors. A new item
        that only new users have, and they nothing else, is learned by a fit alone, save for what its features say. Norms and
        Gram matrices are those of the new factors. O(nnz), and a fold-in of what changed.

        Args:
            interactions: all interactions as they are now, not only the new ones.
            user_indices: integers `[n]`, for each user fitted the index in `interactions`, -1 for one that is gone; they rise.
                None where indices stay and new users come last.
            item_indices: likewise.
            progress: told the part done in [0, 1]; an exception that it raises leaves the model as it was.
            weights: of all interactions as they are now, as in `fit`; None for ones.
            user_features: `[n_users, p]` of all users as they are now, where the model was fitted to some.
            item_features: `[n_items, q]`, likewise.

        Returns:
            The model itself.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: there is nothing to learn from, or indices, weights or features that do not fit.

        Example:
            >>> import recocore
            >>> old = recocore.Interactions.from_coo(["ann", "ann", "cid"], ["a", "c", "a"])
            >>> new = recocore.Interactions.from_coo(["ann", "ann", "bob", "cid"], ["a", "c", "c", "a"])
            >>> model = recocore.models.ALS(factors=2, iterations=5).fit(old)
            >>> now = new.users.indices_of(old.users.ids_of(range(old.n_users)))
            >>> model.partial_fit(new, user_indices=now).recommend([1], k=1).ids.tolist()  # for bob
            [[0]]
        """
        fitted = self._factor_scorer
        check_learnable(interactions)
        users = rising_numbers(user_indices, fitted.interactions.shape[0], interactions.n_users, "user_indices")
        items = rising_numbers(item_indices, fitted.interactions.shape[1], interactions.n_items, "item_indices")
        now = EntryWeights.make(weights, interactions)
        given: dict[Side, Any] = {"users": user_features, "items": item_features}
        counts = {"users": interactions.n_users, "items": interactions.n_items}
        found = {side: self._prior_now(side, features, counts[side]) for side, features in given.items()}
        priors = {side: prior for side, prior in found.items() if prior is not None}
        before = Entries(fitted.interactions, fitted.weights, self._priors.get("users"))
        after = Entries(interactions.matrix, None if now is None else now.by_user, priors.get("users"))
        of_items = Entries(interactions.by_item, None if now is None else now.by_item, priors.get("items"))
        equations = self._equations(fold_in=True)
        factors = updated_factors(
            ChangingSide("users", before, after, users, self.user_factors),
            ChangingSide("items", before.transposed(self._priors.get("items")), of_items, items, self.item_factors),
            equations,
            self.factors,
            progress,
        )
        if progress is not None:
            progress(1.0)
        self._scorer = scorer_of(equations, *factors, after.matrix, after.weights)
        self._priors = priors
        return self

    def _prior_now(self, side: Side, given: Any, count: int) -> AlsPrior | None:
        """What all rows' features as they are now say, by the weights of the fit."""
        known, argument = self._priors.get(side), f"{side[:-1]}_features"
        if known is None and given is None:
            return None
        if known is None or given is None:
            expected = "None, as the model was not fitted to any" if known is None else f"those of all {count} {side}"
            raise InvalidArgumentError(
                f"{argument}: expected {expected}, got {'some' if known is None else 'None'}; fit and partial_fit take the "
                "same kinds",
                field=argument,
            )
        features = sparse(given, argument)
        expected_shape = (count, known.features.shape[1])
        if features.shape != expected_shape:
            raise InvalidArgumentError(
                f"{argument}: expected {list(expected_shape)}, all {side} as they are now and the features of the fit, "
                f"got {list(features.shape)}",
                field=argument,
            )
        features.check(argument)
        return AlsPrior(features, known.weights)

    def _fold_in(self, side: Side, interactions: Any, fixed: Float32Array, features: Any, weights: Any) -> Float32Array:
        known = self._priors.get(side)
        matrix, given = new_rows(side, interactions, features, len(fixed), known)
        counted = None
        if self._priors:  # some rows of the other side may have factors by their features alone
            counted = np.flatnonzero(_entries_of_other(self._factor_scorer.interactions, side)).astype(np.int32)
        return folded_in(
            side,
            matrix,
            fixed,
            self._equations(fold_in=True),
            self.factors,
            weights=None if weights is None else entry_weights(weights, matrix),
            counted=counted,
            prior=None if given is None or known is None else AlsPrior(given, known.weights),
        )

    def _equations(self, *, fold_in: bool = False) -> Equations:
        """What the factors solve."""
        return equations_of(self._factor_scorer, self._settings(fold_in=fold_in))

    @property
    def _factor_scorer(self) -> FactorScorer:
        scorer = self.scorer
        assert isinstance(scorer, FactorScorer)  # a fit leaves no other
        return scorer


def _entries_of_other(by_user: Csr, side: Side) -> AnyArray:
    """How many entries each row of the other side has."""
    if side == "items":
        return np.diff(by_user.indptr)
    return np.bincount(by_user.indices, minlength=by_user.shape[1])
