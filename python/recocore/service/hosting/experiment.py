"""Who is in which variant: sticky by a salted hash, without anything to be stored."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recocore.service.hosting.config import ExperimentConfig

_HASHES = 1 << 64


class Split:
    """The variants of an experiment, cut from [0, 1) in their order."""

    def __init__(self, config: ExperimentConfig) -> None:
        self._salt = config.salt.encode()
        self._names = tuple(config.variants)
        # Borders as integers: what the shares leave open below 1 by rounding is the last one's.
        shares = [variant.share for variant in config.variants.values()]
        self._borders = [round(share * _HASHES) for share in accumulate(shares)][:-1]

    def variant_of(self, user_id: str) -> str:
        """The user's variant. O(length of the id).

        The user's place is the first 64 bits, big-endian, of SHA-256 over the salt and the id in UTF-8, divided by 2**64.

        Example:
            >>> from recocore.service.hosting.config import ExperimentConfig
            >>> halves = {"a": {"alias": "stable", "share": 0.5}, "b": {"alias": "canary", "share": 0.5}}
            >>> split = Split(ExperimentConfig("x", "salt", halves))
            >>> [split.variant_of(user) for user in ("ann", "bob", "eve")]
            ['a', 'a', 'b']
        """
        place = int.from_bytes(hashlib.sha256(self._salt + user_id.encode()).digest()[:8], "big")
        return self._names[bisect_right(self._borders, place)]
