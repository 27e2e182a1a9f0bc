"""What the supervisor and a worker tell each other: small values, as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from recocore.errors import (
    EXCEPTION_BY_CODE,
    ConflictError,
    InternalError,
    InUseError,
    InvalidArgumentError,
    RecocoreError,
)
from recocore.service.hosting.states import AliasInfo, Failure, ModelInfo, ModelState
from recocore.service.problems import StoppingError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ModelFailedError(RecocoreError):
    """A version cannot be served; what served before still does."""

    code = "model_failed"
    grpc_status = "FAILED_PRECONDITION"


@dataclass(frozen=True, slots=True)
class Load:
    """To a worker: map a version and warm it up. Answered with Done when it could serve.

    Attributes:
        version: to load.
        path: its folder, whose digests have been compared.
        urgent: whether calls wait for it; else it is loaded beside them, at a lower priority.
    """

    version: str
    path: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Warming:
    """From a worker: the version is mapped and answers its sample requests."""

    version: str


@dataclass(frozen=True, slots=True)
class Route:
    """To a worker: answer from these versions from the next call on, and let go of all others."""

    aliases: Mapping[str, str]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listen:
    """To a worker that is ready: take calls. Answered with Done when it does."""


@dataclass(frozen=True, slots=True)
class Stop:
    """To a worker: drain and end."""


@dataclass(frozen=True, slots=True)
class Draining:
    """From a worker: somebody told it, and it alone, to end."""


@dataclass(frozen=True, slots=True)
class Control:
    """From a worker: a call of ModelControl by the name of its method. Answered with Done."""

    method: str
    arguments: tuple[str | int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to a message."""

    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer to a message that could not be followed: the error of the other side."""

    code: str
    message: str
    argument: str = ""


Message: TypeAlias = Load | Warming | Route | Listen | Stop | Draining | Control | Done | Failed

_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Load, Warming, Route, Listen, Stop, Draining, Control, Done, Failed)
}
_ERRORS: dict[str, type[RecocoreError]] = {
    **EXCEPTION_BY_CODE,
    **{error.code: error for error in (ConflictError, InUseError, ModelFailedError)},
}


def to_json(message: Message) -> dict[str, Any]:
    """The message as JSON holds it."""
    return {"kind": type(message).__name__, **asdict(message)}


def from_json(body: dict[str, Any]) -> Message:
    """The message that `to_json` took."""
    kind: Any = _KINDS[body.pop("kind")]
    message: Message = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in body.items()})
    return message


def failed(error: Exception) -> Failed:
    """What to tell the other side of an error."""
    if isinstance(error, RecocoreError):
        return Failed(error.code, str(error), getattr(error, "field", ""))
    return Failed(InternalError.code, f"{type(error).__name__}: {error}")


def error_of(answer: Failed) -> RecocoreError:
    """The error that the other side had."""
    if answer.code == StoppingError.code:
        return StoppingError()
    if answer.code == InvalidArgumentError.code:
        return InvalidArgumentError(answer.message, field=answer.argument)
    return _ERRORS.get(answer.code, InternalError)(answer.message)


def model_of(body: dict[str, Any]) -> ModelInfo:
    """A ModelInfo from its fields as JSON holds them."""
    failure = Failure(**body["failure"]) if body["failure"] else None
    changed = {"state": ModelState(body["state"]), "failure": failure, "aliases": tuple(body["aliases"])}
    return ModelInfo(**{**body, **changed})


def alias_of(body: dict[str, Any]) -> AliasInfo:
    """An AliasInfo from its fields as JSON holds them."""
    return AliasInfo(**body)
