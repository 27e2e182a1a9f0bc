"""JSON of every kind of field, also of those that no proto of ours has yet, and the door's OpenAPI document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory, text_format
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from tests.protos.sources import compiled
from tests.service.http_calls import get, post
from tests.service.test_door import ASKED, PATHS, REFUSED

from recocore.service.door.descriptors import Descriptors, Method
from recocore.service.door.openapi import openapi
from recocore.service.door.transcode import has_read_mask, to_json, to_message
from recocore.service.problems import InvalidRequestError, MalformedRequestError

if TYPE_CHECKING:
    from tests.service.server_process import ServerProcess

PROTO = """syntax = "proto3";
package recocore.v1;
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
// A service.
service KindService {
  // Tries everything.
  rpc Try(TryRequest) returns (TryResponse);
}
message TryRequest {
  Leaf leaf = 1;
  repeated TryRequest inner = 2;
  map<string, Leaf> leaves = 3;
  map<string, int64> counts = 4;
  google.protobuf.FieldMask read_mask = 5;
  TryRequest template = 6;
  google.protobuf.Struct context = 7;
  repeated google.protobuf.Value values = 8;
}
message Leaf {
  int64 big = 1;
  uint64 bigger = 2;
  bytes raw = 3;
  double real = 4;
  optional float share = 5;
  uint32 count = 6;
  // Which.
  oneof either {
    bool yes = 7;
    Mood mood = 8;
  }
}
message TryResponse {
  google.protobuf.Timestamp time = 1;
  google.protobuf.Duration span = 2;
  repeated Leaf leaves = 3;
}
// How it is.
enum Mood {
  // Not known.
  MOOD_UNSPECIFIED = 0;
  // Well.
  MOOD_GOOD = 1;
}
"""
FULL = """
leaf { big: -9223372036854775808 bigger: 18446744073709551615 raw: "\\000\\377" real: 1e-300 share: 0.1
  count: 4294967295 yes: false }
