"""Reading and writing event files; every failure is one line that names the file."""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from recocore.data.paths import local_path
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    AnyPath = str | os.PathLike[str]

_LONGEST_CSV_ROW = 16 << 20
_LONGEST_REASON = 200

# Text that stands for "nothing" in an unquoted CSV field; "NA" is left out, being the code of Namibia.
_CSV_NULLS = ["", "NULL", "null", "NaN", "nan"]


def _arrow_path(path: AnyPath) -> str:
    name = str(local_path(path))
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"path: expected a name in UTF-8, got {name!r}; rename it", field="path") from None
    return name


@contextmanager
def _naming(path: str, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such {what} file") from None
    except PermissionError:
        raise InvalidArgumentError(f"{path}: permission denied", field="path") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else _first_line(error)
        raise CorruptError(f"{path}: cannot be read as {what}: {reason}") from None


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"


def open_parquet(path: AnyPath) -> Any:
    """A Parquet file or a folder of them, with its schema read."""
    from pyarrow import fs, parquet  # noqa: PLC0415  # late: who serves has the module, and reads no such file

    name = _arrow_path(path)
    with _naming(name, "Parquet"):
        if not stat.S_ISREG(mode := os.stat(name).st_mode) and not stat.S_ISDIR(mode):
            raise InvalidArgumentError(
                f"{name}: expected a Parquet file or a folder of them, got a device or a pipe", field="path"
            )
        return parquet.ParquetDataset(name, filesystem=fs.LocalFileSystem())


def read_parquet(source: Any, path: AnyPath, columns: list[str]) -> pa.Table:
    """The named columns of what `open_parquet` returned."""
    with _naming(str(path), "Parquet"):
        return source.read(columns=columns)


def read_csv(path: AnyPath, types: dict[str, pa.DataType]) -> pa.Table:
    """A CSV file with a header; `types` of columns that it lacks are ignored."""
    name = _arrow_path(path)
    with _naming(name, "CSV"):
        try:
            table = _parse_csv(name, types, use_threads=True)
            table.schema.names  # noqa: B018  # decodes the header
            return table
        except pa.ArrowInvalid as error:
            raise CorruptError(f"{name}: cannot be read as CSV: {_csv_fault(name, types, error)}") from None


def _parse_csv(name: str, types: dict[str, pa.DataType], *, use_threads: bool) -> pa.Table:
    from pyarrow import csv  # noqa: PLC0415  # late, as above

    return csv.read_csv(
        name,
        read_options=csv.ReadOptions(use_threads=use_threads, block_size=_LONGEST_CSV_ROW),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=_CSV_NULLS, strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def _csv_fault(name: str, types: dict[str, pa.DataType], error: Exception) -> str:
    """What is wrong with a CSV file, and where: the file is read once more, as only one thread alone counts rows."""
    if "straddl" in str(error):
        return f"a row is longer than {_LONGEST_CSV_ROW >> 20} MiB; is a quotation mark left open?"
    if os.path.isfile(name):
        try:
            _parse_csv(name, types, use_threads=False)
        except pa.ArrowInvalid as placed:
            error = placed
    match = re.match(r"In CSV column #(\d+): (?:Row #(\d+): )?", reason := _first_line(error))
    if match is None or not os.path.isfile(name):
        return reason
    from pyarrow import csv  # noqa: PLC0415  # late, as above

    column = csv.open_csv(name).schema.names[int(match[1])]
    row = f", row {match[2]} (the header is row 1)" if match[2] else ""
    return f"column {column!r}{row}: {reason[match.end() :]}"


def check_target(path: AnyPath) -> Path:
    """See that a file may be written here, before the work for it is done.

    Raises:
        NotFoundError: the folder is not there.
        InvalidArgumentError: a folder has this name.
    """
    target = local_path(path)
    if not target.parent.is_dir():
        raise NotFoundError(f"{target}: its folder does not exist; create {target.parent} first")
    if target.is_dir():
        raise InvalidArgumentError(f"path: {target} is a folder; name a file", field="path")
    return target


def write_parquet(table: pa.Table, path: AnyPath) -> None:
    """Write beside `path`, flush to the disk, then rename over it.

    Raises:
        NotFoundError: the folder is not there.
        InvalidArgumentError: a folder has this name.
    """
    from pyarrow import parquet  # noqa: PLC0415  # late, as above

    target = check_target(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            parquet.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
