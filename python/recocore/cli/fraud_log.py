"""A log of fraud from the command line: its events and outcomes, backups; with the process that decides running or without."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recocore.cli.terminal import json_option, print_json
from recocore.data.paths import local_path
from recocore.errors import NotFoundError
from recocore.fraud.ledger import FraudLedger, back_up_ledger, export_ledger
from recocore.service.fraud.asking import FraudClient
from recocore.service.fraud.config import socket_path
from recocore.state import KeyFile, restore
from recocore.state.folder import is_owned

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of a backup, where the log of fraud is.
FRAUD = "fraud"


def back_up_log(log: Path, backup: Path, keys: Path | None) -> dict[str, int]:
    """Copy a log to a part of a backup, by the process that decides where one runs.

    Raises:
        NotFoundError: there is no log.
    """
    path, dest = local_path(log), (backup / FRAUD).absolute()
    if not (path / "state.json").exists():
        raise NotFoundError(f"{path}: there is no log of fraud here; `recocore serve` with [fraud] path makes one")
    backup.mkdir(mode=0o700, exist_ok=True)
    if not is_owned(path):
        ledger = FraudLedger.open(path, None if keys is None else KeyFile.open(keys))
        try:
            return back_up_ledger(ledger, dest)
        finally:
            ledger.close()

    async def ask() -> dict[str, int]:
        client = FraudClient(socket_path(str(path)))
        try:
            return await client.backup(str(dest))
        finally:
            await client.close()

    return asyncio.run(ask())


def say_copied(done: Mapping[str, Mapping[str, int]], *, as_json: bool) -> None:
    """Print what each part of a backup has."""
    if as_json:
        print_json(done)
        return
    for name, counts in done.items():
        click.echo(f"{name}: {counts['files']:,} files, {counts['copied']:,} copied, {counts['bytes']:,} bytes in all")


@click.command("export")
@click.argument("log", metavar="LOG")
@click.option("--out", required=True, metavar="FILE", help="The events, a Parquet file.")
@click.option("--labels", metavar="FILE", help="What was reported of them, a CSV file that fit and backtest read.")
@click.option("--keys", metavar="FILE", help="The file of master keys, where it is not beside the log.")
@json_option
def export_command(log: str, out: str, labels: str | None, keys: str | None, as_json: bool) -> None:
    """Write the events of a service's LOG ([fraud] path), and the outcomes reported of them, to fit the next model on.

    The service may be writing it. The files are not encrypted.

    \b
    Example:
      recocore fraud export fraud-log/ --out scored.parquet --labels outcomes.csv
      recocore fraud fit scored.parquet --labels outcomes.csv --label-cut 2026-07-01T00:00:00Z --out next-model/
    """
    events, reports = export_ledger(log, out, labels, keys=KeyFile.open(keys) if keys else None)
    if as_json:
        print_json({"events": events, "reports": reports})
        return
    click.echo(f"{events:,} events, {reports:,} reports on them")


@click.command("backup")
@click.argument("log", metavar="LOG", type=click.Path(path_type=Path))
@click.argument("backup", metavar="BACKUP", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), metavar="FILE", help="The master keys.  [default: LOG.key]")
@json_option
def backup_command(log: Path, backup: Path, keys: Path | None, as_json: bool) -> None:
    """Copy a service's LOG ([fraud] path) to the folder BACKUP while it is used; what is there is not copied again.

    `recocore state backup --fraud LOG` does it with the state. The master keys are not in it: keep a copy of LOG.key elsewhere.

    \b
    Example:
      recocore fraud backup fraud-log/ backup/
    """
    say_copied({FRAUD: back_up_log(log, backup, keys)}, as_json=as_json)


@click.command("restore")
@click.argument("backup", metavar="BACKUP", type=click.Path(path_type=Path))
@click.argument("log", metavar="LOG", type=click.Path(path_type=Path))
def restore_command(backup: Path, log: Path) -> None:
    """Restore the log of BACKUP to LOG, a new folder. Every file is checked; a damaged one is named.

    \b
    Example:
      recocore fraud restore backup/ fraud-log/
    """
    restore(backup / FRAUD, log)
    click.echo(f"restored {log}")
