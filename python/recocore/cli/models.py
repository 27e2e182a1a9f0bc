"""Choosing a model and its parameters: the options that fit and evaluate share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

import click

from recocore.models import MODELS, BaseModel
from recocore.ops.similarity import SIMILARITY_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_F = TypeVar("_F", bound="Callable[..., Any]")

# Option → the constructor's keyword, where they differ: --k is the length of lists everywhere.
_RENAMED = {"neighbors": "k"}
# Options that a model without the keyword ignores, so that one command line runs them all.
_COMMON = frozenset({"seed", "num_threads"})

_NEIGHBORHOOD = ("itemknn", "userknn")
# Option, its type, the models that have it, what it does.
_OPTIONS: tuple[tuple[str, Any, tuple[str, ...], str], ...] = (
    ("factors", int, ("als",), "length of a factor"),
    ("regularization", float, ("als",), "pull of factors to zero"),
    ("alpha0", float, ("als",), "weight of unseen pairs"),
    ("nu", float, ("als",), "0 pulls all rows alike, 1 by their entries"),
    ("iterations", int, ("als",), "passes over the data"),
    (
        "solver",
        click.Choice(["auto", "cholesky", "cg", "subspace"]),
        ("als",),
        "how factors are solved: auto, cholesky, cg, subspace",
    ),
    ("cg_steps", int, ("als",), "steps of cg for each row and epoch"),
    ("block_size", int, ("als",), "factors that subspace solves at a time"),
    ("neighbors", int, _NEIGHBORHOOD, "neighbours kept of each row"),
    (
        "similarity",
        click.Choice(list(SIMILARITY_KINDS)),
        _NEIGHBORHOOD,
        f"how rows are compared: {', '.join(SIMILARITY_KINDS)}",
    ),
    ("shrinkage", float, _NEIGHBORHOOD, "distrust of few common rows"),
    ("seed", click.IntRange(min=0), ("als",), "of the first factors"),
    ("num_threads", int, ("als", *_NEIGHBORHOOD), "0 for one a core"),
)


def model_options(command: _F) -> _F:
    """Add every model's parameters to a command."""
    for name, kind, models, text in reversed(_OPTIONS):
        default = _keywords_of(models[0])[_RENAMED.get(name, name)].default
        said = "from the data" if default is None else default
        shown = f"{', '.join(models)}: {text}.  [default: {said}]"
        metavar = "KIND" if isinstance(kind, click.Choice) else "INTEGER" if isinstance(kind, click.IntRange) else None
        command = click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar=metavar, help=shown)(command)
    return command


def take_parameters(options: dict[str, Any]) -> dict[str, Any]:
    """Take the parameters that were given out of all the options of a command."""
    return {name: value for name, *_ in _OPTIONS if (value := options.pop(name)) is not None}


def make_models(names: tuple[str, ...], parameters: dict[str, Any]) -> list[BaseModel]:
    """The models with the parameters that each of them has.

    Raises:
        UsageError: a parameter that none of them has.
    """
    for option in parameters:
        if option not in _COMMON and not any(_RENAMED.get(option, option) in _keywords_of(name) for name in names):
            raise click.UsageError(f"--{option.replace('_', '-')} is no parameter of {' or '.join(names)}")
    given = {_RENAMED.get(option, option): value for option, value in parameters.items()}
    return [
        MODELS[name](**{keyword: value for keyword, value in given.items() if keyword in _keywords_of(name)})
        for name in names
    ]


def _keywords_of(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(MODELS[name]).parameters
