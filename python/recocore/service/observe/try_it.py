"""Asks the service for one user's recommendations, as any caller would."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from recocore.service.security.config import TlsConfig

if TYPE_CHECKING:
    from recocore.client import Client
    from recocore.service.security.tls import OwnCredentials

_TIMEOUT_SECONDS = 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


class TryIt:
    """One client, made when it is first asked: gRPC takes memory that a service nobody tries need not spend.

    Args:
        tls: how the service is encrypted; by default it is not.
    """

    def __init__(self, tls: TlsConfig | None = None) -> None:
        self._tls = tls or TlsConfig()
        self._credentials: OwnCredentials | None = None
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._address = ""

    def recommend(self, address: str, user_id: str, page_size: int) -> dict[str, Any]:
        """The items with scores, sources and reasons, as JSON can hold them; `error` where the call failed.

        Args:
            address: where the service listens.
            user_id: any text; the service says what it does not take.
            page_size: how many items.
        """
        from recocore.client import ServiceError  # noqa: PLC0415  (see the class)
        from recocore.errors import InvalidArgumentError  # noqa: PLC0415

        try:
            answer = self._client_of(address).recommend(user_id, page_size, explain=True)
        except ServiceError as error:
            return {"error": {"status": error.status, "message": error.message, "request_id": error.request_id}}
        except InvalidArgumentError as error:
            return {"error": {"status": "INVALID_ARGUMENT", "message": str(error), "request_id": ""}}
        return {
            "items": [
                {
                    "item_id": item.item_id,
                    "score": item.score,
                    "source": item.source,
                    "reasons": [{"item_id": reason.item_id, "weight": reason.weight} for reason in item.reasons],
                }
                for item in answer.items
            ],
            "served_model": answer.served_model,
            "fallback_used": str(answer.fallback_used),
            "known": user_id not in answer.missing_ids,
            "request_id": answer.request_id,
        }

    def _client_of(self, address: str) -> Client:
        from recocore.client import Client  # noqa: PLC0415

        with self._lock:
            if self._tls.is_on and self._credentials is None:
                from recocore.service.security.tls import OwnCredentials  # noqa: PLC0415

                self._credentials = OwnCredentials(self._tls)
            changed = self._credentials is not None and self._credentials.look()
            if self._client is None or address != self._address or changed:
                if self._client is not None:
                    self._client.close()
                host, _, port = address.rpartition(":")
                made, names = self._credentials.value if self._credentials is not None else (None, ())
                self._client = Client(
                    f"{_EVERYWHERE.get(host, host)}:{port}",
                    timeout=_TIMEOUT_SECONDS,
                    retries=0,
                    credentials=made,
                    options=names,
                )
                self._address = address
            return self._client
