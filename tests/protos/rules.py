"""Rules for protos, over descriptors: those of buf's STANDARD set that hold here, and that everything has a comment.

The names of the rules are buf's: https://buf.build/docs/lint/rules.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FieldDescriptorProto,
        FileDescriptorProto,
    )

_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
_LOWER_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_VERSIONED = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\.v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?")


def complaints(files: Sequence[FileDescriptorProto]) -> list[str]:
    """What breaks a rule: its name and the place."""
    return [*_files(files), *_messages(files), *_enums(files), *_services(files)]


def uncommented(files: Sequence[FileDescriptorProto], comments: dict[str, str]) -> list[str]:
    """What has no comment and does not go without saying.

    It goes without saying what a field is whose message or enum, of this package, has a comment, and what a message is
    whose name is that of a method and Request or Response.
    """
    methods = {method.name for file in files for service in file.service for method in service.method}
    said = {f"{name}{suffix}" for name in methods for suffix in ("Request", "Response")}
    missing = []
    for file in files:
        for service in file.service:
            name = f"{file.package}.{service.name}"
            missing += [name, *(f"{name}.{method.name}" for method in service.method)]
    for name, message in walk_messages(files):
        if message.name not in said:
            missing.append(name)
        missing += [f"{name}.{field.name}" for field in message.field if field.type_name[1:] not in comments]
    for name, enum in walk_enums(files):
        missing += [name, *(f"{name}.{value.name}" for value in enum.value)]
    return [name for name in missing if name not in comments]


def walk_messages(files: Iterable[FileDescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
    """Every message, nested ones too, without the entries of maps."""

    def under(prefix: str, messages: Iterable[DescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
        for message in messages:
            if not message.options.map_entry:
                yield f"{prefix}.{message.name}", message
                yield from under(f"{prefix}.{message.name}", message.nested_type)

    for file in files:
        yield from under(file.package, file.message_type)


def walk_enums(files: Sequence[FileDescriptorProto]) -> Iterator[tuple[str, EnumDescriptorProto]]:
    """Every enum, nested ones too."""
    for file in files:
        yield from ((f"{file.package}.{enum.name}", enum) for enum in file.enum_type)
    for name, message in walk_messages(files):
        yield from ((f"{name}.{enum.name}", enum) for enum in message.enum_type)


def _files(files: Sequence[FileDescriptorProto]) -> Iterator[str]:
    for file in files:
        if file.syntax != "proto3":
            yield f"SYNTAX_SPECIFIED {file.name}"
        if not _VERSIONED.fullmatch(file.package):
            yield f"PACKAGE_VERSION_SUFFIX {file.name}"
        folder, _, name = file.name.rpartition("/")
        if folder != file.package.replace(".", "/"):
            yield f"PACKAGE_DIRECTORY_MATCH {file.name}"
        if not _LOWER_SNAKE.fullmatch(name.removesuffix(".proto")):
            yield f"FILE_LOWER_SNAKE_CASE {file.name}"
        if file.public_dependency:
            yield f"IMPORT_NO_PUBLIC {file.name}"
        if file.weak_dependency:
            yield f"IMPORT_NO_WEAK {file.name}"
        used = {field.type_name for _, message in walk_messages([file]) for field in _fields(message)}
        used |= {
            kind for service in file.service for rpc in service.method for kind in (rpc.input_type, rpc.output_type)
        }
        for dependency in file.dependency:
            declared = next((other for other in files if other.name == dependency), None)
            # Of a file from elsewhere only the package is known.
            prefix = declared.package if declared else dependency.rpartition("/")[0].replace("/", ".")
            names = (
                {f".{name}" for name, _ in [*walk_messages([declared]), *walk_enums([declared])]} if declared else set()
            )
            if not (used & names if declared else any(kind.startswith(f".{prefix}.") for kind in used)):
                yield f"IMPORT_USED {file.name} {dependency}"


def _fields(message: DescriptorProto) -> Iterator[FieldDescriptorProto]:
    yield from message.field
    for entry in message.nested_type:
        if entry.options.map_entry:
            yield from entry.field


def _messages(files: Sequence[FileDescriptorProto]) -> Iterator[str]:
    for name, message in walk_messages(files):
        if not _PASCAL.fullmatch(message.name):
            yield f"MESSAGE_PASCAL_CASE {name}"
        for field in message.field:
            if not _LOWER_SNAKE.fullmatch(field.name):
                yield f"FIELD_LOWER_SNAKE_CASE {name}.{field.name}"
        for oneof in message.oneof_decl:
            # An optional field has a oneof of its own, which nobody wrote.
            if not _LOWER_SNAKE.fullmatch(oneof.name.removeprefix("_")):
                yield f"ONEOF_LOWER_SNAKE_CASE {name}.{oneof.name}"


def _enums(files: Sequence[FileDescriptorProto]) -> Iterator[str]:
    for name, enum in walk_enums(files):
        if not _PASCAL.fullmatch(enum.name):
            yield f"ENUM_PASCAL_CASE {name}"
        if enum.options.allow_alias:
            yield f"ENUM_NO_ALLOW_ALIAS {name}"
        prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
        for value in enum.value:
            if not _UPPER_SNAKE.fullmatch(value.name):
                yield f"ENUM_VALUE_UPPER_SNAKE_CASE {name}.{value.name}"
            if not value.name.startswith(prefix):
                yield f"ENUM_VALUE_PREFIX {name}.{value.name}"
            if value.number == 0 and not value.name.endswith("_UNSPECIFIED"):
                yield f"ENUM_ZERO_VALUE_SUFFIX {name}.{value.name}"
        if enum.value[0].number != 0:
            yield f"ENUM_FIRST_VALUE_ZERO {name}"


def _services(files: Sequence[FileDescriptorProto]) -> Iterator[str]:
    uses: Counter[str] = Counter()
    for file in files:
        for service in file.service:
            name = f"{file.package}.{service.name}"
            if not _PASCAL.fullmatch(service.name):
                yield f"SERVICE_PASCAL_CASE {name}"
            if not service.name.endswith("Service"):
                yield f"SERVICE_SUFFIX {name}"
            for method in service.method:
                if not _PASCAL.fullmatch(method.name):
                    yield f"RPC_PASCAL_CASE {name}.{method.name}"
                for rule, kind, suffix in (
                    ("RPC_REQUEST_STANDARD_NAME", method.input_type, "Request"),
                    ("RPC_RESPONSE_STANDARD_NAME", method.output_type, "Response"),
                ):
                    uses[kind] += 1
                    allowed = {f"{method.name}{suffix}", f"{service.name}{method.name}{suffix}"}
                    if kind.rpartition(".")[2] not in allowed:
                        yield f"{rule} {name}.{method.name}"
    for kind, count in uses.items():
        if count > 1:
            yield f"RPC_REQUEST_RESPONSE_UNIQUE {kind[1:]}"
