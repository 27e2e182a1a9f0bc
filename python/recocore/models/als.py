"""Alternating least squares on implicit feedback, and on ratings."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.models.als_checkpoint import Checkpoints
from recocore.models.als_equations import Equations, SolverSettings
from recocore.models.als_fitted import FactorModel
from recocore.models.als_memory import estimated, feature_counts
from recocore.models.als_problem import AlsProblem
from recocore.models.als_scale import DataScale, rating_mean, rating_regularization
from recocore.models.als_scoring import scorer_of
from recocore.models.als_training import Run, ask, train
from recocore.models.base import check_learnable
from recocore.models.entry_weights import EntryWeights, entry_weights
from recocore.models.epoch_store import MemoryStore
from recocore.models.feature_prior import FeaturePrior
from recocore.models.validation import Validation
from recocore.ops.als import AlsObjective, checked_interactions
from recocore.ops.arguments import choice, integer, not_negative, positive, real, sparse, threads
from recocore.ops.device import checked_device

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recocore.csr import Csr
    from recocore.data import Interactions
    from recocore.models.als_equations import Side
    from recocore.models.als_memory import AlsMemory
    from recocore.models.als_training import Judge
    from recocore.models.epoch_report import EpochReport
    from recocore.models.epoch_store import EpochStore
    from recocore.ops.als import AlsReport
    from recocore.scoring import FactorScorer
    from recocore.types import Float32Array, Progress

_SOLVERS = ("auto", "cholesky", "cg", "subspace")
_LOSSES = ("ials", "original", "explicit")
_LARGEST_FACTORS = 2048
# Rows whose first factors are drawn at a time: 16 MiB of float64 at most.
_DRAWN_ROWS = 1024
# In the terms of als_scale: good on five data sets of 0.06 to 1.8 % density; the README compares them with tuned ones.
_UNSEEN = 15.0
_PULL = 1.0


class ALS(FactorModel):
    """Factors x_u, y_i that minimise a weighted squared loss over every pair of user and item.

    The objective is that of Rendle et al., "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (2022):

        sum over seen of w (1 - x.y)^2 + alpha0 * sum over all of (x.y)^2 + sum over rows of lambda_row * |row|^2
        lambda_row = regularization * (entries of the row + alpha0 * length of the other side) ** nu

    A negative value is a dislike of weight |w|: (negative_preference - x.y)^2 stands for (1 - x.y)^2. With loss="original" (Hu,
    Koren, Volinsky 2008) a seen pair weighs alpha0 + w and pulls with all of it. `fit` may be given a weight for each
    interaction, which then multiplies w.

    With loss="explicit" values are ratings, and only rated pairs count (Koren, Bell, Volinsky, "Matrix Factorization Techniques
    for Recommender Systems", 2009, eq. 5; biases are solved with the factors):

        sum over rated of w (rating - mean - bias_u - bias_i - x.y)^2 + sum over rows of lambda_row * (|row|^2 + bias^2)
        lambda_row = regularization * entries of the row ** nu

    where w is 1 unless weights are given. Scores are then predicted ratings. `fit` may be given features: |row - W features|^2
    then stands for |row|^2, with W learned (see `fit`).

    Args:
        factors: length of a factor, 1 to 2048.
        regularization: larger pulls factors to zero; see lambda_row. None for what suits the data's size, density and
            weights: 5 (1 / sqrt(n_users) + 1 / sqrt(n_items)) / 16 with the other defaults, equal weights and a density
            below 2 %; `recocore.models.als_scale` has the whole formula and says why. Ratings get 0.12 times their standard
            deviation and mean weight where nu is 1.
        alpha0: weight of an unseen pair; a seen one weighs its interaction's weight more. None for 15 times the data's
            density times its mean weight: all unseen pairs then weigh 15 times what the seen ones do. The loss explicit
            does without.
        nu: 0 regularises every row alike, 1 in proportion to its entries.
        iterations: epochs; each solves all items, then all users.
        solver: cholesky (exact), cg, subspace (iALS++), or auto: cg, but exact for rows so short that this costs no more
            than a step of cg, and for all where that is cheaper. `reports` says how many rows were solved which way.
        num_threads: 0 is one for each core; the result does not depend on it.
        seed: of the first factors, normal with standard deviation 0.1 / sqrt(factors).
        device: cpu, or cuda, which fits and ranks there; auto then is cholesky, and a model with another device has other
            factors by rounding.
        loss: ials, original or explicit.
        cg_steps: steps of conjugate gradient for each row and half-epoch, 1 to 2048.
        block_size: factors that subspace solves at a time, 1 to 2048, rounded up to a multiple of 16.
        negative_preference: what the score of a dislike is drawn to, 0 to -1: at 0 as if nobody had met the item, at -1 as far
            below that as a like is above.
        feature_regularization: how strongly the weights of features are pulled to zero: a feature counts as if it had this
            many more rows of average lambda_row, with factors zero.

    An epoch costs O(nnz f^2 + (n_users + n_items) f^3) with cholesky.

    Example:
        >>> import recocore
        >>> data = recocore.Interactions.from_coo(["ann", "ann", "bob", "bob"], ["a", "b", "a", "c"])
        >>> model = recocore.models.ALS(factors=4, iterations=5).fit(data)
        >>> model.recommend([0], k=1).ids.tolist()  # ann has a and b, so c is left
        [[2]]
    """

    name: ClassVar[str] = "als"

    def __init__(
        self,
        factors: int = 128,
        regularization: float | None = None,
        alpha0: float | None = None,
        nu: float = 1.0,
        iterations: int = 16,
        solver: str = "auto",
        num_threads: int = 0,
        seed: int = 0,
        device: str = "cpu",
        loss: str = "ials",
        cg_steps: int = 3,
        block_size: int = 64,
        feature_regularization: float = 1.0,
        negative_preference: float = 0.0,
    ) -> None:
        super().__init__()
        self.factors = integer(factors, "factors", 1, _LARGEST_FACTORS)
        self.regularization = None if regularization is None else not_negative(regularization, "regularization")
        self.alpha0 = None if alpha0 is None else not_negative(alpha0, "alpha0")
        self.nu = not_negative(nu, "nu")
        self.iterations = integer(iterations, "iterations", 1)
        self.solver = choice(solver, "solver", _SOLVERS)
        self.num_threads = threads(num_threads)
        self.seed = integer(seed, "seed", 0)
        self.device = checked_device(device)
        self.loss = choice(loss, "loss", _LOSSES)
        self.cg_steps = integer(cg_steps, "cg_steps", 1, _LARGEST_FACTORS)
        self.block_size = integer(block_size, "block_size", 1, _LARGEST_FACTORS)
        self.feature_regularization = positive(feature_regularization, "feature_regularization")
        self.negative_preference = real(negative_preference, "negative_preference") + 0.0  # no negative zero
        if not -1 <= self.negative_preference <= 0:
            raise InvalidArgumentError(
                f"negative_preference: expected a number from -1 to 0, got {negative_preference!r}",
                field="negative_preference",
            )
        if self.loss == "explicit" and self.negative_preference:
            raise InvalidArgumentError(
                "negative_preference: expected 0 with loss='explicit', where a low rating says it, got "
                f"{negative_preference!r}",
                field="negative_preference",
            )
        self._history: tuple[EpochReport, ...] = ()
        self._best_epoch = 0

    def params(self) -> dict[str, Any]:
        """The constructor's keywords with their values."""
        return {
            "factors": self.factors,
            "regularization": self.regularization,
            "alpha0": self.alpha0,
            "nu": self.nu,
            "iterations": self.iterations,
            "solver": self.solver,
            "num_threads": self.num_threads,
            "seed": self.seed,
            "device": self.device,
            "loss": self.loss,
            "cg_steps": self.cg_steps,
            "block_size": self.block_size,
            "feature_regularization": self.feature_regularization,
            "negative_preference": self.negative_preference,
        }

    @property
    def reports(self) -> tuple[AlsReport, ...]:
        """How the last fit solved its rows: for each epoch the items' half, then the users'; empty before `fit`."""
        return tuple(half for report in self._history for half in (report.items, report.users))

    @property
    def history(self) -> tuple[EpochReport, ...]:
        """What each epoch of the last fit did, those after the best one included; empty before `fit`."""
        return self._history

    @property
    def best_epoch(self) -> int:
        """The number of the epoch whose factors the model has: the last, or with a validation the best; 0 before `fit`."""
        return self._best_epoch

    def objective_for(self, interactions: Interactions, weights: Any = None) -> AlsObjective:
        """What `fit` minimises on these interactions: the parameters that are None come from the data. O(nnz).

        Args:
            interactions: to fit to.
            weights: of these, as in `fit`.

        Example:
            >>> import recocore
            >>> data = recocore.Interactions.from_coo([0, 1, 2, 3], [0, 1, 2, 3])
            >>> objective = ALS().objective_for(data)
            >>> objective.regularization, objective.alpha0, objective.nu, objective.loss
            (0.09375, 3.75, 1.0, 'ials')
        """
        return self._objective_for(
            interactions, None if weights is None else entry_weights(weights, interactions.matrix)
        )

    def objective(self, interactions: Interactions, weights: Any = None) -> float:
        """The value of the objective on what the model was fitted to. O(nnz f + (users + items) f^2).

        Args:
            interactions: of the fit.
            weights: of the fit.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: the shape is not that of the factors, or the weights do not fit.
        """
        features = {side: prior.features for side, prior in self._priors.items()}
        factors = self.user_factors, self.item_factors
        if features:
            factors = factors[0].copy(), factors[1].copy()
        given = EntryWeights.make(weights, interactions)
        return self._problem(interactions, given, self._equations(), features, factors).value()

    def estimate_memory(
        self,
        n_users: int,
        n_items: int,
        nnz: int,
        *,
        keeps_epochs: bool = False,
        mapped: bool = False,
        weighted: bool = False,
        user_features: tuple[int, int] | None = None,
        item_features: tuple[int, int] | None = None,
    ) -> AlsMemory:
        """The memory that `fit` takes at its peak, in bytes by part, without taking any.

        Args:
            n_users: rows of the interactions.
            n_items: their columns.
            nnz: their entries.
            keeps_epochs: whether `fit` is given a validation or cancel, and no checkpoint.
            mapped: whether they are MappedInteractions, whose files the system may read anew instead of keeping them; weights
                are then taken to be mapped too.
            weighted: whether `fit` is given weights.
            user_features: columns and entries of the matrix of users' features; None where `fit` is given none.
            item_features: likewise.

        Example:
            >>> import recocore
            >>> print(recocore.models.ALS(factors=128, num_threads=2).estimate_memory(1_000_000, 200_000, 100_000_000))
            2,233 MB (interactions 1,610, factors 614, work 9)
        """
        shape = integer(n_users, "n_users", 0), integer(n_items, "n_items", 0)
        given = {"user_features": user_features, "item_features": item_features}
        return estimated(
            shape,
            integer(nnz, "nnz", 0),
            self.factors,
            num_threads=self.num_threads,
            explicit=self.loss == "explicit",
            kept=keeps_epochs,
            mapped=mapped,
            weighted=weighted,
            features=[None if one is None else feature_counts(one, name) for name, one in given.items()],
        )

    def fit(
        self,
        interactions: Interactions,
        progress: Progress | None = None,
        *,
        on_epoch: Callable[[EpochReport], object] | None = None,
        track_objective: bool = False,
        validation: Validation | Interactions | None = None,
        checkpoint: str | Path | None = None,
        cancel: Callable[[], bool] | None = None,
        memory_limit: int | None = None,
        weights: Any = None,
        user_features: Any = None,
        item_features: Any = None,
    ) -> Self:
        """Learn from interactions.

        Ctrl-C stops a fit within a second, and so does `cancel`. Where `validation`, `checkpoint` or `cancel` is given, whole
        epochs are kept, on disk with `checkpoint`, else by a second copy of the factors in memory; the stopped model then
        has the best, or the last, of them. In any other case a fit that did not end leaves the model as it was.

        Args:
            interactions: weights by user and item.
            progress: told the part done in [0, 1]; an exception that it raises stops the fit and leaves the model as it was.
            on_epoch: told what each epoch did, as `history` has it; an exception that it raises does the same.
            track_objective: give the reports the objective's value, for O(nnz f) more an epoch.
            validation: held-out interactions under the same id maps, or a `Validation` that also says by which metric they are
                judged and when to stop. The model has the factors of the best epoch, and `best_epoch` its number.
            checkpoint: a folder for whole epochs. Where it has some, the fit goes on after the last of them, to the bytes that
                it would have had without a stop (on the same instruction set); with more `iterations` than before it goes on
                further. The disk holds the last two epochs and the best one.
            cancel: asked every 50 ms or less often; stops the fit where it returns true.
            memory_limit: bytes that the fit may take in all by `estimate_memory`; None for what is free.
            weights: how much each interaction counts, at least 0: Interactions of the same pairs whose values they are, as
                `interactions.aligned` makes them (mapped ones stay in their files), a sparse matrix of the same entries, or
                numbers `[nnz]` in the order of the entries of `interactions.matrix`. None for ones.
            user_features: `[n_users, p]`, a Csr or a SciPy sparse matrix, such as a one in the column of each category that
                the row is of. Factors are then drawn to W features in place of zero, with W learned by ridge regression in
                turn with the factors. Rows without interactions are put there, and so are recommended, or recommended to;
                alpha0's sum over all does not ask about them, so that the objective never rises.
            item_features: `[n_items, q]`, likewise.

        Returns:
            The model itself.

        Raises:
            InvalidArgumentError: there is nothing to learn from, a parameter does not fit the data, or the checkpoint is of
                other settings or data, which are named.
            CorruptError: the checkpoint is damaged; its file and what to do are named.
            CancelledError: `cancel` returned true.
            OutOfMemoryError: more is needed than there is or `memory_limit` allows; nothing was allocated.

        Example:
            >>> import recocore
            >>> data = recocore.Interactions.from_coo([0, 0, 1, 1], [0, 1, 0, 2])
            >>> model = recocore.models.ALS(factors=2, iterations=2)
            >>> model = model.fit(data, on_epoch=lambda report: print(report.epoch), track_objective=True)
            1
            2
            >>> model.history[1].objective < model.history[0].objective
            True
            >>> ALS(factors=2).fit(data, weights=[1, 1, 1, 5]).score([1], [2]) > model.score([1], [2])
            array([[ True]])
        """
        check_learnable(interactions)
        if validation is not None and not isinstance(validation, Validation):
            validation = Validation(validation)
        if validation is not None:
            validation.check_shape(interactions.matrix.shape)
        features: dict[Side, Any] = {}
        if user_features is not None:
            features["users"] = sparse(user_features, "user_features")
        if item_features is not None:
            features["items"] = sparse(item_features, "item_features")
        keeps = checkpoint is None and (validation is not None or cancel is not None)
        self._require_memory(interactions, memory_limit, keeps=keeps, weighted=weights is not None, features=features)
        given = EntryWeights.make(weights, interactions)
        with ExitStack() as stack:
            store = self._store(interactions, given, features, validation, checkpoint, keeps=keeps)
            if isinstance(store, Checkpoints):
                stack.enter_context(store)
            equations = self._equations_for(interactions, given)
            ask(cancel)
            first = self._first_rows(equations, interactions.n_users, interactions.n_items, cancel)
            problem = self._problem(interactions, given, equations, features, first)
            run = Run(
                epochs=self.iterations,
                progress=progress,
                on_epoch=on_epoch,
                track_objective=track_objective,
                validation=validation,
                judge=None if validation is None else self._judge(problem, interactions, given, validation),
                cancel=cancel,
                store=store,
            )
            trained = train(problem, run)
        if trained.stopped is None and progress is not None:
            progress(1.0)
        self._scorer = _scorer(problem, interactions, given)
        self._priors = problem.priors()
        self._history, self._best_epoch = trained.history, trained.epoch
        if trained.stopped is not None:
            raise trained.stopped
        return self

    def _settings(self, *, fold_in: bool = False) -> SolverSettings:
        solver = "cholesky" if fold_in and self.solver == "auto" else self.solver
        return SolverSettings(solver, self.cg_steps, self.block_size, self.num_threads, self.device)

    def _objective_for(self, interactions: Interactions, weights: Float32Array | None) -> AlsObjective:
        if self.loss == "explicit":
            pull = self.regularization
            if pull is None:
                pull = rating_regularization(interactions.matrix, self.nu, weights)
            return AlsObjective(pull, 0.0, self.nu, self.loss)
        scale = DataScale(interactions.matrix, weights)
        alpha0 = scale.alpha0(_UNSEEN) if self.alpha0 is None else self.alpha0
        regularization = self.regularization
        if regularization is None:
            regularization = scale.regularization(_PULL, alpha0, self.nu)
        return AlsObjective(regularization, alpha0, self.nu, self.loss, self.negative_preference)

    def _equations_for(self, interactions: Interactions, weights: EntryWeights | None) -> Equations:
        """What a fit to these interactions solves."""
        by_user = None if weights is None else weights.by_user
        mean = rating_mean(interactions.matrix, by_user) if self.loss == "explicit" else 0.0
        return Equations(self._objective_for(interactions, by_user), self._settings(), mean)

    def _problem(
        self,
        interactions: Interactions,
        weights: EntryWeights | None,
        equations: Equations,
        features: Mapping[Side, Any],
        factors: tuple[Float32Array, Float32Array],
    ) -> AlsProblem:
        """The problem of a fit, at these factors."""
        by_user, by_item = interactions.matrix, interactions.by_item
        lambdas: dict[Side, Any] = {"users": equations.lambdas(by_user), "items": equations.lambdas(by_item)}
        if features and not equations.explicit:  # rows without entries are in no sum, and get their factors last
            for rows, matrix in zip(factors, (by_user, by_item), strict=True):
                rows[np.diff(matrix.indptr) == 0] = 0
        priors = {
            side: FeaturePrior.make(given, lambdas[side], self.feature_regularization, f"{side[:-1]}_features")
            for side, given in features.items()
        }
        return AlsProblem(
            checked_interactions(by_user, None if weights is None else weights.by_user),
            checked_interactions(by_item, None if weights is None else weights.by_item),
            *factors,
            equations,
            lambdas["users"],
            lambdas["items"],
            priors.get("users"),
            priors.get("items"),
        )

    def _judge(
        self, problem: AlsProblem, interactions: Interactions, weights: EntryWeights | None, validation: Validation
    ) -> Judge:
        """The metric of the factors as they are when it is called."""

        def judge(progress: Progress | None) -> float:
            present = ALS(**self.params())
            present._scorer = _scorer(problem, interactions, weights)
            return validation.value(present, progress)

        return judge

    def _store(
        self,
        interactions: Interactions,
        weights: EntryWeights | None,
        features: Mapping[Side, Csr],
        validation: Validation | None,
        checkpoint: str | Path | None,
        *,
        keeps: bool,
    ) -> EpochStore | None:
        if checkpoint is not None:
            # What changes no byte of an epoch may change between two parts of a fit.
            settings = {k: v for k, v in self.params().items() if k not in {"iterations", "num_threads", "device"}}
            held_out = None if validation is None else validation.fingerprint()
            given: dict[str, Any] = {f"{side[:-1]}_features": one.fingerprint() for side, one in features.items()}
            if weights is not None:
                given["weights"] = weights.fingerprint()
            fitted = {**settings, **given, "interactions": interactions.matrix.fingerprint(), "validation": held_out}
            return Checkpoints(checkpoint, fitted)
        return MemoryStore() if keeps else None

    def _require_memory(
        self,
        interactions: Interactions,
        limit: int | None,
        *,
        keeps: bool,
        weighted: bool,
        features: Mapping[Side, Csr],
    ) -> None:
        counts = {f"{side[:-1]}_features": (one.shape[1], one.nnz) for side, one in features.items()}
        needed = self.estimate_memory(
            interactions.n_users,
            interactions.n_items,
            interactions.nnz,
            keeps_epochs=keeps,
            mapped=interactions.is_mapped,
            weighted=weighted,
            **counts,
        )
        held = 0 if interactions.is_mapped else 8 * (interactions.nnz + interactions.n_users + 1)
        held += sum(8 * (one.nnz + one.shape[0] + 1) for one in features.values())
        limit = None if limit is None else integer(limit, "memory_limit", 0)
        needed.require(self.factors, limit=limit, held=held)

    def _first_rows(
        self, equations: Equations, n_users: int, n_items: int, cancel: Callable[[], bool] | None = None
    ) -> tuple[Float32Array, Float32Array]:
        rng = np.random.default_rng(self.seed)
        scale = 0.1 / math.sqrt(self.factors)
        users = equations.blank("users", n_users, self.factors)
        items = equations.blank("items", n_items, self.factors)
        for side in (equations.factors_in(users), equations.factors_in(items)):
            for begin in range(0, len(side), _DRAWN_ROWS):  # in float64, so not all at once
                ask(cancel)
                some = side[begin : begin + _DRAWN_ROWS]
                some[:] = rng.normal(0, scale, some.shape)
        return users, items


def _scorer(problem: AlsProblem, interactions: Interactions, weights: EntryWeights | None) -> FactorScorer:
    """What ranks by the factors as they are."""
    by_user = None if weights is None else weights.by_user
    return scorer_of(problem.equations, *problem.finished(), interactions.matrix, by_user)
