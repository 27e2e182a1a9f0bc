"""What goes wrong between a call and the process that decides, beside what that one raises."""

from __future__ import annotations

from recocore.errors import RecocoreError


class NoFraudError(RecocoreError):
    """A call needs a model of fraud, and the service has none."""

    code = "no_fraud"
    grpc_status = "FAILED_PRECONDITION"

    def __init__(self) -> None:
        super().__init__(
            "this service has no model of fraud; start it with [fraud] model = DIR, path = DIR, see `recocore fraud fit`"
        )
