"""User-weighted dimensions: one number a user, from tags grouped by what they speak of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.checks import is_finite_number
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.profiles.tags.tag_set import TagSet
    from recocore.profiles.tags.tag_table import TagTable


def dimension_scores(
    tags: TagSet, given: TagTable, users: pa.ChunkedArray, own: Mapping[Any, Mapping[str, float]] | None = None
) -> pa.Table:
    """Each user's score in each dimension, and their weighted mean.

    The score s_d of a dimension is the mean weight of its tags, 0 for those that the user lacks. The whole is
    Σ ω_d s_d / Σ ω_d, with the dimension's weight ω_d of the set, or the user's own. O(users x dimensions + tags given).

    Args:
        tags: the definitions, whose `dimensions` say the weights for everybody.
        given: the tags of the users, as `tags.apply` gave them.
        users: who to score, such as `features.users`; one without tags scores 0.
        own: user → dimension → a weight of at least 0 in place of the set's; those not named keep the set's.

    Returns:
        `user_id`, a column of float64 for each dimension by its name, and `score`.

    Raises:
        InvalidArgumentError: no dimensions, or own weights that are negative, all 0 or of an unknown dimension.

    Example:
        >>> from datetime import UTC, datetime
        >>> from recocore.profiles.features import Features
        >>> from recocore.profiles.tags.tag_set import TagSet
        >>> features = Features(pa.table({"user_id": ["ann", "bob"], "level": [95, 40], "n_orders": [7, 9]}))
        >>> tags = TagSet.parse({"dimensions": {"money": 3, "loyalty": 1}, "tags": [
        ...     {"name": "rich", "when": "level >= 90", "dimension": "money"},
        ...     {"name": "loyal", "when": "n_orders >= 5", "dimension": "loyalty"}]}, features.kinds)
        >>> given = tags.apply(features, at=datetime(2026, 3, 1, tzinfo=UTC))
        >>> dimension_scores(tags, given, features.users, own={"bob": {"loyalty": 3}}).to_pydict()
        {'user_id': ['ann', 'bob'], 'money': [1.0, 0.0], 'loyalty': [1.0, 1.0], 'score': [1.0, 0.5]}
    """
    names = list(tags.dimensions)
    if not names:
        raise InvalidArgumentError("tags: expected a set with dimensions; name them under [dimensions]", field="tags")
    of_tag = {tag.name: tag.dimension for tag in tags.definitions}
    sizes = Counter(of_tag.values())
    rows = pc.index_in(given.table.column("user_id"), value_set=users.combine_chunks())
    places = np.asarray(pc.fill_null(rows, -1).to_numpy(), np.int64)
    weights = given.table.column("weight").to_numpy()
    dimensions = np.array(
        [names.index(d) if (d := of_tag.get(name, "")) else -1 for name in given.table.column("name").to_pylist()],
        np.int64,
    )
    scores = np.zeros((len(users), len(names)))
    sound = (places >= 0) & (dimensions >= 0)
    np.add.at(scores, (places[sound], dimensions[sound]), weights[sound])
    scores /= [max(1, sizes[name]) for name in names]
    shares = np.tile(np.array([float(tags.dimensions[name]) for name in names]), (len(users), 1))
    for user, theirs in (own or {}).items():
        at = int(pc.index(users, pa.scalar(user, users.type)).as_py())
        for name, weight in theirs.items():
            if name not in names or not is_finite_number(weight) or weight < 0:
                raise InvalidArgumentError(
                    f"own: expected weights of at least 0 for {', '.join(names)}, got {name}={weight!r} of {user!r}",
                    field="own",
                )
            if at >= 0:
                shares[at, names.index(name)] = weight
        if at >= 0 and not shares[at].any():
            raise InvalidArgumentError(f"own: expected a weight above 0 of {user!r}, got only zeros", field="own")
    whole = (scores * shares).sum(axis=1) / shares.sum(axis=1)
    columns = {name: scores[:, place] for place, name in enumerate(names)}
    return pa.table({"user_id": users, **columns, "score": whole})
