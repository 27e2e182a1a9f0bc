"""A log of fraud from the command line: backups, with the process that decides running or without."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from recocore.cli.terminal import print_json
from recocore.data.paths import local_path
from recocore.errors import NotFoundError
from recocore.fraud.ledger import FraudLedger, back_up_ledger
from recocore.service.fraud.asking import FraudClient
from recocore.service.fraud.config import socket_path
from recocore.state import KeyFile
from recocore.state.folder import is_owned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
