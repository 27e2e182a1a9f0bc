"""Id maps as Arrow IPC files, mapped and not read."""

from __future__ import annotations

import mmap
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from recocore.data import IdMap
from recocore.errors import CorruptError, InvalidArgumentError

if TYPE_CHECKING:
    import io

    from recocore.storage.file_entry import FileEntry


def write_ids(sink: io.RawIOBase, ids: IdMap) -> None:
    """Write an id map."""
    table = ids.to_arrow()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def map_ids(source: IO[bytes], entry: FileEntry) -> IdMap:
    """Map the ids in an open file.

    Raises:
        CorruptError: not an Arrow file, not a valid one, or not the id map that the manifest names.
    """
    if not entry.size:
        raise CorruptError("not an Arrow file: it is empty")
    try:
        table = pa.ipc.open_file(pa.py_buffer(mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ))).read_all()
        table.validate(full=True)
        ids = IdMap.from_arrow(table)
    except (pa.ArrowException, OSError, InvalidArgumentError) as error:
        raise CorruptError(f"not a valid id map: {str(error)[:200]}") from error
    if (ids.kind, (len(ids),)) != (entry.dtype, entry.shape):
        raise CorruptError(f"holds {len(ids)} {ids.kind} ids, but the manifest says {entry.dtype} {list(entry.shape)}")
    return ids
