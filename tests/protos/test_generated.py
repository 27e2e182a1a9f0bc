"""docs/api.md and proto/contract.txt are those of the protos, and a contract that is broken is seen."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from tests.protos.sources import compiled

from recocore.service.door.descriptors import Descriptors

ROOT = Path(__file__).parents[2]
AGAIN = "run `python docs/generate_api.py` and commit what it writes"


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate_api", ROOT / "docs" / "generate_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = generator()


def test_the_page_is_that_of_the_protos() -> None:
    made = generate.page(Descriptors.installed())
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == made, AGAIN


def test_the_page_names_everything_and_its_links_lead_somewhere() -> None:
    api, page = Descriptors.installed(), (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for method in api.methods:
        assert method.rpc in page
        assert method.path in page
    for name in api.comments:
        if name.startswith("recocore.v1."):
            assert name.rpartition(".")[2] in page, name
    headings = {
        re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert links
    assert links <= headings


def test_what_callers_rely_on_still_holds() -> None:
    committed = (ROOT / "proto" / "contract.txt").read_text(encoding="utf-8").splitlines()
    now = generate.contract(Descriptors.installed())
    assert generate.breaks(committed, now) == [], "callers rely on these: see `python docs/generate_api.py`"
    assert committed == now, AGAIN


PROTO = """syntax = "proto3";
package recocore.v1;
service AService {
  rpc Do(DoRequest) returns (DoResponse);
  rpc Watch(WatchRequest) returns (stream WatchResponse);
}
message DoRequest {
  repeated string ids = 1;
  optional double weight = 2;
  map<string, int64> counts = 3;
  oneof either { bool yes = 4; E no = 5; }
  message Part { bytes raw = 1; }
  Part part = 6;
}
message DoResponse {}
message WatchRequest {}
message WatchResponse {}
enum E { E_UNSPECIFIED = 0; E_ONE = 1; }
"""


def lines_of(folder: Path, text: str = PROTO) -> list[str]:
    lines: list[str] = generate.contract(Descriptors(compiled(folder, {"recocore/v1/a.proto": text})))
    return lines


def test_the_contract_has_numbers_names_and_types(tmp_path: Path) -> None:
    assert lines_of(tmp_path) == [
        "field recocore.v1.DoRequest 1 ids repeated string",
        "field recocore.v1.DoRequest 2 weight optional double",
        "field recocore.v1.DoRequest 3 counts map of string to int64",
        "field recocore.v1.DoRequest 4 yes bool in either",
        "field recocore.v1.DoRequest 5 no recocore.v1.E in either",
        "field recocore.v1.DoRequest 6 part recocore.v1.DoRequest.Part",
        "field recocore.v1.DoRequest.Part 1 raw bytes",
        "value recocore.v1.E 0 E_UNSPECIFIED",
        "value recocore.v1.E 1 E_ONE",
        "method recocore.v1.AService Do recocore.v1.DoRequest recocore.v1.DoResponse",
        "method recocore.v1.AService Watch recocore.v1.WatchRequest stream recocore.v1.WatchResponse",
    ]


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        ("repeated string ids = 1;", "", "'field recocore.v1.DoRequest 1 ids repeated string' is gone"),
        ("ids = 1", "names = 1", "is now 'field recocore.v1.DoRequest 1 names repeated string'"),
        ("ids = 1", "ids = 9", "'field recocore.v1.DoRequest 1 ids repeated string' is gone"),
        ("repeated string ids", "string ids", "is now 'field recocore.v1.DoRequest 1 ids string'"),
        ("double weight", "float weight", "is now 'field recocore.v1.DoRequest 2 weight optional float'"),
        (
            "map<string, int64>",
            "map<string, int32>",
            "is now 'field recocore.v1.DoRequest 3 counts map of string to int32'",
        ),
        ("E_ONE", "E_FIRST", "is now 'value recocore.v1.E 1 E_FIRST'"),
        (
            "rpc Do(",
            "rpc Doo(",
            "'method recocore.v1.AService Do recocore.v1.DoRequest recocore.v1.DoResponse' is gone",
        ),
        (
            "returns (stream ",
            "returns (",
            "is now 'method recocore.v1.AService Watch recocore.v1.WatchRequest recocore",
        ),
    ],
)
def test_a_broken_contract_is_seen(tmp_path: Path, before: str, after: str, broken: str) -> None:
    assert before in PROTO
    [found] = generate.breaks(lines_of(tmp_path / "old"), lines_of(tmp_path / "new", PROTO.replace(before, after)))
    assert broken in found


def test_what_is_added_breaks_nothing(tmp_path: Path) -> None:
    more = PROTO.replace("Part part = 6;", "Part part = 6; string more = 7;").replace(
        "E_ONE = 1;", "E_ONE = 1; E_TWO = 2;"
    )
    new = lines_of(tmp_path / "new", more)
    assert generate.breaks(lines_of(tmp_path / "old"), new) == []
    assert "field recocore.v1.DoRequest 7 more string" in new


def test_a_broken_contract_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "proto" / "contract.txt"
    old.parent.mkdir()
    (tmp_path / "docs").mkdir()
    old.write_text("field recocore.v1.RecommendRequest 1 user_id int32\n")
    for name, path in (("ROOT", tmp_path), ("CONTRACT", old), ("PAGE", tmp_path / "docs" / "api.md")):
        monkeypatch.setattr(generate, name, path)
    assert generate.main() == 1
    assert "is now 'field recocore.v1.RecommendRequest 1 user_id string'" in capsys.readouterr().err
    assert old.read_text() == "field recocore.v1.RecommendRequest 1 user_id int32\n"
    old.unlink()
    assert generate.main() == 0
    assert old.read_text() == (ROOT / "proto" / "contract.txt").read_text()
    assert generate.PAGE.read_text() == (ROOT / "docs" / "api.md").read_text()
