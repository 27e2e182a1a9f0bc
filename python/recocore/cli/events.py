"""Reading an event log: the options that fit and evaluate share, and what they make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from recocore.cli.parameters import duration, names, weights
from recocore.cli.terminal import note, table
from recocore.data import Cleaned, EventBatch, clean
from recocore.data.files import check_target, write_parquet
from recocore.data.paths import local_path
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from rich.table import Table

_F = TypeVar("_F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to read a log's file."""

    columns: Mapping[str, str]
    drop_unmapped: bool
    time_unit: str | None
    timezone: str | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> SourceOptions:
        """Take these options out of all those of a command."""
        merged: dict[str, str] = {}
        for mapping in options.pop("columns"):
            merged |= mapping
        return cls(merged, *(options.pop(name) for name in ("drop_unmapped", "time_unit", "timezone")))

    def read(self, path: str) -> EventBatch:
        """Read a log as it is."""
        reader = EventBatch.from_csv if path.lower().endswith((".csv", ".csv.gz")) else EventBatch.from_parquet
        return reader(
            path,
            self.columns,
            drop_unmapped=self.drop_unmapped,
            time_unit=self.time_unit,  # type: ignore[arg-type]  # click checked the choice
            timezone=self.timezone,
        )


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How to read a log and what its events weigh."""

    source: SourceOptions
    weights: Mapping[str, float] | None
    half_life: timedelta | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> LogOptions:
        """Take these options out of all those of a command."""
        return cls(SourceOptions.take(options), options.pop("weights"), options.pop("half_life"))

    def read(self, path: str) -> Cleaned:
        """Read a log and part it into sound events and a quarantine."""
        return clean(self.source.read(path))


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
    command = _with(
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
    return source_options(command)


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


def check_quarantine(path: str | None, events: str) -> None:
    """See that the rows that will be set aside can be written, if a path was given.

    Raises:
        InvalidArgumentError: the path is the log itself.
    """
    if path is None:
        return
    target, log = check_target(path), local_path(events)
    if target.exists() and log.exists() and target.samefile(log):
        raise InvalidArgumentError(
            f"quarantine: expected another file than the log, got {path}; name a new one", field="quarantine"
        )


def keep_quarantine(cleaned: Cleaned, path: str | None) -> None:
    """Write the rows that were set aside, if a path was given."""
    if path is not None:
        write_parquet(cleaned.quarantine, path)
        note(f"{cleaned.quarantine.num_rows:,} rows that were set aside are in {path}, each with its reason")