inner { inner { leaf { mood: MOOD_GOOD } } }
leaves { key: "a b" value { real: 2.5 } }
counts { key: "" value: 7 }
read_mask { paths: "leaf.big" paths: "template" }
context { fields { key: "stock" value { list_value { values { number_value: 1 } values { null_value: 0 } } } } }
values { string_value: "x" } values { bool_value: true }
"""
JSON = {
    "leaf": {
        "big": "-9223372036854775808",
        "bigger": "18446744073709551615",
        "raw": "AP8=",
        "real": 1e-300,
        "share": 0.1,
        "count": 4294967295,
        "yes": False,
    },
    "inner": [{"inner": [{"leaf": {"mood": "MOOD_GOOD"}}]}],
    "leaves": {"a b": {"real": 2.5}},
    "counts": {"": "7"},
    "read_mask": "leaf.big,template",
    "context": {"stock": [1.0, None]},
    "values": ["x", True],
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Descriptors:
    files = compiled(tmp_path_factory.mktemp("protos"), {"recocore/v1/kind.proto": PROTO})
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    request, response = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"recocore.v1.Try{suffix}"))
        for suffix in ("Request", "Response")
    )
    api = Descriptors(files)
    # Its own way to the methods leads through the generated modules, which these messages have not.
    vars(api)["methods"] = [Method("recocore.v1.KindService", "Try", "/v1/try", request, response, False, False)]
    return api


def test_every_kind_of_field_is_read_and_written(api: Descriptors) -> None:
    kind: Any = api.methods[0].request
    expected = text_format.Parse(FULL, kind())
    assert to_message(kind, json.dumps(JSON).encode()) == expected
    assert json.loads(to_json(expected, with_empty=False)) == JSON
    assert to_message(kind, to_json(expected)) == expected
    camel = json_format.MessageToJson(expected)
    assert '"readMask"' in camel
    assert to_message(kind, camel.encode()) == expected


def test_empty_fields_are_written_where_they_have_no_presence(api: Descriptors) -> None:
    response: Any = api.methods[0].response
    assert json.loads(to_json(response())) == {"leaves": []}
    assert json.loads(to_json(text_format.Parse("leaves {} time {}", response()))) == {
        "leaves": [{"big": "0", "bigger": "0", "raw": "", "real": 0.0, "count": 0}],
        "time": "1970-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("", False),
        ("leaf {}", False),
        ("template {}", False),
        ("read_mask {}", True),
        ("template { read_mask {} }", True),
    ],
)
def test_a_read_mask_is_found(api: Descriptors, text: str, masked: bool) -> None:
    kind: Any = api.methods[0].request
    assert has_read_mask(text_format.Parse(text, kind())) is masked


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"inner": [{}, {"leaf": {"bog": 1}}]}, "inner[1].leaf.bog"),
        ({"leaves": {"a": {"x": 1}}}, "leaves[a].x"),
        ({"template": {"template": {"": 1}}}, "template.template."),
    ],
)
def test_an_unknown_field_has_its_path(api: Descriptors, body: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        to_message(api.methods[0].request, json.dumps(body).encode())
    assert caught.value.violations[0].field == path


@pytest.mark.parametrize(
    "body",
    [
        b'{"leaf": {"real": NaN}}',
        b'{"leaf": {"share": 1e39}}',
        b'{"leaf": {"big": 9223372036854775808}}',
        b'{"leaf": {"big": "1.5"}}',
        b'{"leaf": {"raw": "*"}}',
        b'{"leaf": {"yes": true, "mood": 1}}',
        b'{"leaf": {"big": 1, "big": 2}}',
        b'{"leaves": [["a", {}]]}',
        b'{"leaves": {"a": []}}',
        b'{"inner": {"0": {}}}',
        b'{"read_mask": ["leaf"]}',
        b'{"context": [1]}',
        b'{"counts": {"a": 1, "a": 2}}',
        b'{"context": ' + b'{"a": ' * 200 + b"1" + b"}" * 201,
        b'{"template": ' * 200 + b"{}" + b"}" * 200,
    ],
)
def test_a_value_that_its_field_cannot_hold_is_refused(api: Descriptors, body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        to_message(api.methods[0].request, body)


def schema_of(document: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def test_the_description_of_every_kind_is_openapi_and_fits(api: Descriptors) -> None:
    document = openapi(api)
    validate(document)
    request = schema_of(document, "recocore.v1.TryRequest")
    request.validate(JSON)
    wrongs: list[dict[str, Any]] = [
        {"leaf": {"big": 1}},
        {"leaf": {"mood": "MOOD_BAD"}},
        {"leaf": {"count": -1}},
        {"inner": {}},
        {"leaves": {"a": 1}},
        {"counts": {"a": 1}},
        {"read_mask": []},
        {"other": 1},
    ]
    for wrong in wrongs:
        assert not request.is_valid(wrong), wrong
    schema_of(document, "recocore.v1.TryResponse").validate({"time": "1970-01-01T00:00:00Z", "span": "1.5s", "new": 1})
    assert "At most one of yes, mood." in document["components"]["schemas"]["recocore.v1.Leaf"]["description"]


def test_the_doors_description_fits_what_it_answers(door: ServerProcess) -> None:
    document = get(door.address, "/openapi.json").body
    validate(document)
    assert {f"/v1/{path.removeprefix('/v1/')}" for path in PATHS.values()} <= set(document["paths"])
    for method, asked in ASKED:
        snake = "userId" not in asked and None not in asked.values() and 1 not in asked.values()
        assert schema_of(document, f"recocore.v1.{method}Request").is_valid(asked) or not snake
        answer = post(door.address, PATHS[method], asked)
        schema_of(document, f"recocore.v1.{method}Response").validate(answer.body)
    for method, asked, status in REFUSED:
        operation = document["paths"][PATHS[method]]["post"]
        assert operation["operationId"] == method
        assert str(status) in operation["responses"]
        schema_of(document, "google.rpc.Status").validate(post(door.address, PATHS[method], asked).body)
    for method in PATHS:
        operation = document["paths"][PATHS[method]]["post"]
        assert operation["summary"]
        assert {"400", "413", "415", "429", "503", "504"} <= set(operation["responses"])
