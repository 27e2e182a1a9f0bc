"""The protos tell callers the limits that the code keeps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recocore.errors import (
    EXCEPTION_BY_CODE,
    ConflictError,
    CorruptError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OverloadedError,
    OwnerUnavailableError,
    RecocoreError,
    StorageError,
)
from recocore.fraud.rules.ruleset import MAX_RULES
from recocore.service import ServerConfig, limits, problems
from recocore.service.events.problems import CommitNotSeenError, NoStateError
from recocore.service.fraud.problems import NoFraudError
from recocore.service.hosting.host import ModelNotLoadedError
from recocore.service.security.audit_log import AuditFailedError
from recocore.service.security.caller import NotAllowedError, UnauthenticatedError

PROTOS = Path(__file__).parents[2] / "proto" / "recocore" / "v1"


def comment_above(file: str, declaration: str) -> str:
    """The comment lines right above the first line that has the declaration."""
    lines = [line.strip() for line in (PROTOS / file).read_text().splitlines()]
    at = next(number for number, line in enumerate(lines) if declaration in line)
    above: list[str] = []
    while lines[at - 1 - len(above)].startswith("//"):
        above.insert(0, lines[at - 1 - len(above)].removeprefix("//").strip())
    return " ".join(above)


@pytest.mark.parametrize(
    ("declaration", "phrase"),
    [
        ("int32 page_size", f"0 means {limits.DEFAULT_PAGE_SIZE}, more than {limits.MAX_PAGE_SIZE} means"),
        ("repeated string exclude_item_ids", f"at most {limits.MAX_EXCLUDED_ITEMS:,}"),
        ("repeated string candidate_item_ids", f"at most {limits.MAX_CANDIDATE_ITEMS:,}"),
        ("repeated string item_ids = 1", f"1 to {limits.MAX_SEED_ITEMS}."),
        ("repeated string item_ids = 2", f"1 to {limits.MAX_SCORED_ITEMS:,}."),
        ("repeated string user_ids", f"1 to {limits.MAX_BATCH_USERS:,}."),
        ("service RecommendationService", f"(1 to {limits.MAX_REQUEST_ID_CHARS} of"),
        ("service RecommendationService", f"exceeds {limits.MAX_MESSAGE_BYTES // 2**20} MiB"),
    ],
)
def test_a_limit_stands_beside_its_field(declaration: str, phrase: str) -> None:
    assert phrase in comment_above("recommendation_service.proto", declaration)


def test_limits_of_the_shared_messages_stand_there() -> None:
    assert f"at most {limits.MAX_REASONS};" in comment_above("recommendation.proto", "repeated Reason reasons")
    assert f"1 to {limits.MAX_ID_BYTES} bytes" in (PROTOS / "recommendation.proto").read_text()


def test_every_status_that_a_ranking_can_end_with_is_listed() -> None:
    text = (PROTOS / "recommendation_service.proto").read_text()
    listed = set(re.findall(r"// - ([A-Z_]+), ([A-Z_]+):", text))
    own: tuple[type[RecocoreError], ...] = (
        problems.InvalidRequestError,
        problems.MalformedRequestError,
        problems.TooManyCallsError,
        problems.RateLimitedError,
        problems.PageExpiredError,
        problems.ResponseTooLargeError,
        problems.DeadlineError,
        problems.StoppingError,
        ModelNotLoadedError,
        NoStateError,
        CommitNotSeenError,
        UnauthenticatedError,
        NotAllowedError,
    )
    # An index that is loaded is fitted, accelerators do not serve, and who cancelled hears nothing more.
    never = {"failed_precondition", "device", "cancelled"}
    errors = [*own, *(error for code, error in EXCEPTION_BY_CODE.items() if code not in never)]
    assert listed == {(error.grpc_status, error.code.upper()) for error in errors}


@pytest.mark.parametrize("proto", ["event_service.proto", "privacy_service.proto"])
def test_every_status_that_a_call_of_the_state_can_end_with_is_listed(proto: str) -> None:
    listed = set(re.findall(r"// - ([A-Z_]+), ([A-Z_]+):", (PROTOS / proto).read_text()))
    own: tuple[type[RecocoreError], ...] = (
        problems.InvalidRequestError,
        problems.MalformedRequestError,
        problems.TooManyCallsError,
        problems.RateLimitedError,
        problems.DeadlineError,
        problems.StoppingError,
        NoStateError,
        UnauthenticatedError,
        NotAllowedError,
        OverloadedError,
        OwnerUnavailableError,
        StorageError,
        CorruptError,
        InternalError,
    )
    if proto == "privacy_service.proto":
        own += (problems.ResponseTooLargeError, AuditFailedError)
    assert listed == {(error.grpc_status, error.code.upper()) for error in own}


def test_every_status_that_a_call_of_fraud_can_end_with_is_listed() -> None:
    listed = set(re.findall(r"// - ([A-Z_]+), ([A-Z_]+):", (PROTOS / "fraud_service.proto").read_text()))
    own: tuple[type[RecocoreError], ...] = (
        problems.InvalidRequestError,
        problems.MalformedRequestError,
        problems.TooManyCallsError,
        problems.RateLimitedError,
        problems.ResponseTooLargeError,
        problems.DeadlineError,
        problems.StoppingError,
        NoFraudError,
        NotFoundError,
        ConflictError,
        UnauthenticatedError,
        NotAllowedError,
        AuditFailedError,
        OverloadedError,
        OwnerUnavailableError,
        StorageError,
        CorruptError,
        InternalError,
    )
    assert listed == {(error.grpc_status, error.code.upper()) for error in own}


@pytest.mark.parametrize(
    ("file", "declaration", "phrase"),
    [
        ("fraud_service.proto", "repeated Event events", f"1 to {limits.MAX_SCORED_EVENTS},"),
        ("fraud_service.proto", "repeated FraudOutcomeReport reports = 1", f"1 to {limits.MAX_OUTCOME_REPORTS}."),
        ("fraud_service.proto", "string toml = 1", f"at most {MAX_RULES:,} rules and {limits.MAX_RULES_BYTES:,} bytes"),
        ("fraud_service.proto", "repeated FraudRing rings", f"At most {limits.MAX_RINGS:,}."),
        (
            "fraud_service.proto",
            "int32 max_members",
            f"0 means {limits.DEFAULT_RING_MEMBERS}, more than {limits.MAX_RING_MEMBERS:,} means {limits.MAX_RING_MEMBERS:,}",
        ),
        ("fraud.proto", "string source", f"1 to {limits.MAX_SOURCE_BYTES} bytes"),
    ],
)
def test_a_limit_of_fraud_stands_beside_its_field(file: str, declaration: str, phrase: str) -> None:
    assert phrase in comment_above(file, declaration)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"host": ""}, "host"),
        ({"port": 65_536}, "port"),
        ({"port": -1}, "port"),
        ({"threads": -1}, "threads"),
        ({"max_calls": 0}, "max_calls"),
        ({"grace_seconds": -0.1}, "grace_seconds"),
        ({"grace_seconds": float("nan")}, "grace_seconds"),
        ({"drain_delay_seconds": 1e9}, "drain_delay_seconds"),
        ({"log_level": "loud"}, "log_level"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ServerConfig(**settings)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(ServerConfig(pseudonym_key=b"hush"))
