"""The parameters of ALS in the words of other libraries.

Confidence c and weight w of a stored entry, as experiments with implicit 0.7.3 and irspack 0.5.2 show (tests/models/
test_als_parameters.py fits all three):

    implicit            sum_S c (p - x.y)^2 + sum_not_S (x.y)^2 + regularization (|X|^2 + |Y|^2),  c = alpha * |value|
    irspack ORIGINAL    the loss "original" here,  w = value, or log(1 + value / epsilon)
    irspack IALSPP      the loss "ials" here, with the same w

So implicit's loss is "original" times 1 / alpha0, with w = alpha0 (c - 1) and nu = 0: c is alpha * value, not 1 + alpha *
value. "ials" asks for x.y = w / (alpha0 + w) where "original" asks for 1. Where all weights are equal that is a matter of
the factors' scale alone: with t = w / (alpha0 + w), regularization becomes t times that of "original" and the factors
sqrt(t) times; where they are not, neither loss can stand for the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.ops.als import AlsObjective
from recocore.ops.arguments import choice

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float32Array, Float64Array

# What float32 loses of a confidence on its way through another library's matrix.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class ImplicitParameters:
    """The keywords of `implicit.als.AlternatingLeastSquares` that its objective depends on.

    Attributes:
        alpha: what the matrix is multiplied by to give confidences.
        regularization: the same for every row.
    """

    alpha: float = 1.0
    regularization: float = 0.01


@dataclass(frozen=True, slots=True)
class IrspackParameters:
    """The keywords of `irspack.IALSRecommender` that its objective depends on.

    Attributes:
        alpha0: weight of every pair.
        reg: regularization; the recommender's `scaled_reg` where it is given `nu_star`.
        nu: how far the regularization grows with a row's entries.
        confidence_scaling: none or log.
        epsilon: of the scaling log.
        loss_type: IALSPP or ORIGINAL.
    """

    alpha0: float
    reg: float = 1e-3
    nu: float = 1.0
    confidence_scaling: str = "none"
    epsilon: float = 1.0
    loss_type: str = "IALSPP"


AlsParameters: TypeAlias = AlsObjective | ImplicitParameters | IrspackParameters
P = TypeVar("P", AlsObjective, ImplicitParameters, IrspackParameters)

_LOSS_OF_IRSPACK = {"IALSPP": "ials", "ORIGINAL": "original"}


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedParameters(Generic[P]):
    """The same problem in other words.

    Attributes:
        parameters: of the library asked for.
        values: float32 `[nnz]`, what its matrix holds in the place of each given value.
        factor_scale: its best factors, of users and of items, are this many times those of the given problem: 1 unless
            the loss changed.
    """

    parameters: P
    values: Float32Array
    factor_scale: float


def convert_parameters(
    parameters: AlsParameters, values: Any, to: type[P], *, loss: str | None = None
) -> ConvertedParameters[P]:
    """Say in the words of `to` what `parameters` say of a matrix with these values: the same optimum, up to a scale.

    Rankings stay the same in any case. From and to implicit, values are scaled so that the largest is 1: ones stay ones.

    Args:
        parameters: of the library that the problem comes from; AlsObjective is this one's, and
            `ALS(**dataclasses.asdict(objective))` takes it.
        values: `[nnz]` stored values of the matrix as that library takes it, such as `csr.data`; their order is kept.
        to: AlsObjective, ImplicitParameters or IrspackParameters.
        loss: ials or original, for the libraries that have both; by default the given one's, and implicit's is original.

    Raises:
        InvalidArgumentError: a parameter or a value out of range, or one that the target cannot say: implicit knows neither
            nu nor alpha0 = 0, irspack no dislikes, and different weights have no counterpart in the other loss. The
            message says what to change.

    Example:
        >>> found = convert_parameters(ImplicitParameters(alpha=41, regularization=4), [1, 1], AlsObjective, loss="ials")
        >>> found.parameters.alpha0, round(found.parameters.regularization, 4), found.values.tolist()
        (0.025, 0.0976, [1.0, 1.0])
    """
    target: Any = to
    if target not in _WRITERS:
        raise InvalidArgumentError(
            f"to: expected AlsObjective, ImplicitParameters or IrspackParameters, got {target!r}", field="to"
        )
    objective, weights = _read(parameters, _checked(values))
    if loss is None:
        loss = "original" if target is ImplicitParameters else objective.loss
    objective, scale = _in_loss(objective, weights, choice(loss, "loss", ("ials", "original")))
    written, stored = _WRITERS[target](objective, weights)
    return ConvertedParameters(written, stored.astype(np.float32), scale)


def _read(parameters: Any, values: Float64Array) -> tuple[AlsObjective, Float64Array]:
    """The objective and the weights, negative for dislikes, that this library takes."""
    if isinstance(parameters, ImplicitParameters):
        return _from_implicit(parameters, values)
    if isinstance(parameters, IrspackParameters):
        return _from_irspack(parameters, values)
    if not isinstance(parameters, AlsObjective):
        raise InvalidArgumentError(
            "parameters: expected AlsObjective, ImplicitParameters or IrspackParameters, "
            f"got {type(parameters).__name__}",
            field="parameters",
        )
    choice(parameters.loss, "loss", ("ials", "original"))
    return parameters, values


def _from_implicit(parameters: ImplicitParameters, values: Float64Array) -> tuple[AlsObjective, Float64Array]:
    signed = parameters.alpha * values
    confidences = np.abs(signed)
    # A dislike of confidence 1 is an unseen pair; a weight of zero has no sign to tell it from a like.
    weak = confidences < 1 - _ROUNDING
    weak |= (signed < 0) & (confidences <= 1 + _ROUNDING)
    if weak.any():
        raise InvalidArgumentError(
            f"alpha: expected alpha * |value| of at least 1, and above 1 for a dislike, got {signed[weak][0]:g}; "
            "implicit weighs such a pair no more than an unseen one, which this library cannot: raise alpha, or leave it out",
            field="alpha",
        )
    excess = np.maximum(confidences - 1, 0)
    largest = float(excess.max())
    alpha0 = 1 / largest if largest > _ROUNDING else 1.0
    objective = AlsObjective(parameters.regularization * alpha0, alpha0, 0.0, "original")
    return objective, np.sign(signed) * alpha0 * excess


def _from_irspack(parameters: IrspackParameters, values: Float64Array) -> tuple[AlsObjective, Float64Array]:
    choice(parameters.loss_type, "loss_type", tuple(_LOSS_OF_IRSPACK))
    scaling = choice(parameters.confidence_scaling, "confidence_scaling", ("none", "log"))
    _refuse_dislikes(values)
    if scaling == "log":
        if not parameters.epsilon > 0:
            raise InvalidArgumentError(f"epsilon: expected above 0, got {parameters.epsilon}", field="epsilon")
        values = np.log1p(values / parameters.epsilon)
    loss = _LOSS_OF_IRSPACK[parameters.loss_type]
    return AlsObjective(parameters.reg, parameters.alpha0, parameters.nu, loss), values


def _in_loss(objective: AlsObjective, weights: Float64Array, loss: str) -> tuple[AlsObjective, float]:
    """The objective in another loss, and how many times larger its factors are."""
    if loss == objective.loss:
        return objective, 1.0
    least, most = weights.min(), weights.max()
    if least <= 0 or most > least * (1 + _ROUNDING):
        raise InvalidArgumentError(
            f"loss: expected {objective.loss}, or equal weights above 0, got {loss} with weights from {least:g} to "
            f"{most:g}; the losses ials and original differ in more than a scale there: keep {objective.loss}",
            field="loss",
        )
    wanted = float(most / (most + objective.alpha0))
    scale = wanted if loss == "ials" else 1 / wanted
    return replace(objective, regularization=objective.regularization * scale, loss=loss), scale**0.5


def _to_implicit(objective: AlsObjective, weights: Float64Array) -> tuple[ImplicitParameters, Float64Array]:
    if objective.loss != "original":
        raise InvalidArgumentError(f"loss: expected original, implicit's only one, got {objective.loss}", field="loss")
    if objective.negative_preference != 0 and (weights < 0).any():
        raise InvalidArgumentError(
            f"negative_preference: expected 0, got {objective.negative_preference:g}; implicit draws a dislike to 0: refit "
            "with 0, or leave dislikes out",
            field="negative_preference",
        )
    if objective.nu != 0:
        raise InvalidArgumentError(
            f"nu: expected 0, got {objective.nu:g}; implicit regularises every row alike: refit with nu = 0", field="nu"
        )
    if objective.alpha0 <= 0:
        raise InvalidArgumentError(
            f"alpha0: expected above 0, got {objective.alpha0:g}; implicit gives every unseen pair a weight: refit with "
            "an alpha0 above 0",
            field="alpha0",
        )
    confidences = 1 + np.abs(weights) / objective.alpha0
    alpha = float(confidences.max())
    parameters = ImplicitParameters(alpha, objective.regularization / objective.alpha0)
    return parameters, np.where(weights < 0, -confidences, confidences) / alpha


def _to_irspack(objective: AlsObjective, weights: Float64Array) -> tuple[IrspackParameters, Float64Array]:
    _refuse_dislikes(weights)
    loss_type = next(theirs for theirs, ours in _LOSS_OF_IRSPACK.items() if ours == objective.loss)
    return IrspackParameters(objective.alpha0, objective.regularization, objective.nu, loss_type=loss_type), weights


def _refuse_dislikes(values: Float64Array) -> None:
    if (values < 0).any():
        raise InvalidArgumentError(
            f"values: expected none below 0, got {values.min():g}; irspack takes the root of a weight: leave dislikes out",
            field="values",
        )


_WRITERS: dict[Any, Callable[[AlsObjective, Float64Array], tuple[Any, Float64Array]]] = {
    AlsObjective: lambda objective, weights: (objective, weights),
    ImplicitParameters: _to_implicit,
    IrspackParameters: _to_irspack,
}


def _checked(values: Any) -> Float64Array:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or numbers.dtype.kind not in "biuf" or len(numbers) == 0 or not np.isfinite(numbers).all():
        raise InvalidArgumentError(
            f"values: expected finite numbers [nnz], at least one, got {numbers.ndim}-d {numbers.dtype} of length "
            f"{numbers.size}; pass the stored values of the matrix, such as csr.data",
            field="values",
        )
    return numbers.astype(np.float64)
