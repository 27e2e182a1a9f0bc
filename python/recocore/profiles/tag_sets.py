"""The tags of an event as one name, which stands for the set of them; see cpp/include/recocore/name_sets.hpp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from recocore.errors import InvalidArgumentError
from recocore.profiles.codes import codes, renamed
from recocore.profiles.config import TAGS_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recocore.types import Int32Array

# Between the tags of a set, as the extension has it: ASCII separates units of text by it.
SEPARATOR: Final = "\x1f"


def set_name(tags: Any) -> str | None:
    """The name of a list of tags, None where there is no tag in it.

    Raises:
        InvalidArgumentError: no list of texts, an empty text, or one with the separator.

    Example:
        >>> set_name(["red", "cotton", "red"]).split(SEPARATOR)
        ['cotton', 'red']
    """
    if tags is None:
        return None
    if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidArgumentError(f"{TAGS_COLUMN}: expected a list of strings, got {tags!r:.80}", field=TAGS_COLUMN)
    for tag in tags:
        if not tag or SEPARATOR in tag:
            raise _refused(tag)
    return _joined(tags) or None


def tag_sets(column: pa.ChunkedArray) -> tuple[Int32Array, pa.Array]:
    """int32 codes of the sets of tags, -1 where there is none, and the sets' names by code. O(tags).

    Raises:
        InvalidArgumentError: a tag that is null, empty, or has the separator in it.
    """
    tags = pc.list_flatten(column)
    wrong = pc.fill_null(pc.or_(pc.equal(tags, ""), pc.match_substring(tags, SEPARATOR)), True)
    if (place := int(pc.index(wrong, True).as_py())) >= 0:
        raise _refused(tags[place].as_py())
    coded, names = codes(pc.binary_join(column, SEPARATOR))
    return renamed(coded, pa.array([_joined(name.split(SEPARATOR)) for name in names.to_pylist()], pa.string()))


def _joined(tags: Iterable[str]) -> str:
    # Python orders texts by code points, as their UTF-8 is ordered by bytes.
    return SEPARATOR.join(sorted(set(tags)))


def _refused(tag: str | None) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{TAGS_COLUMN}: expected tags that are texts, not empty and without U+001F, got {tag!r:.80}; leave such tags out",
        field=TAGS_COLUMN,
    )
