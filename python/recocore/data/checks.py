"""Checks of numbers that several functions take."""

from __future__ import annotations

from typing import Any

import numpy as np

from recocore.errors import InvalidArgumentError


def is_whole(value: Any) -> bool:
    """Whether a value is an integer; True and False are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_finite_number(value: Any) -> bool:
    """Whether a value is an integer or a finite float."""
    return is_whole(value) or (isinstance(value, (float, np.floating)) and bool(np.isfinite(value)))


def check_share(value: Any, argument: str) -> None:
    """Refuse what is not a number strictly between 0 and 1."""
    if not is_finite_number(value) or not 0 < value < 1:
        raise InvalidArgumentError(f"{argument}: expected a number in (0, 1), got {value!r}", field=argument)
