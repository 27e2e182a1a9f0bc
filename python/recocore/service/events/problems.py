"""What goes wrong between a call and the state, as callers are told."""

from __future__ import annotations

from recocore.errors import RecocoreError

# The owner of the state is started again within this time, a failure of its disk aside.
RETRY_AFTER_SECONDS = 0.2
# A disk that is full is not emptied at once.
RETRY_FULL_SECONDS = 1.0


class NoStateError(RecocoreError):
    """A call needs a state, and the service has none."""

    code = "no_state"
    grpc_status = "FAILED_PRECONDITION"

    def __init__(self, field: str = "") -> None:
        what = f"{field}: " if field else ""
        super().__init__(f"{what}this service has no state to keep events in; start it with `recocore serve --state DIR`")


class StateUnavailableError(RecocoreError):
    """The process that writes does not answer, and is being started again."""

    code = "state_unavailable"
    grpc_status = "UNAVAILABLE"
    retry_after = RETRY_AFTER_SECONDS

    def __init__(self) -> None:
        super().__init__(
            "the process that writes events is being started again; retry: what is sent again is not recorded twice"
        )


class StateFullError(RecocoreError):
    """The disk of the state refuses to write."""

    code = "state_full"
    grpc_status = "RESOURCE_EXHAUSTED"
    retry_after = RETRY_FULL_SECONDS


class CommitNotSeenError(RecocoreError):
    """A commit that a call asks for is not there to be read."""

    code = "commit_not_seen"
    grpc_status = "UNAVAILABLE"
    retry_after = RETRY_AFTER_SECONDS

    def __init__(self, wanted: int, seen: int) -> None:
        super().__init__(
            f"min_commit_token: commit {wanted} is not there to be read, the last one is {seen}; retry, or ask without it"
        )


class UserForgottenError(RecocoreError):
    """An event belongs to somebody who was forgotten after it happened."""

    code = "user_forgotten"
    grpc_status = "FAILED_PRECONDITION"

    def __init__(self) -> None:
        super().__init__("the user was forgotten after this event happened; do not send it again")
