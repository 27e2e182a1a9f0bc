"""RFM: recency, frequency and money as scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.events import as_table
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import integer
from recocore.profiles.cuts import CutPoints, apply_cuts, fit_cuts
from recocore.profiles.table import ProfileTable

if TYPE_CHECKING:
    from recocore.types import AnyArray


def rfm(table: Any, bins: int = 5, cuts: CutPoints | None = None) -> pa.Table:
    """Score recency, frequency and money from 1 to `bins`, best last.

    `p = (n_< + ½·n_=) / n`, score `1 + min(bins - 1, ⌊bins·p⌋)`, so that ties always share one; recency is reversed. With
    `cuts` a score is `1 + #{cuts ≤ value}` instead, and `bins` is not used.

    Args:
        table: a `ProfileTable`, whose users without a purchase are left out; or Arrow (or what exports it) with the columns
            user_id, recency (days, less is better), frequency and monetary.
        bins: how many scores.
        cuts: frozen cut points, of `rfm_cuts` or written down.

    Returns:
        user_id, recency, frequency, monetary, the scores r, f and m (int64), and rfm, such as "5-4-2".

    Raises:
        InvalidArgumentError: a column is missing, or holds nulls or NaN.

    Example:
        >>> users = pa.table({"user_id": ["ann", "bob", "cat"], "recency": [1.0, 1.0, 40.0],
        ...                   "frequency": [9, 2, 1], "monetary": [500, 500, 20]})
        >>> rfm(users, bins=3).column("rfm").to_pylist()
        ['2-3-3', '2-2-3', '1-1-1']
    """
    users, raw = _raw(table)
    if cuts is None:
        cuts = _cuts(raw, integer(bins, "bins", 1))
    recency, frequency, monetary = raw
    scores = {
        "r": len(cuts.recency) + 2 - apply_cuts(recency, cuts.recency),
        "f": apply_cuts(frequency, cuts.frequency),
        "m": apply_cuts(monetary, cuts.monetary),
    }
    texts = [pc.cast(pa.array(score), pa.string()) for score in scores.values()]
    columns = {"user_id": users, "recency": recency, "frequency": frequency, "monetary": monetary, **scores}
    return pa.table({**columns, "rfm": pc.binary_join_element_wise(*texts, "-")})


def rfm_cuts(table: Any, bins: int = 5) -> CutPoints:
    """The cut points at which `rfm(table, bins)` rises: freeze them to score others, or later, alike.

    Example:
        >>> users = pa.table({"user_id": ["ann", "bob"], "recency": [1.0, 40.0], "frequency": [9, 1], "monetary": [5, 2]})
        >>> rfm_cuts(users, bins=2).frequency
        (9.0,)
    """
    _, raw = _raw(table)
    return _cuts(raw, integer(bins, "bins", 1))


def _cuts(raw: tuple[AnyArray, AnyArray, AnyArray], bins: int) -> CutPoints:
    recency, frequency, monetary = (fit_cuts(values, bins) for values in raw)
    return CutPoints(recency=recency, frequency=frequency, monetary=monetary)


def _raw(table: Any) -> tuple[pa.ChunkedArray, tuple[AnyArray, AnyArray, AnyArray]]:
    if isinstance(table, ProfileTable):
        source = table.table.filter(pc.greater(table.table.column("n_purchases"), 0))
        names = ("rfm_recency", "rfm_frequency", "rfm_monetary")
    else:
        source = as_table(table)
        names = ("recency", "frequency", "monetary")
    absent = [name for name in ("user_id", *names) if name not in source.column_names]
    if absent:
        raise InvalidArgumentError(
            f"table: expected columns user_id, {', '.join(names)}, {absent[0]} is missing; "
            "pass a ProfileTable, or rename yours",
            field="table",
        )
    values = []
    for name in names:
        column = source.column(name)
        taken = column.to_numpy()
        if column.null_count or taken.dtype.kind not in "iuf" or not np.isfinite(taken).all():
            raise InvalidArgumentError(
                f"table: expected finite numbers in {name}, got {column.type} with gaps", field=name
            )
        values.append(taken)
    return source.column("user_id"), (values[0], values[1], values[2])
