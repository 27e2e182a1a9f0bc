"""The door's description for tools: OpenAPI 3.1, made from the descriptors."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from recocore.service.door.statuses import HTTP_STATUS

if TYPE_CHECKING:
    from recocore.service.door.descriptors import Descriptors, Method

Schema = dict[str, Any]

_SCALARS: dict[int, Schema] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0},
    # JSON numbers are doubles in many languages, which hold 53 bits.
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
}

# Messages that JSON writes in a form of their own.
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Paths in lowerCamelCase, joined by commas."},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {
        "type": "object",
        "required": ["@type"],
        "properties": {"@type": {"type": "string", "description": "Says which message the other fields are of."}},
    },
}

_HEADERS: list[Schema] = [
    {
        "name": "x-request-id",
        "in": "header",
        "description": "Names the call: 1 to 64 of A-Z a-z 0-9 _ -. The answer carries it, or the one given in its place.",
        "schema": {"type": "string"},
    },
    {
        "name": "x-timeout-ms",
        "in": "header",
        "description": "The deadline of the call in milliseconds, from 1 to 86,400,000; it begins with the request's headers.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 86_400_000},
    },
]

_STATUS = "google.rpc.Status"


def openapi(api: Descriptors) -> Schema:
    """The OpenAPI document of every method that has a URL."""
    schemas = _Schemas(api)
    methods = [method for method in api.methods if method.path]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "recocore",
            "version": version("recocore"),
            "description": "recocore.v1 as JSON over HTTP. Field names are those of the protos; unknown ones are refused.",
        },
        "paths": {
            **{method.path: {"post": _operation(method, api, schemas)} for method in methods},
            "/healthz": {"get": _health()},
        },
        "components": {"schemas": schemas.all},
    }


def _operation(method: Method, api: Descriptors, schemas: _Schemas) -> Schema:
    comment = api.comments.get(method.full_name, "")
    return {
        "operationId": method.name,
        "tags": [method.service.rpartition(".")[2]],
        "summary": comment.partition("\n\n")[0].replace("\n", " "),
        "description": comment,
        "parameters": _HEADERS,
        "requestBody": {"required": True, "content": _json(schemas.refer(method.request.DESCRIPTOR))},
        "responses": {
            "200": {"description": "OK", "content": _json(schemas.refer(method.response.DESCRIPTOR))},
            **_refusals(method, api, schemas),
        },
    }


def _refusals(method: Method, api: Descriptors, schemas: _Schemas) -> Schema:
    by_status = defaultdict(list)
    for outcome in api.outcomes(method):
        by_status[str(HTTP_STATUS[outcome.status])].append(f"- {outcome.reason or outcome.status}: {outcome.meaning}")
    by_status["413"].append("- REQUEST_TOO_LARGE: the body has more than 4 MiB.")
    by_status["415"].append("- UNSUPPORTED_MEDIA_TYPE: content-type is not application/json.")
    content = _json(schemas.refer_by_name(_STATUS))
    return {
        status: {"description": "\n".join(lines), "content": content} for status, lines in sorted(by_status.items())
    }


def _health() -> Schema:
    content = _json({"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}})
    return {
        "operationId": "healthz",
        "summary": "Whether the service takes calls.",
        "responses": {
            "200": {"description": "SERVING", "content": content},
            "503": {
                "description": "NOT_SERVING: starting or stopping. UNREACHABLE: no worker answers.",
                "content": content,
            },
        },
    }


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


class _Schemas:
    """Schemas of messages and enums, each made when something first refers to it."""

    def __init__(self, api: Descriptors) -> None:
        self._comments = api.comments
        self.all: dict[str, Schema] = {
            _STATUS: {
                "type": "object",
                "description": "Why a call failed. The details hold google.rpc.ErrorInfo, whose reason is for programs.",
                "properties": {
                    "code": {"type": "integer", "description": "Number of the gRPC status, see google.rpc.Code."},
                    "message": {"type": "string", "description": "For people."},
                    "details": {"type": "array", "items": _WELL_KNOWN["google.protobuf.Any"]},
                },
            }
        }

    def refer(self, kind: Any) -> Schema:
        """A reference to the schema of a message or an enum, by its descriptor."""
        if kind.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[kind.full_name])
        if kind.full_name not in self.all:
            self.all[kind.full_name] = {}  # ends recursion: a message may hold itself
            self.all[kind.full_name] = self._message(kind) if isinstance(kind, Descriptor) else self._enum(kind)
        return self.refer_by_name(kind.full_name)

    @staticmethod
    def refer_by_name(full_name: str) -> Schema:
        """A reference to a schema by its name."""
        return {"$ref": f"#/components/schemas/{full_name}"}

    def _message(self, kind: Descriptor) -> Schema:
        notes = [self._comments.get(kind.full_name, "")]
        for oneof in kind.oneofs:
            if len(oneof.fields) > 1:
                notes.append(f"At most one of {', '.join(field.name for field in oneof.fields)}.")
        schema: Schema = {
            "type": "object",
            "properties": {field.name: self._field(field) for field in kind.fields},
            # The service refuses what it does not know; what it sends may grow.
            **({"additionalProperties": False} if kind.name.endswith("Request") else {}),
        }
        return _described(schema, "\n\n".join(filter(None, notes)))

    def _field(self, field: FieldDescriptor) -> Schema:
        comment = self._comments.get(field.full_name, "")
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            values = self._value(entry.fields_by_name["value"])
            return _described({"type": "object", "additionalProperties": values}, comment)
        value = self._value(field)
        return _described({"type": "array", "items": value} if field.is_repeated else value, comment)

    def _value(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self.refer(field.message_type)
        if field.enum_type is not None:
            return self.refer(field.enum_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return dict(_SCALARS[field.cpp_type])

    def _enum(self, kind: EnumDescriptor) -> Schema:
        values = [
            f"- {value.name}: {self._comments.get(f'{kind.full_name}.{value.name}', '')}" for value in kind.values
        ]
        schema = {"type": "string", "enum": [value.name for value in kind.values]}
        return _described(schema, "\n".join([self._comments.get(kind.full_name, ""), "", *values]))


def _described(schema: Schema, comment: str) -> Schema:
    return {**schema, "description": comment} if comment else schema
