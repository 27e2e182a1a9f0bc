"""Real data as train and test, and the same way once more within train, to tune on.

The folders are those of the data sets' names under one data folder; nothing of them is part of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

from recocore import Interactions
from recocore.data import Split, hold_out, leave_last_out, split_by_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Of what there is to learn from, the share that tuning holds out of each user at random.
_VALIDATION_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Dataset:
    """How a data set is read and split.

    Attributes:
        file: that has to be there, under the data folder.
        about: the split, in words.
        read: the split, from the data folder.
        validate: a split of its training part, to tune on.
    """

    file: str
    about: str
    read: Callable[[Path], Split]
    validate: Callable[[Interactions], Split]


def _random(share: float) -> Callable[[Interactions], Split]:
    return lambda interactions: hold_out(interactions, share, seed=0)


def _matrix(users: Any, items: Any, shape: tuple[int, int]) -> Interactions:
    made = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    made.sum_duplicates()
    made.data[:] = 1
    return Interactions.from_csr(made)


def _gowalla(data: Path) -> Split:
    """The split of LightGCN, which others publish on."""
    parts = [pq.read_table(data / "gowalla" / f"{part}.parquet") for part in ("train", "test")]
    columns = [(part["user"].to_numpy(), part["item"].to_numpy()) for part in parts]
    n_users, n_items = (1 + max(int(part[axis].max()) for part in columns) for axis in (0, 1))
    train, test = (_matrix(*part, (n_users, n_items)) for part in columns)
    return Split(train, test)


def _beauty(data: Path) -> Split:
    log = pq.read_table(data / "amazon-beauty" / "sequences.parquet")
    return leave_last_out(_once(log["user"].to_numpy(), log["item"].to_numpy(), log["position"].to_numpy()))


def _movies(data: Path) -> Split:
    log = pq.read_table(data / "ml-latest-small" / "ratings.parquet")
    return hold_out(_once(log["user"].to_numpy(), log["item"].to_numpy()), 0.2, seed=0)


def _retail(data: Path) -> Split:
    log = pq.read_table(data / "online-retail" / "lines.parquet").drop_null()
    log = log.filter(np.asarray(log["Quantity"]) > 0)
    times = log["InvoiceDate"].to_numpy().astype("datetime64[us]").astype(np.int64)
    return split_by_time(_once(log["CustomerID"].to_numpy(), log["StockCode"].to_pylist(), times), fraction=0.2)


def _groceries(data: Path) -> Split:
    log = pq.read_table(data / "groceries" / "baskets.parquet")
    return hold_out(_once(log["transaction"].to_numpy(), log["item"].to_pylist()), 0.2, seed=0)


def _once(users: Any, items: Any, timestamps: Any = None) -> Interactions:
    """Every pair with the weight one, however often it met."""
    return Interactions.from_coo(users, items, timestamps=timestamps, duplicates="max")


DATASETS: dict[str, Dataset] = {
    "gowalla": Dataset("gowalla/train.parquet", "the published split", _gowalla, _random(_VALIDATION_SHARE)),
    "amazon-beauty": Dataset(
        "amazon-beauty/sequences.parquet", "each user's last purchase held out", _beauty, leave_last_out
    ),
    "ml-latest-small": Dataset(
        "ml-latest-small/ratings.parquet", "a fifth of each user's ratings held out at random", _movies, _random(0.2)
    ),
    "online-retail": Dataset(
        "online-retail/lines.parquet",
        "the last fifth of the pairs in time held out",
        _retail,
        lambda interactions: split_by_time(interactions, fraction=0.2),
    ),
    "groceries": Dataset(
        "groceries/baskets.parquet", "a fifth of each basket held out at random", _groceries, _random(0.2)
    ),
}
