"""The exceptions of recocore: one class a code, each with its gRPC status.

This module is the one table from the core's error codes to Python exceptions and from those to gRPC statuses. A message
names the argument, what was expected, what came, and the next step.
"""

from typing import ClassVar


class RecocoreError(Exception):
    """Base of every error that recocore raises on purpose.

    Attributes:
        code: the core's name for what went wrong.
        grpc_status: the name of the `grpc.StatusCode` that the service answers with.
    """

    code: ClassVar[str] = "internal"
    grpc_status: ClassVar[str] = "INTERNAL"


class InvalidArgumentError(RecocoreError, ValueError):
    """An argument is not what the operation takes.

    Attributes:
        field: the argument's name where the raiser knows it, else an empty string.
    """

    code = "invalid_argument"
    grpc_status = "INVALID_ARGUMENT"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFoundError(RecocoreError, LookupError):
    """An id or a file is not there."""

    code = "not_found"
    grpc_status = "NOT_FOUND"


class NotFittedError(RecocoreError):
    """A model is asked for answers before `fit`."""

    code = "failed_precondition"
    grpc_status = "FAILED_PRECONDITION"


class ConflictError(RecocoreError):
    """Somebody else has changed what this call expected to find; read it again and decide anew."""

    code = "conflict"
    grpc_status = "ABORTED"


class AlreadyExistsError(RecocoreError):
    """What a call would make is there already, and is another one; take that back first."""

    code = "already_exists"
    grpc_status = "ALREADY_EXISTS"


class NoConsentError(RecocoreError):
    """Somebody has withdrawn the consent that this would need."""

    code = "no_consent"
    grpc_status = "FAILED_PRECONDITION"


class InUseError(RecocoreError):
    """Something that is still used cannot be taken away."""

    code = "in_use"
    grpc_status = "FAILED_PRECONDITION"


class UnsupportedError(RecocoreError):
    """This build or this machine cannot do what was asked."""

    code = "unsupported"
    grpc_status = "UNIMPLEMENTED"


class OutOfMemoryError(RecocoreError, MemoryError):
    """The operation would need more memory than there is; nothing was allocated."""

    code = "out_of_memory"
    grpc_status = "RESOURCE_EXHAUSTED"


class OverloadedError(RecocoreError):
    """More waits than may; nothing was done, and the call may be sent again after a while."""

    code = "overloaded"
    grpc_status = "RESOURCE_EXHAUSTED"


class StorageError(RecocoreError):
    """The disk refused to write (full, failed); what was acknowledged before stays readable, and the call may be sent again."""

    code = "storage"
    grpc_status = "UNAVAILABLE"


class OwnerUnavailableError(RecocoreError):
    """The process that owns the state does not answer; whether the call was done is not known."""

    code = "owner_unavailable"
    grpc_status = "UNAVAILABLE"


class CancelledError(RecocoreError):
    """The caller stopped a long computation."""

    code = "cancelled"
    grpc_status = "CANCELLED"


class CorruptError(RecocoreError):
    """A file is damaged, foreign, or of a format that this version does not know."""

    code = "corrupt"
    grpc_status = "DATA_LOSS"


class DeviceError(RecocoreError):
    """An accelerator failed."""

    code = "device"
    grpc_status = "UNAVAILABLE"


class InternalError(RecocoreError):
    """A defect of recocore itself."""


EXCEPTION_BY_CODE: dict[str, type[RecocoreError]] = {
    error.code: error
    for error in (
        InvalidArgumentError,
        NotFoundError,
        NotFittedError,
        UnsupportedError,
        OutOfMemoryError,
        CancelledError,
        CorruptError,
        DeviceError,
        InternalError,
    )
}
