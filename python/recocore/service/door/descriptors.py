"""What the protos offer, with their comments: read from the descriptors that the build installs beside the generated code."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from recocore.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.message import Message

PACKAGE = "recocore.v1"

# Field numbers in descriptor.proto: a comment's place is a path of them and of positions.
_FILE_MESSAGES, _FILE_ENUMS, _FILE_SERVICES, _FILE_SYNTAX = 4, 5, 6, 12
_MESSAGE_FIELDS, _MESSAGE_MESSAGES, _MESSAGE_ENUMS, _MESSAGE_ONEOFS = 2, 3, 4, 8
_ENUM_VALUES = _SERVICE_METHODS = 2

_OUTCOME = re.compile(r"^- ([A-Z_]+)(?:, ([A-Z_]+)| without details): (.*(?:\n  .*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way in which a method may end, as its comment lists it: `- STATUS, REASON: meaning`.

    Attributes:
        status: name of the gRPC status.
        reason: ErrorInfo's reason; empty where the status comes without details.
        meaning: when it comes and what to do then.
    """

    status: str
    reason: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC.

    Attributes:
        service: full name of its service.
        name: its name in the proto.
        path: its URL at the door; empty for a streaming method, which has none.
        request: the class of its request message.
        response: the class of its response message, or of each one that it streams.
        streams_requests: whether it takes many requests.
        streams_responses: whether it gives many responses.
    """

    service: str
    name: str
    path: str
    request: type[Message]
    response: type[Message]
    streams_requests: bool
    streams_responses: bool

    @property
    def full_name(self) -> str:
        """Its key among the comments."""
        return f"{self.service}.{self.name}"

    @property
    def rpc(self) -> str:
        """Its name on the wire."""
        return f"/{self.service}/{self.name}"


class Descriptors:
    """The files of one package of protos.

    Attributes:
        files: the package's own FileDescriptorProtos, by name.
        comments: the comment above each declaration, by full name; an enum value's name stands under its enum's. A file's
            own comment stands under the file's name.
    """

    def __init__(self, files: FileDescriptorSet) -> None:
        self.files = sorted((file for file in files.file if file.package == PACKAGE), key=lambda file: file.name)
        self.comments = {name: text for file in self.files for name, text in _comments(file) if text}

    @classmethod
    def installed(cls) -> Descriptors:
        """Those of this installation.

        Raises:
            NotFoundError: the file is missing; installing again makes it.
        """
        for folder in find_spec(PACKAGE).submodule_search_locations:  # type: ignore[union-attr]
            path = Path(folder) / "descriptors.binpb"
            if path.exists():
                return cls(FileDescriptorSet.FromString(path.read_bytes()))
        raise NotFoundError(f"descriptors.binpb is not in the package {PACKAGE}; install recocore again")

    @cached_property
    def methods(self) -> list[Method]:
        """Every RPC, in the order of the files."""
        return list(self._methods())

    def outcomes(self, method: Method) -> list[Outcome]:
        """How a method may end besides OK: what its service's comment lists, then its own."""
        return [
            outcome
            for name in (method.service, method.full_name)
            for outcome in self.listed(self.comments.get(name, ""))
        ]

    @staticmethod
    def listed(comment: str) -> list[Outcome]:
        """The outcomes that one comment lists."""
        return [
            Outcome(status, reason, " ".join(meaning.split())) for status, reason, meaning in _OUTCOME.findall(comment)
        ]

    def _methods(self) -> Iterator[Method]:
        pool = descriptor_pool.Default()
        for file in self.files:
            # The generated module puts its file into the pool.
            importlib.import_module(f"{file.name.removesuffix('.proto').replace('/', '.')}_pb2")
            for service in file.service:
                for method in service.method:
                    streaming = method.client_streaming or method.server_streaming
                    request, response = (
                        message_factory.GetMessageClass(pool.FindMessageTypeByName(name.removeprefix(".")))
                        for name in (method.input_type, method.output_type)
                    )
                    yield Method(
                        service=f"{file.package}.{service.name}",
                        name=method.name,
                        path="" if streaming else url_path(method.name),
                        request=request,
                        response=response,
                        streams_requests=method.client_streaming,
                        streams_responses=method.server_streaming,
                    )


def url_path(method: str) -> str:
    """The URL of a method: the package's version and the method's name in kebab case.

    >>> url_path("SimilarItems")
    '/v1/similar-items'
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", method)
    return f"/{PACKAGE.rpartition('.')[2]}/{words.lower()}"


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    at = {tuple(place.path): _text(place.leading_comments) for place in file.source_code_info.location}

    def under(prefix: str, path: tuple[int, ...], number: int, children: Sequence[Any]) -> Iterator[Any]:
        for position, child in enumerate(children):
            here = (*path, number, position)
            yield f"{prefix}.{child.name}", here, child

    def enums(prefix: str, path: tuple[int, ...], number: int, children: Sequence[Any]) -> Iterator[tuple[str, str]]:
        for name, here, enum in under(prefix, path, number, children):
            yield name, at.get(here, "")
            for value_name, place, _ in under(name, here, _ENUM_VALUES, enum.value):
                yield value_name, at.get(place, "")

    def messages(prefix: str, path: tuple[int, ...], number: int, children: Sequence[Any]) -> Iterator[tuple[str, str]]:
        for name, here, message in under(prefix, path, number, children):
            yield name, at.get(here, "")
            for part, members in ((_MESSAGE_FIELDS, message.field), (_MESSAGE_ONEOFS, message.oneof_decl)):
                for member_name, place, _ in under(name, here, part, members):
                    yield member_name, at.get(place, "")
            yield from enums(name, here, _MESSAGE_ENUMS, message.enum_type)
            yield from messages(name, here, _MESSAGE_MESSAGES, message.nested_type)

    yield file.name, at.get((_FILE_SYNTAX,), "")
    yield from messages(file.package, (), _FILE_MESSAGES, file.message_type)
    yield from enums(file.package, (), _FILE_ENUMS, file.enum_type)
    for name, here, service in under(file.package, (), _FILE_SERVICES, file.service):
        yield name, at.get(here, "")
        for method_name, place, _ in under(name, here, _SERVICE_METHODS, service.method):
            yield method_name, at.get(place, "")


def _text(comment: str) -> str:
    return "\n".join(line.removeprefix(" ").rstrip() for line in comment.strip("\n").splitlines())
