"""Write docs/api.md and proto/contract.txt from the protos: `python docs/generate_api.py`.

Both are read from the descriptors that an installation holds, so after a change in `proto/` install first. The page is made
anew. To the contract, which lists what callers rely on, lines are only added: where one would change or go, nothing is written.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from recocore.service.door.descriptors import PACKAGE, Descriptors, url_path
from recocore.service.door.statuses import HTTP_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, MethodDescriptorProto

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "api.md"
CONTRACT = ROOT / "proto" / "contract.txt"

HEAD = """# API

The service speaks gRPC, and JSON over HTTP through its door. This page is made from the comments in `proto/recocore/v1` by
`python docs/generate_api.py`.

## JSON over HTTP

`recocore serve --http-port` opens the door. Each unary method has a URL, its name in kebab case: `POST /v1/similar-items` is
SimilarItems. `GET /healthz` says whether the service takes calls (200 or 503); `GET /openapi.json` describes the door to tools.

- A body is a JSON object of at most 4 MiB under `content-type: application/json`, in
  [protobuf's mapping](https://protobuf.dev/programming-guides/json): 64-bit integers are strings, bytes are base64, enum values
  are names, a FieldMask is one string of paths with commas between.
- Field names are those on this page; lowerCamelCase is understood too. An unknown field, a field given twice and a value that
  its field cannot hold are refused. An answer has plain fields and lists even if they are empty, unless the request has a
  `read_mask`.
- `x-request-id` names the call, as in gRPC; the answer carries it.
- `x-timeout-ms` is the deadline in milliseconds, counted from the request's headers: 1 to 86,400,000; 10 seconds if it is
  absent. A caller who closes the connection cancels its call.
- An error is a google.rpc.Status as JSON under the HTTP status that is listed with each gRPC status below; a RetryInfo is
  also a `retry-after` header, in whole seconds. The door itself adds 404 (NO_SUCH_PATH), 405 (WRONG_HTTP_METHOD), 413
  (REQUEST_TOO_LARGE) and 415 (UNSUPPORTED_MEDIA_TYPE).
"""

_KINDS = {value: name.removeprefix("TYPE_").lower() for name, value in FieldDescriptorProto.Type.items()}
_LISTED = re.compile(r"^- [A-Z_]+(?:, [A-Z_]+| without details): .*(?:\n  .*)*\n?", re.MULTILINE)


def page(api: Descriptors) -> str:
    """docs/api.md."""
    shared = [f"{api.comments[file.name]}\n" for file in api.files if not file.service and file.name in api.comments]
    parts = [HEAD, *_services(api), "## Messages\n", *shared]
    for name, message in _messages(api):
        parts += [f"### {_short(name)}\n", _about_message(name, api), *_fields(name, message, api)]
    parts.append("## Enums\n")
    for name, enum in _enums(api):
        rows = [
            (str(value.number), f"`{value.name}`", _cell(api.comments.get(f"{name}.{value.name}", "")))
            for value in enum.value
        ]
        parts += [
            f"### {_short(name)}\n",
            api.comments.get(name, "") + "\n",
            _table(("number", "value", "meaning"), rows),
        ]
    return "\n".join(parts)


def contract(api: Descriptors) -> list[str]:
    """What callers rely on, one line each: of a field or a value its number before its name, so that lines sort together."""
    lines = []
    for name, message in _messages(api):
        for field in message.field:
            oneof = f" in {message.oneof_decl[field.oneof_index].name}" if _in_oneof(field) else ""
            lines.append(f"field {name} {field.number} {field.name} {_type(field, message, api)}{oneof}")
    for name, enum in _enums(api):
        lines += [f"value {name} {value.number} {value.name}" for value in enum.value]
    for file in api.files:
        for service in file.service:
            lines += [
                f"method {file.package}.{service.name} {method.name} {_signature(method)}" for method in service.method
            ]
    return lines


def breaks(before: Iterable[str], now: Iterable[str]) -> list[str]:
    """What of a contract no longer holds."""
    there = {_key(line): line for line in now}
    return [
        f"{line!r} is now {there[_key(line)]!r}" if _key(line) in there else f"{line!r} is gone"
        for line in before
        if there.get(_key(line)) != line
    ]


def main() -> int:
    """Write both files."""
    api = Descriptors.installed()
    lines = contract(api)
    broken = breaks(CONTRACT.read_text(encoding="utf-8").splitlines() if CONTRACT.exists() else [], lines)
    if broken:
        print(*broken, sep="\n", file=sys.stderr)
        print(
            "Callers rely on these. Take the change back; or, where no caller can be left, remove the lines from "
            f"{CONTRACT.relative_to(ROOT)}, reserve numbers and names in the proto, and run this again.",
            file=sys.stderr,
        )
        return 1
    CONTRACT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    PAGE.write_text(page(api), encoding="utf-8")
    return 0


def _key(line: str) -> tuple[str, ...]:
    return tuple(line.split(" ")[:3])


def _services(api: Descriptors) -> Iterator[str]:
    for file in api.files:
        for service in file.service:
            name = f"{file.package}.{service.name}"
            yield f"## {service.name}\n"
            yield from _about(api.comments.get(name, ""))
            for method in service.method:
                yield f"### {method.name}\n"
                streams = method.client_streaming or method.server_streaming
                url = "gRPC alone" if streams else f"`POST {url_path(method.name)}`"
                takes, gives = (_link(type_name, api) for type_name in (method.input_type, method.output_type))
                takes = f"a stream of {takes}" if method.client_streaming else takes
                gives = f"a stream of {gives}" if method.server_streaming else gives
                yield f"{url} · `/{name}/{method.name}` · takes {takes}, gives {gives}\n"
                yield from _about(api.comments.get(f"{name}.{method.name}", ""))


def _about(comment: str) -> Iterator[str]:
    """A comment, with the statuses that it lists as a table."""
    yield _LISTED.sub("", comment).strip() + "\n"
    rows = [
        (str(HTTP_STATUS[outcome.status]), outcome.status, outcome.reason, _cell(outcome.meaning))
        for outcome in Descriptors.listed(comment)
    ]
    if rows:
        yield _table(("HTTP", "status", "reason", "meaning"), rows)


def _about_message(name: str, api: Descriptors) -> str:
    comment = api.comments.get(name)
    if comment:
        return comment + "\n"
    method, suffix = re.fullmatch(r"(.+?)(Request|Response)?", _short(name)).groups()  # type: ignore[union-attr]
    return f"The {suffix.lower()} of [{method}](#{method.lower()}).\n" if suffix else ""


def _fields(name: str, message: DescriptorProto, api: Descriptors) -> Iterator[str]:
    rows = []
    for field in message.field:
        comment = api.comments.get(f"{name}.{field.name}") or _first_sentence(api.comments.get(field.type_name[1:], ""))
        if _in_oneof(field):
            oneof = message.oneof_decl[field.oneof_index].name
            comment = f"One of `{oneof}`. {comment}"
        rows.append((str(field.number), f"`{field.name}`", _type(field, message, api, links=True), _cell(comment)))
    yield _table(("number", "field", "type", "meaning"), rows) if rows else "No fields.\n"


def _first_sentence(comment: str) -> str:
    return re.split(r"(?<=[.:])\s", comment, maxsplit=1)[0]


def _cell(comment: str) -> str:
    paragraphs = (" ".join(part.split()) for part in comment.split("\n\n"))
    return "<br>".join(paragraphs).replace("|", r"\|")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _messages(api: Descriptors) -> Iterator[tuple[str, DescriptorProto]]:
    def under(prefix: str, messages: Iterable[DescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
        for message in messages:
            if not message.options.map_entry:
                yield f"{prefix}.{message.name}", message
                yield from under(f"{prefix}.{message.name}", message.nested_type)

    for file in api.files:
        yield from under(file.package, file.message_type)


def _enums(api: Descriptors) -> Iterator[tuple[str, EnumDescriptorProto]]:
    for file in api.files:
        yield from ((f"{file.package}.{enum.name}", enum) for enum in file.enum_type)
    for name, message in _messages(api):
        yield from ((f"{name}.{enum.name}", enum) for enum in message.enum_type)


def _in_oneof(field: FieldDescriptorProto) -> bool:
    return field.HasField("oneof_index") and not field.proto3_optional


def _type(field: FieldDescriptorProto, message: DescriptorProto, api: Descriptors, *, links: bool = False) -> str:
    def one(each: FieldDescriptorProto) -> str:
        if each.type_name:
            return _link(each.type_name, api) if links else each.type_name[1:]
        return _KINDS[each.type]

    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    for entry in message.nested_type:
        if entry.options.map_entry and field.type_name.endswith(f".{message.name}.{entry.name}"):
            return f"map of {one(entry.field[0])} to {one(entry.field[1])}"
    if repeated:
        return f"repeated {one(field)}"
    return f"optional {one(field)}" if field.proto3_optional else one(field)


def _signature(method: MethodDescriptorProto) -> str:
    takes = "stream " if method.client_streaming else ""
    gives = "stream " if method.server_streaming else ""
    return f"{takes}{method.input_type[1:]} {gives}{method.output_type[1:]}"


def _short(full_name: str) -> str:
    return full_name.removeprefix(f"{PACKAGE}.")


def _link(type_name: str, api: Descriptors) -> str:
    short = _short(type_name[1:])
    own = type_name.startswith(f".{PACKAGE}.")
    return f"[{short}](#{short.replace('.', '').lower()})" if own else f"`{short}`"


if __name__ == "__main__":
    sys.exit(main())
