"""The protos keep buf's rules, and say what everything is; and the rules find what breaks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.protos.rules import complaints, uncommented
from tests.protos.sources import compiled

from recocore.service.door.descriptors import Descriptors

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """// About the file.
syntax = "proto3";
package recocore.v1;
import "recocore/v1/shared.proto";
import "google/protobuf/timestamp.proto";
// Shops.
service ShopService {
  // Opens one.
  //
  // - NOT_FOUND, NOT_FOUND: there is no such shop;
  //   or no longer.
  rpc Open(OpenRequest) returns (OpenResponse);
}
message OpenRequest {
  // When.
  google.protobuf.Timestamp time = 1;
  Mood mood = 2;
  // How many.
  optional int32 count = 3;
}
message OpenResponse {}
"""
SHARED = """syntax = "proto3";
package recocore.v1;
// How it is.
enum Mood {
  // Not known.
  MOOD_UNSPECIFIED = 0;
  // Well.
  MOOD_GOOD = 1;
}
"""
NAME, SHARED_NAME = "recocore/v1/shop.proto", "recocore/v1/shared.proto"


def compile_shop(folder: Path, text: str = GOOD, shared: str = SHARED, name: str = NAME) -> Descriptors:
    return Descriptors(compiled(folder, {name: text, SHARED_NAME: shared}))


def test_the_protos_keep_the_rules() -> None:
    files = Descriptors.installed().files
    assert files
    assert complaints(files) == []


def test_everything_in_the_protos_has_a_comment() -> None:
    api = Descriptors.installed()
    assert uncommented(api.files, api.comments) == []


def test_sound_protos_raise_no_complaint(tmp_path: Path) -> None:
    api = compile_shop(tmp_path)
    assert complaints(api.files) == []
    assert uncommented(api.files, api.comments) == []
    assert api.comments["recocore.v1.Mood.MOOD_GOOD"] == "Well."
    assert api.comments[NAME] == "About the file."
    [outcome] = Descriptors.listed(api.comments["recocore.v1.ShopService.Open"])
    assert (outcome.status, outcome.reason) == ("NOT_FOUND", "NOT_FOUND")
    assert outcome.meaning == "there is no such shop; or no longer."


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("service ShopService", "service Shop", "SERVICE_SUFFIX recocore.v1.Shop"),
        ("service ShopService", "service shop_Service", "SERVICE_PASCAL_CASE recocore.v1.shop_Service"),
        ("rpc Open(", "rpc open(", "RPC_PASCAL_CASE recocore.v1.ShopService.open"),
        ("rpc Open(", "rpc Close(", "RPC_REQUEST_STANDARD_NAME recocore.v1.ShopService.Close"),
        ("returns (OpenResponse)", "returns (OpenRequest)", "RPC_RESPONSE_STANDARD_NAME recocore.v1.ShopService.Open"),
        ("returns (OpenResponse)", "returns (OpenRequest)", "RPC_REQUEST_RESPONSE_UNIQUE recocore.v1.OpenRequest"),
        ("optional int32 count", "int32 Count", "FIELD_LOWER_SNAKE_CASE recocore.v1.OpenRequest.Count"),
        ("optional int32 count", "int32 count__all", "FIELD_LOWER_SNAKE_CASE recocore.v1.OpenRequest.count__all"),
        ("message OpenResponse {}", "message OpenResponse {} message a_b {}", "MESSAGE_PASCAL_CASE recocore.v1.a_b"),
        (
            "optional int32 count = 3;",
            "oneof Which { int32 count = 3; }",
            "ONEOF_LOWER_SNAKE_CASE recocore.v1.OpenRequest.Which",
        ),
        ("google.protobuf.Timestamp time", "int64 time", f"IMPORT_USED {NAME} google/protobuf/timestamp.proto"),
        ("Mood mood", "int64 mood", f"IMPORT_USED {NAME} {SHARED_NAME}"),
        ('import "recocore', 'import public "recocore', f"IMPORT_NO_PUBLIC {NAME}"),
    ],
)
def test_a_rule_that_is_broken_is_named(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    assert before in GOOD
    assert complaint in complaints(compile_shop(tmp_path, GOOD.replace(before, after)).files)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("MOOD_GOOD", "GOOD", "ENUM_VALUE_PREFIX recocore.v1.Mood.GOOD"),
        ("MOOD_GOOD", "MOOD_good", "ENUM_VALUE_UPPER_SNAKE_CASE recocore.v1.Mood.MOOD_good"),
        ("MOOD_UNSPECIFIED", "MOOD_NONE", "ENUM_ZERO_VALUE_SUFFIX recocore.v1.Mood.MOOD_NONE"),
        (
            "enum Mood {",
            "enum Mood { option allow_alias = true; MOOD_ZERO = 0;",
            "ENUM_NO_ALLOW_ALIAS recocore.v1.Mood",
        ),
    ],
)
def test_a_rule_about_enums_that_is_broken_is_named(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    assert complaint in complaints(compile_shop(tmp_path, shared=SHARED.replace(before, after)).files)


@pytest.mark.parametrize(
    ("text", "name", "complaint"),
    [
        (GOOD, "recocore/shop.proto", "PACKAGE_DIRECTORY_MATCH recocore/shop.proto"),
        (GOOD, "recocore/v1/Shop.proto", "FILE_LOWER_SNAKE_CASE recocore/v1/Shop.proto"),
        ('syntax = "proto2"; package recocore.v1;', NAME, f"SYNTAX_SPECIFIED {NAME}"),
    ],
)
def test_a_rule_about_files_that_is_broken_is_named(tmp_path: Path, text: str, name: str, complaint: str) -> None:
    assert complaint in complaints(compile_shop(tmp_path, text, name=name).files)


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ("// Shops.\n", "recocore.v1.ShopService"),
        (
            "  // Opens one.\n  //\n  // - NOT_FOUND, NOT_FOUND: there is no such shop;\n  //   or no longer.\n",
            "recocore.v1.ShopService.Open",
        ),
        ("  // How many.\n", "recocore.v1.OpenRequest.count"),
        ("// How it is.\n", "recocore.v1.Mood"),
        ("  // Well.\n", "recocore.v1.Mood.MOOD_GOOD"),
    ],
)
def test_a_comment_that_is_missing_is_missed(tmp_path: Path, comment: str, name: str) -> None:
    assert comment in GOOD + SHARED
    api = compile_shop(tmp_path, GOOD.replace(comment, ""), SHARED.replace(comment, ""))
    assert name in uncommented(api.files, api.comments)
