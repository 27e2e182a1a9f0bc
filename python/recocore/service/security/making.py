"""From settings to the guard of one worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.service.logs import Pseudonyms
from recocore.service.security.audit_log import AuditLog
from recocore.service.security.auditing import Auditing

if TYPE_CHECKING:
    from recocore.service.observe.observer import CallObserver
    from recocore.service.security.config import Security
    from recocore.service.security.guard import Guard


def make_guard(security: Security, pseudonym_key: bytes | None, observer: CallObserver, chain: str) -> Guard | None:
    """The guard of a server; None where everybody may call and nothing is written down.

    Args:
        security: the settings.
        pseudonym_key: of the names that logs have for callers.
        observer: is told of denials.
        chain: the worker's part of the audit log.

    Raises:
        NotFoundError: a file is not there.
        InvalidArgumentError: a file cannot be used.
    """
    auth, audit = security.auth, security.audit
    if not auth.enabled and not audit.folder:
        return None
    # What checks credentials takes 0.1 s of a start.
    from recocore.service.security.authenticator import Authenticator  # noqa: PLC0415
    from recocore.service.security.guard import Guard  # noqa: PLC0415

    pseudonyms = Pseudonyms(pseudonym_key)
    return Guard(
        auth,
        Authenticator(auth, pseudonyms) if auth.enabled else None,
        bool(security.tls.client_ca_file),
        Auditing(AuditLog(audit, chain) if audit.folder else None, audit.denials_per_second),
        observer,
        pseudonyms,
    )
