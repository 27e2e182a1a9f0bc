"""Reading an event log: the options that fit and evaluate share, and what they make of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar

import click
import pyarrow as pa
import pyarrow.compute as pc

from recocore.cli.parameters import duration, names, weights
from recocore.cli.terminal import note, table
from recocore.data import Cleaned, EventBatch, clean
from recocore.data.files import check_target, write_parquet
from recocore.data.paths import local_path
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.state import KeyFile, StateReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from rich.table import Table

    from recocore.state import UserRecord

_F = TypeVar("_F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to read a log's file."""

    columns: Mapping[str, str]
    drop_unmapped: bool
    time_unit: str | None
    timezone: str | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> Self:
        """Take these options out of all those of a command."""
        merged: dict[str, str] = {}
        for mapping in options.pop("columns"):
            merged |= mapping
        return cls(merged, **{field.name: options.pop(field.name) for field in fields(cls) if field.name != "columns"})

    def read_events(self, path: str) -> EventBatch:
        """Read a log as it is."""
        reader = EventBatch.from_csv if path.lower().endswith((".csv", ".csv.gz")) else EventBatch.from_parquet
        try:
            return reader(
                path,
                self.columns,
                drop_unmapped=self.drop_unmapped,
                time_unit=self.time_unit,  # type: ignore[arg-type]  # click checked the choice
                timezone=self.timezone,
            )
        except CorruptError as error:
            if reader == EventBatch.from_csv or path.lower().endswith(".parquet"):
                raise
            raise CorruptError(f"{error}; a file is read as CSV where its name ends in .csv or .csv.gz") from error


@dataclass(frozen=True, slots=True)
class LogOptions(SourceOptions):
    """How to read a log and what its events weigh."""

    weights: Mapping[str, float] | None
    half_life: timedelta | None

    def read(self, path: str, prepare: Callable[[EventBatch], EventBatch] | None = None) -> Cleaned:
        """Read a log and part it into sound events and a quarantine; `prepare` is called on it between."""
        events = self.read_events(path)
        return clean(events if prepare is None else prepare(events))

    def read_state(
        self, path: str, keys: str | None, prepare: Callable[[EventBatch], EventBatch] | None = None
    ) -> Cleaned:
        """Read the log of a state, which a service may be writing meanwhile, without those who are not to be learned from.

        Args:
            path: the state's folder.
            keys: the file of its master keys, where it is not beside it.
            prepare: is called on the log first: whom events belong to after that is asked for their consent.

        Raises:
            NotFoundError: there is no state.
            InvalidArgumentError: its log has no event, or none of somebody who may be learned from.
        """
        with StateReader.open(local_path(path), keys=KeyFile.open(keys) if keys else None) as reader:
            tables = [batch.table for batch in reader.events() if len(batch)]
            if not tables:
                raise InvalidArgumentError(f"--from-state: expected events, got none in {path}", field="from_state")
            whole = pa.concat_tables(tables, promote_options="default")
            if prepare is not None:
                whole = prepare(EventBatch(whole)).table
            users = pc.unique(whole.column("user_id")).drop_null().to_pylist()
            # Whoever was forgotten is not in the log as it is read.
            withdrawn = [user for user in users if not may_be_learned_from(reader.user(user))]
        if withdrawn:
            whole = whole.filter(pc.invert(pc.is_in(whole.column("user_id"), pa.array(withdrawn))))
        return clean(EventBatch.from_arrow(whole))


def joined_by(identities: str | None, as_of: datetime | None = None) -> Callable[[EventBatch], EventBatch] | None:
    """What puts events under the users that they belong to; None without a file of identities.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptError: it is damaged.
    """
    if identities is None:
        return None
    from recocore.profiles.identity import Identities  # noqa: PLC0415  # commands without it need none of the room

    known = Identities.load(identities)
    return lambda batch: known.apply(batch, as_of)


def may_be_learned_from(record: UserRecord | None) -> bool:
    """Whether a user has neither been forgotten nor withdrawn consent to personalization."""
    return record is None or (not record.forgotten and record.consent.get("personalization", True))


identities_option = click.option(
    "--identities", "identities_file", metavar="FILE", help="Merges of visitors and accounts, applied to the log first."
)


def source_options(command: _F) -> _F:
    """Add the options of `SourceOptions` to a command."""
    return _with(
        command,
        click.option(
            "--columns",
            type=names,
            metavar="NAME=SOURCE,...",
            multiple=True,
            help="What the file calls the schema's columns, such as user_id=customer,item_id=sku.",
        ),
        click.option("--drop-unmapped", is_flag=True, help="Leave out columns that the event schema lacks."),
        click.option(
            "--time-unit", type=click.Choice(["s", "ms", "us"]), help="Unit of times that are numbers since 1970."
        ),
        click.option("--timezone", metavar="ZONE", help="Zone of times without one, such as UTC or Asia/Shanghai."),
    )


def log_options(command: _F) -> _F:
    """Add the options of `LogOptions` to a command."""
    return source_options(
        _with(
            command,
            click.option(
                "--weights",
                type=weights,
                metavar="TYPE=WEIGHT,...",
                help="What an event of each type counts, such as view=1,buy=5; others are ignored.",
            ),
            click.option(
                "--half-life",
                type=duration,
                metavar="TIME",
                help="Age at which an event counts half, such as 30d or 12h.",
            ),
        )
    )


def _with(command: _F, *options: Callable[[_F], _F]) -> _F:
    for option in reversed(options):
        command = option(command)
    return command


def report_counts(cleaned: Cleaned) -> dict[str, Any]:
    """The counts of cleaning, as JSON holds them; reasons without a row are left out."""
    report = cleaned.report
    reasons = {str(reason): count for reason, count in report.counts.items() if count}
    return {"rows": report.rows_in, "sound": report.rows_clean, "set_aside": reasons}


def report_table(cleaned: Cleaned) -> Table:
    """The counts of cleaning for people."""
    report = cleaned.report
    shown = table("events", "rows")
    shown.add_row("read", f"{report.rows_in:,}")
    for reason, count in report.counts.items():
        if count:
            shown.add_row(f"  set aside: {reason.replace('_', ' ')}", f"{-count:,}", style="yellow")
    shown.add_row("sound", f"{report.rows_clean:,}", style="bold")
    return shown


def check_quarantine(path: str | None, events: str | None) -> None:
    """See that the rows that will be set aside can be written, if a path was given.

    Raises:
        InvalidArgumentError: the path is the log itself.
    """
    if path is None:
        return
    target = check_target(path)
    if events is None:
        return
    log = local_path(events)
    if target.exists() and log.exists() and target.samefile(log):
        raise InvalidArgumentError(
            f"quarantine: expected another file than the log, got {path}; name a new one", field="quarantine"
        )


def keep_quarantine(cleaned: Cleaned, path: str | None) -> None:
    """Write the rows that were set aside, if a path was given."""
    if path is not None:
        write_parquet(cleaned.quarantine, path)
        note(f"{cleaned.quarantine.num_rows:,} rows that were set aside are in {path}, each with its reason")
