"""`recocore state`: what a state holds, people's rights, and its upkeep, with the owner running or without."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recocore.cli.fraud_log import FRAUD, back_up_log, say_copied
from recocore.cli.parameters import duration
from recocore.cli.terminal import Group, json_option, print_json, progress
from recocore.data.paths import local_path
from recocore.errors import NotFoundError
from recocore.state import KeyFile, StateReader, StateStore, back_up_registry, check_backup, restore
from recocore.state.folder import SOCKET, is_owned
from recocore.state.owner_client import OwnerClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

_keys = click.option(
    "--keys", type=click.Path(path_type=Path), metavar="FILE", help="The file of master keys.  [default: STATE.key]"
)
_visitor = click.option("--visitor", is_flag=True, help="The id is a visitor_id.")
_PARTS = ("state", "registry", FRAUD)
_fraud = click.option(
    "--fraud", type=click.Path(path_type=Path), metavar="LOG", help="Back up this log of fraud ([fraud] path) as well."
)
_state = click.argument("state", metavar="STATE", type=click.Path(path_type=Path))


@click.group("state", cls=Group)
def command() -> None:
    """Look into STATE, the folder of events and users' records, and keep it in order.

    Where an owner runs, as under `recocore serve`, it is asked; otherwise the folder is opened. Master keys lie in STATE.key.

    \b
    Examples:
      recocore state info state/
      recocore state export state/ ann > ann.json
      recocore state forget state/ ann
      recocore state backup state/ backup/ --registry models/ --fraud fraud-log/
      recocore state restore backup/ state/
    """


@command.command("info")
@_state
@_keys
@json_option
def info(state: Path, keys: Path | None, as_json: bool) -> None:
    """Say how much STATE holds.

    \b
    Examples:
      recocore state info state/
    """
    stats = _ask(state, keys, lambda store: store.stats(), lambda owner: owner.stats())
    if as_json:
        print_json(asdict(stats))
        return
    for name, value in asdict(stats).items():
        click.echo(f"{name.replace('_', ' ')}: {value:,}")


@command.command("export")
@_state
@click.argument("user_id", metavar="USER")
@_visitor
@_keys
def export(state: Path, user_id: str, visitor: bool, keys: Path | None) -> None:
    """Print everything that STATE holds of USER, as JSON.

    \b
    Examples:
      recocore state export state/ ann
    """
    print_json(
        _ask(
            state,
            keys,
            lambda store: store.export_user(user_id, visitor=visitor),
            lambda owner: owner.export_user(user_id, visitor=visitor),
        )
    )


@command.command("forget")
@_state
@click.argument("user_id", metavar="USER")
@_visitor
@_keys
@json_option
def forget(state: Path, user_id: str, visitor: bool, keys: Path | None, as_json: bool) -> None:
    """Destroy the key and the record of USER, and take no event of USER from now on. There is no way back.

    Run `backup` again afterwards, so that the backup forgets too, and `compact` to take away what nobody can read any longer.

    \b
    Examples:
      recocore state forget state/ ann
    """
    receipt = _ask(
        state,
        keys,
        lambda store: store.forget(user_id, visitor=visitor),
        lambda owner: owner.forget(user_id, visitor=visitor),
    )
    if as_json:
        print_json(asdict(receipt))
    else:
        what = "the key is destroyed" if receipt.key_destroyed else "there was no key"
        click.echo(f"forgotten {receipt.time} as {receipt.subject}, commit {receipt.commit}: {what}")


@command.command("events")
@_state
@click.argument("target", metavar="FILE")
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="The first event_time, as 2026-01-31T00:00:00+0000."
)
@click.option("--end", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="The event_time before which it ends.")
@_keys
def events(state: Path, target: str, start: Any, end: Any, keys: Path | None) -> None:
    """Write the events of STATE to FILE, as Parquet; they are not encrypted there.

    \b
    Examples:
      recocore state events state/ january.parquet --start 2026-01-01T00:00:00+0000 --end 2026-02-01T00:00:00+0000
    """
    with StateReader.open(state, keys=_key_file(keys)) as reader:
        click.echo(f"wrote {reader.export_parquet(target, start, end):,} events to {target}")


@command.command("retain")
@_state
@click.argument("max_age", metavar="AGE", callback=lambda _, __, value: duration(value))
@_keys
@json_option
def retain(state: Path, max_age: timedelta, keys: Path | None, as_json: bool) -> None:
    """Drop events older than AGE, such as 400d, from log and records, and take none so old from now on.

    \b
    Examples:
      recocore state retain state/ 400d
    """
    dropped = _ask(
        state, keys, lambda store: store.retain(max_age), lambda owner: owner.retain(max_age.total_seconds())
    )
    _say(as_json, {"dropped": dropped}, f"dropped {dropped:,} events")


@command.command("compact")
@_state
@_keys
@json_option
def compact(state: Path, keys: Path | None, as_json: bool) -> None:
    """Write the log of STATE anew without what nobody can read any longer.

    \b
    Examples:
      recocore state compact state/
    """
    freed = _ask(state, keys, lambda store: store.compact(), lambda owner: owner.compact())
    _say(as_json, {"freed": freed}, f"freed {freed:,} bytes")


@command.command("rotate")
@_state
@click.option("--drop-old", is_flag=True, help="Delete older keys: backups made before cannot be read any longer.")
@_keys
@json_option
def rotate(state: Path, drop_old: bool, keys: Path | None, as_json: bool) -> None:
    """Make a new master key and wrap every user's key with it.

    \b
    Examples:
      recocore state rotate state/
    """
    number = _ask(
        state,
        keys,
        lambda store: store.rotate_master_key(drop_old=drop_old),
        lambda owner: owner.rotate_master_key(drop_old=drop_old),
    )
    _say(as_json, {"master_key": number}, f"master key {number} wraps every user's key")


@command.command("verify")
@_state
@click.option("--rebuild", is_flag=True, help="Make the records again from the log first.")
@_keys
@json_option
def verify(state: Path, rebuild: bool, keys: Path | None, as_json: bool) -> None:
    """Read all of STATE, which must have no owner, and compare every checksum. A backup is verified too.

    \b
    Examples:
      recocore state verify state/
      recocore state verify backup/
    """
    if (not rebuild and (state / "manifest.json").exists()) or any((state / name).is_dir() for name in _PARTS):
        parts = [part for part in (state, *(state / name for name in _PARTS)) if (part / "manifest.json").exists()]
        files = sum(check_backup(part) for part in parts)
        _say(as_json, {"files": files}, f"{files:,} files are as they were written")
        return
    with StateStore.open(_there(state), keys=_key_file(keys)) as store:
        if rebuild:
            store.rebuild()
        events = store.verify()
    _say(as_json, {"events": events}, f"{events:,} events and every record are as they were written")


@command.command("backup")
@_state
@click.argument("backup", metavar="BACKUP", type=click.Path(path_type=Path))
@click.option(
    "--registry", type=click.Path(path_type=Path), metavar="FOLDER", help="Back this registry of models up as well."
)
@_fraud
@_keys
@json_option
def backup(
    state: Path, backup: Path, registry: Path | None, fraud: Path | None, keys: Path | None, as_json: bool
) -> None:
    """Copy STATE, a registry and a log of fraud to the folder BACKUP while they are used; what is there is not copied again.

    The master keys are not in it: keep copies of STATE.key and LOG.key elsewhere, or nobody can read the backup.
    `recocore fraud backup` copies a log of fraud alone, with keys that lie elsewhere too.

    \b
    Examples:
      recocore state backup state/ backup/
      recocore state backup state/ backup/ --registry models/
    """
    backup.mkdir(mode=0o700, exist_ok=True)
    target = (backup / "state").absolute()
    done = {"state": _ask(state, keys, lambda store: store.backup(target), lambda owner: owner.backup(target))}
    if registry is not None:
        done["registry"] = back_up_registry(registry, backup / "registry")
    if fraud is not None:
        done["fraud"] = back_up_log(fraud, backup, None)
    say_copied(done, as_json=as_json)


@command.command("restore")
@click.argument("backup", metavar="BACKUP", type=click.Path(path_type=Path))
@_state
@click.option("--registry", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to restore the registry.")
@click.option("--fraud", type=click.Path(path_type=Path), metavar="LOG", help="Where to restore the log of fraud.")
@click.option(
    "--keys", type=click.Path(path_type=Path), metavar="FILE", help="Open the state with these, to see that it can be."
)
def restore_command(backup: Path, state: Path, registry: Path | None, fraud: Path | None, keys: Path | None) -> None:
    """Restore BACKUP to STATE, a new folder, and its registry and log of fraud. Every file is checked; a damaged one is named.

    \b
    Examples:
      recocore state restore backup/ state/ --keys state.key
      recocore state restore backup/ state/ --registry models/
    """
    with progress("restore") as bar:
        restore(backup / "state", state, bar)
        if registry is not None:
            restore(backup / "registry", registry)
        if fraud is not None:
            restore(backup / FRAUD, fraud)
    click.echo(f"restored {', '.join(str(each) for each in (state, registry, fraud) if each is not None)}")
    if keys is not None:
        with StateStore.open(state, keys=KeyFile.open(keys)) as store:
            click.echo(f"{store.stats().events:,} events, {store.stats().users:,} users")


def _ask(
    state: Path,
    keys: Path | None,
    work: Callable[[StateStore], Any],
    call: Callable[[OwnerClient], Awaitable[Any]],
) -> Any:
    """What the owner says, or the store where there is no owner."""
    path = _there(state)
    if not is_owned(path):
        with StateStore.open(path, keys=_key_file(keys)) as store:
            return work(store)

    async def ask() -> Any:
        async with OwnerClient(path / SOCKET) as owner:
            return await call(owner)

    return asyncio.run(ask())


def _there(state: Path) -> Path:
    """The folder of a state: looking at one does not make it."""
    path = local_path(state)
    if not (path / "state.json").exists():
        raise NotFoundError(f"{path}: there is no state here; `recocore serve --state` makes one")
    return path


def _key_file(keys: Path | None) -> KeyFile | None:
    return None if keys is None else KeyFile.open(keys)


def _say(as_json: bool, value: dict[str, Any], text: str) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(text)
