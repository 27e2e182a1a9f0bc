"""What answers say of themselves, and which model gives them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from recocore.errors import NotFoundError
from recocore.service.attribution import encode_parts
from recocore.service.hosting.choice import ModelChoice
from recocore.service.hosting.host import ModelNotLoadedError
from recocore.service.problems import PageExpiredError
from recocore.service.queries import Served

if TYPE_CHECKING:
    from recocore.service.call import Call
    from recocore.service.hosting.host import Hosted, Models
    from recocore.service.observe.observer import ServedBy
    from recocore.service.queries import RecommendQuery, SimilarItemsQuery


def pick(models: Models, query: RecommendQuery | SimilarItemsQuery, user_id: str | None) -> Hosted:
    """What answers a query: for a further page the version that ranked those before.

    Raises:
        NotFoundError: there is no such alias or variant.
        ModelNotLoadedError: the version is not loaded.
        PageExpiredError: that of the page is not.
    """
    page = query.page
    if page is None:
        return models.pick(query.model, user_id)
    with suppress(NotFoundError, ModelNotLoadedError):
        # Mostly nothing has moved meanwhile; then the page is of the same variant of an experiment, too.
        picked = models.pick(query.model, user_id)
        if picked.version == page.version:
            return picked
    try:
        return models.pick(ModelChoice(version=page.version), user_id)
    except ModelNotLoadedError:
        raise PageExpiredError(page.version) from None


def served(hosted: ServedBy, call: Call, key: bytes | None = None) -> Served:
    """What an answer to a call says of itself; `key` signs its attribution token."""
    token = attribution_token(hosted, call, key)
    return Served(hosted.version, call.request_id, token, hosted.experiment, hosted.variant)


def attribution_token(hosted: ServedBy, call: Call, key: bytes | None = None) -> str:
    """The token of an answer to a call that is given now."""
    milliseconds = time.time_ns() // 1_000_000
    return encode_parts(milliseconds, call.request_id, (hosted.version, hosted.experiment, hosted.variant), key)
