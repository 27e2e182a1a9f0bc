"""What a call is answered from, and who decides that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from recocore.errors import NotFoundError, RecocoreError
from recocore.service.engine import Engine

if TYPE_CHECKING:
    from recocore.service.engine import RankingIndex
    from recocore.service.hosting.choice import ModelChoice


class ModelNotLoadedError(RecocoreError):
    """A request names a version that is not in memory."""

    code = "model_not_loaded"
    grpc_status = "FAILED_PRECONDITION"


@dataclass(frozen=True, slots=True, eq=False)
class Hosted:
    """A loaded version as a call sees it; holding it keeps the index mapped.

    Attributes:
        engine: answers queries from it.
        version: its version.
        alias: the alias that it was picked by; empty where the version was named.
        experiment: the id of the experiment that it was picked for; empty for none.
        variant: the variant of that experiment.
    """

    engine: Engine
    version: str
    alias: str = ""
    experiment: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class ServedAs:
    """What an answer says of the model that gave it; unlike `Hosted` it keeps no index. The fields are those of `Hosted`."""

    version: str
    alias: str
    experiment: str
    variant: str

    @classmethod
    def of(cls, hosted: Hosted) -> ServedAs:
        """What there is to say of it."""
        return cls(hosted.version, hosted.alias, hosted.experiment, hosted.variant)


class Models(Protocol):
    """Picks what a call is answered from. Safe from any thread."""

    @property
    def generation(self) -> int:
        """Grows whenever `pick` may give something else than before."""
        ...

    def pick(self, choice: ModelChoice, user_id: str | None) -> Hosted:
        """What answers this choice for this user; None where a call is about no user. O(1), without a lock.

        Raises:
            NotFoundError: there is no such alias or variant.
            ModelNotLoadedError: the version is not loaded.
        """
        ...

    @property
    def shadows(self) -> bool:
        """Whether `shadow` may do anything."""
        ...

    def shadow(self, hosted: Hosted, query: Any) -> None:
        """Let another model rank the same query later, to compare; never waits and never fails."""
        ...


class SingleModel:
    """One index for every call.

    Args:
        index: what answers.
        alias: the name that it may be asked for by; empty for none.
    """

    def __init__(self, index: RankingIndex, alias: str = "") -> None:
        self._hosted = Hosted(Engine(index), index.version, alias)

    @property
    def generation(self) -> int:
        """Always the same."""
        return 0

    def warm_up(self) -> None:
        """Look up an id, so that no caller waits for what the first look-up loads."""
        self._hosted.engine.warm_up()

    def pick(self, choice: ModelChoice, user_id: str | None) -> Hosted:
        """The one model, unless the choice names another; raises as `Models.pick`."""
        hosted = self._hosted
        if choice.version and choice.version != hosted.version:
            raise not_loaded(choice.version)
        if choice.alias and choice.alias != hosted.alias:
            raise unknown_alias(choice.alias, [hosted.alias] if hosted.alias else [])
        if choice.variant:
            raise unknown_variant(choice.variant, ())
        return hosted

    @property
    def shadows(self) -> bool:
        """Never."""
        return False

    def shadow(self, hosted: Hosted, query: Any) -> None:
        """Nothing ranks along."""


def not_loaded(version: str) -> ModelNotLoadedError:
    """The error that a version is not in memory."""
    return ModelNotLoadedError(
        f"model.version: {version[:64]!r} is not loaded; ask without it, or load it with ModelService.LoadModel"
    )


def unknown_alias(alias: str, known: list[str]) -> NotFoundError:
    """The error that there is no such alias."""
    return NotFoundError(f"model.alias: expected one of {', '.join(known) or 'none'}, got {alias[:64]!r}")


def unknown_variant(variant: str, known: tuple[str, ...]) -> NotFoundError:
    """The error that there is no such variant."""
    return NotFoundError(f"experiment_variant: expected one of {', '.join(known) or 'none'}, got {variant[:64]!r}")
