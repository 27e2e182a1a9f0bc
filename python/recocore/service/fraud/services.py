"""The methods of FraudService: decode, ask the process that decides, encode.

They run on the event loop: decoding an event takes some 10 us and encoding a decision some 30, and the rest is waiting.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError
from recocore.service import limits
from recocore.service.events.rows import RowMaker
from recocore.service.fraud import convert
from recocore.service.fraud.problems import NoFraudError

if TYPE_CHECKING:
    from recocore.service.call import Call
    from recocore.service.fraud.asking import FraudClient
    from recocore.service.running import Awaited

FRAUD_SERVICE_NAME = "recocore.v1.FraudService"

# More bytes are decoded and encoded on a thread, so that they do not hold up the calls of others.
_INLINE_BYTES = 4_096


class FraudServicer:
    """FraudService; on one event loop.

    Args:
        fraud: asks the process that decides; None without one.
        key: what attribution tokens are signed with.
    """

    def __init__(self, fraud: FraudClient | None, key: bytes | None = None) -> None:
        self._fraud = fraud
        self._maker = RowMaker(key, known=True)

    def awaited(self) -> dict[str, Awaited]:
        """The methods by the names that the proto gives them."""
        return {
            "ScoreFraud": self.score,
            "BatchScoreFraud": self.score_batch,
            "ReportOutcome": self.report,
            "ListRules": self.list_rules,
            "ActivateRules": self.activate_rules,
            "GetDecision": self.get_decision,
            "ListRings": self.list_rings,
        }

    async def score(self, request: bytes, call: Call) -> bytes:
        """Decide on one event."""
        row, call.user_id = convert.decode_score(request, self._maker, convert.now_us())
        [scored] = await self._asked.score([row])
        return convert.encode_score(scored, call.request_id)

    async def score_batch(self, request: bytes, call: Call) -> bytes:
        """Decide on several, each or not by itself."""
        arguments = (request, self._maker, convert.now_us())
        inline = len(request) <= _INLINE_BYTES
        rows, places, errors = (
            convert.decode_batch(*arguments) if inline else await asyncio.to_thread(convert.decode_batch, *arguments)
        )
        fraud = self._asked
        call.checkpoint()
        scored = await fraud.score(rows) if rows else []
        told = (scored, places, errors, call.request_id)
        return convert.encode_batch(*told) if inline else await asyncio.to_thread(convert.encode_batch, *told)

    async def report(self, request: bytes, call: Call) -> bytes:
        """Take outcomes in."""
        reports, places, errors = convert.decode_report(request, convert.now_us())
        fraud = self._asked
        outcomes = await fraud.report(reports) if reports else []
        return convert.encode_report(outcomes, places, errors, call.request_id)

    async def list_rules(self, request: bytes, call: Call) -> bytes:
        """The rules that decide."""
        convert.decode_list_rules(request)
        return convert.encode_list_rules(await self._asked.rules(), call.request_id)

    async def activate_rules(self, request: bytes, call: Call) -> bytes:
        """Decide by other rules."""
        toml, expected, dry_run = convert.decode_activate(request)
        try:
            version, previous = await self._asked.activate(toml, expected, dry_run=dry_run)
        except InvalidArgumentError as error:
            raise convert.refused_rules(error) from error
        return convert.encode_activate(version, previous, call.request_id)

    async def get_decision(self, request: bytes, call: Call) -> bytes:
        """A decision and all that is known of it."""
        decision_id = convert.decode_get_decision(request)
        told = await self._asked.recall(decision_id)
        call.user_id = str(told["event"]["user_id"])
        return convert.encode_get_decision(told, call.request_id)

    async def list_rings(self, request: bytes, call: Call) -> bytes:
        """The rings that are known."""
        members = convert.decode_list_rings(request)
        told = await self._asked.rings(min(members, limits.MAX_RING_MEMBERS))
        return await asyncio.to_thread(convert.encode_list_rings, told, call.request_id)

    @property
    def _asked(self) -> FraudClient:
        if self._fraud is None:
            raise NoFraudError
        return self._fraud
