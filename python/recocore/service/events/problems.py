"""What goes wrong between a call and the state, beside what the state itself raises."""

from __future__ import annotations

from recocore.errors import RecocoreError


class NoStateError(RecocoreError):
    """A call needs a state, and the service has none."""

    code = "no_state"
    grpc_status = "FAILED_PRECONDITION"

    def __init__(self, field: str = "") -> None:
        what = f"{field}: " if field else ""
        super().__init__(
            f"{what}this service has no state to keep events in; start it with `recocore serve --state DIR`"
        )


class CommitNotSeenError(RecocoreError):
    """A commit that a call asks for is not there to be read."""

    code = "commit_not_seen"
    grpc_status = "UNAVAILABLE"

    def __init__(self, wanted: int, seen: int) -> None:
        super().__init__(
            f"min_commit_token: commit {wanted} is not there to be read, the last one is {seen}; retry, or ask without it"
        )
