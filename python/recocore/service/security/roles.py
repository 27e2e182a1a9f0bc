"""Roles: which methods each may call. What no role names, nobody may call.

A role lists methods one by one, so that a method that an update brings is closed until somebody has opened it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recocore.errors import InvalidArgumentError
from recocore.service.security.files import read_public

if TYPE_CHECKING:
    from collections.abc import Iterable

HEALTH_CHECK = "grpc.health.v1.Health/Check"

# What tells nobody anything but whether the service serves.
_WATCHES = (HEALTH_CHECK, "grpc.health.v1.Health/List", "grpc.health.v1.Health/Watch")
_REFLECTION = ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",)
_RECOMMENDATION = "recocore.v1.RecommendationService"
_MODEL = "recocore.v1.ModelService"
_EVENT = "recocore.v1.EventService"
_PRIVACY = "recocore.v1.PrivacyService"
_FRAUD = "recocore.v1.FraudService"
_PROFILE = "recocore.v1.ProfileService"

# Each method has a row here by hand: the tests compare this with the descriptors of all services.
BUILT_IN: Mapping[str, tuple[str, ...]] = {
    # Shows items to people.
    "caller": (
        *_WATCHES,
        f"{_RECOMMENDATION}/Recommend",
        f"{_RECOMMENDATION}/SimilarItems",
        f"{_RECOMMENDATION}/Score",
        f"{_RECOMMENDATION}/BatchRecommend",
        f"{_RECOMMENDATION}/StreamRecommend",
    ),
    # Reports what people did, what they said of themselves, and who they are.
    "writer": (
        *_WATCHES,
        f"{_EVENT}/RecordEvents",
        f"{_PROFILE}/UpdateProfile",
        f"{_PROFILE}/MergeProfiles",
        f"{_PROFILE}/UnmergeProfiles",
    ),
    # Looks at who people are, to serve them by it.
    "profiler": (
        *_WATCHES,
        f"{_PROFILE}/GetProfile",
        f"{_PROFILE}/BatchGetProfiles",
        f"{_PROFILE}/ListTagDefinitions",
        f"{_PROFILE}/ListSegments",
    ),
    # Has events decided on, and says how that turned out.
    "fraud": (*_WATCHES, f"{_FRAUD}/ScoreFraud", f"{_FRAUD}/BatchScoreFraud", f"{_FRAUD}/ReportOutcome"),
    # Looks into cases of fraud, and decides by which rules.
    "fraud_analyst": (
        *_WATCHES,
        f"{_FRAUD}/ReportOutcome",
        f"{_FRAUD}/ListRules",
        f"{_FRAUD}/ActivateRules",
        f"{_FRAUD}/GetDecision",
        f"{_FRAUD}/ListRings",
    ),
    # Looks at what is served.
    "analyst": (
        *_WATCHES,
        f"{_MODEL}/ListModels",
        f"{_MODEL}/GetModel",
        f"{_PROFILE}/ListTagDefinitions",
        f"{_PROFILE}/ListSegments",
    ),
    # Decides what is served.
    "operator": (
        *_WATCHES,
        *_REFLECTION,
        f"{_MODEL}/ListModels",
        f"{_MODEL}/GetModel",
        f"{_MODEL}/LoadModel",
        f"{_MODEL}/UnloadModel",
        f"{_MODEL}/SetAlias",
        f"{_MODEL}/RollbackAlias",
        f"{_MODEL}/RemoveAlias",
    ),
    # Gives people their data, and deletes it.
    "privacy": (
        *_WATCHES,
        f"{_PRIVACY}/SetConsent",
        f"{_PRIVACY}/GetConsent",
        f"{_PRIVACY}/ExportUser",
        f"{_PRIVACY}/ForgetUser",
    ),
}

# Calls that change what everybody gets, or reveal or delete all of a person: each is written down before it is carried out.
AUDITED = frozenset(
    {
        f"{_MODEL}/LoadModel",
        f"{_MODEL}/UnloadModel",
        f"{_MODEL}/SetAlias",
        f"{_MODEL}/RollbackAlias",
        f"{_MODEL}/RemoveAlias",
        f"{_PRIVACY}/SetConsent",
        f"{_PRIVACY}/ExportUser",
        f"{_PRIVACY}/ForgetUser",
        f"{_FRAUD}/ActivateRules",
        f"{_FRAUD}/GetDecision",
        f"{_FRAUD}/ListRings",
    }
)


@dataclass(frozen=True, slots=True)
class Roles:
    """Who may call what.

    Attributes:
        methods: of each role, as `package.Service/Method`.
        certificates: roles of each name that certificates have, as URI, DNS name or common name.
    """

    methods: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: BUILT_IN)
    certificates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def paths(self, roles: Iterable[str]) -> frozenset[str]:
        """The methods of several roles as gRPC names them, with a slash before; a role that is not there has none."""
        return frozenset(f"/{method}" for role in roles for method in self.methods.get(role, ()))


def read_roles(path: str) -> Roles:
    """The roles of a file; those that recocore has where it is silent, and without a path.

    Raises:
        NotFoundError: there is no such file.
        InvalidArgumentError: it cannot be used, or others may write it; the message names what is wrong.
    """
    if not path:
        return Roles()
    try:
        tables = tomllib.loads(read_public(path, "auth.roles_file").decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refuse(path, f"expected TOML: {error}") from None
    if unknown := sorted(set(tables) - {"roles", "certificates"}):
        raise _refuse(path, f"expected the sections [roles] and [certificates], got [{unknown[0]}]")
    methods = {**BUILT_IN, **_lists(path, tables, "roles")}
    for role, names in methods.items():
        for name in names:
            service, slash, method = name.partition("/")
            if not (service and slash and method) or "*" in name or "/" in method:
                raise _refuse(path, f"roles.{role}: expected methods as package.Service/Method, got {name!r}")
    certificates = _lists(path, tables, "certificates")
    for name, roles in certificates.items():
        if strangers := sorted(set(roles) - set(methods)):
            raise _refuse(
                path, f"certificates.{name}: expected roles of {', '.join(sorted(methods))}, got {strangers[0]!r}"
            )
    return Roles(methods, certificates)


def _lists(path: str, tables: Mapping[str, Any], section: str) -> dict[str, tuple[str, ...]]:
    table = tables.get(section, {})
    if not isinstance(table, Mapping):
        raise _refuse(path, f"expected a section [{section}], got {table!r}")
    for name, values in table.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise _refuse(path, f"{section}.{name}: expected a list of texts, got {values!r}")
    return {name: tuple(values) for name, values in table.items()}


def _refuse(path: str, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"auth.roles_file: {path}: {what}", field="auth.roles_file")
