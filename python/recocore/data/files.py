"""Reading and writing event files; every failure is one line that names the file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    AnyPath = str | os.PathLike[str]

# Text that stands for "nothing" in an unquoted CSV field; "NA" is left out, being the code of Namibia.
_CSV_NULLS = ["", "NULL", "null", "NaN", "nan"]


@contextmanager
def _naming(path: AnyPath, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"{os.fspath(path)}: no such {what} file") from None
    except PermissionError:
        raise InvalidArgumentError(f"{os.fspath(path)}: permission denied", field="path") from None
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CorruptError(f"{os.fspath(path)}: cannot be read as {what}: {reason}") from None


def open_parquet(path: AnyPath) -> Any:
    """A Parquet file or a folder of them, with its schema read."""
    with _naming(path, "Parquet"):
        return pq.ParquetDataset(os.fspath(path))


def read_parquet(source: Any, path: AnyPath, columns: list[str]) -> pa.Table:
    """The named columns of what `open_parquet` returned."""
    with _naming(path, "Parquet"):
        return source.read(columns=columns)


def read_csv(path: AnyPath, types: dict[str, pa.DataType]) -> pa.Table:
    """A CSV file with a header; `types` of columns that it lacks are ignored."""
    with _naming(path, "CSV"):
        return pa.csv.read_csv(
            os.fspath(path),
            convert_options=pa.csv.ConvertOptions(
                column_types=types, null_values=_CSV_NULLS, strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )


def write_parquet(table: pa.Table, path: AnyPath) -> None:
    """Write beside `path`, flush to the disk, then rename over it.

    Raises:
        NotFoundError: the folder is not there.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise NotFoundError(f"{target}: its folder does not exist; create {target.parent} first")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
