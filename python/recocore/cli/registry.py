"""`recocore registry`: versions of an index in a folder, and the aliases that move between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from recocore.cli.terminal import Group, console, json_option, note, print_json, table
from recocore.registry import Registry

if TYPE_CHECKING:
    from recocore.registry import Alias, AliasChange, VersionInfo

_who = click.option("--who", metavar="NAME", help="Who changes it, for the history.  [default: user@host]")
_expected = click.option(
    "--expected",
    type=click.IntRange(min=0),
    metavar="GENERATION",
    help="Only if the alias is still of this generation, which `list` shows; 0 for an alias that is not there.",
)


@click.group("registry", cls=Group)
def command() -> None:
    """Keep versions of an index in REGISTRY, a folder that trainers publish to and servers read from.

    A version is an index under its twelve digits. An alias, such as stable, is a name that points to one and moves in a
    single step; every move is kept, so that it can be rolled back. Any number of processes may use the folder at once.

    \b
    Examples:
      recocore registry publish models/ index/ --alias canary
      recocore registry list models/
      recocore registry alias models/ stable canary
      recocore registry rollback models/ stable
      recocore registry prune models/ --keep 5
    """


@command.command("publish")
@click.argument("registry", metavar="REGISTRY")
@click.argument("index", metavar="INDEX")
@click.option("--alias", metavar="NAME", help="Point this alias to it afterwards.")
@_who
@json_option
def publish(registry: str, index: str, alias: str | None, who: str | None, as_json: bool) -> None:
    """Copy INDEX, a folder that `recocore fit` made, into REGISTRY under its version.

    The index is read through first, and a damaged one is refused. Publishing what is there already changes nothing.

    \b
    Examples:
      recocore registry publish models/ index/
      recocore registry publish models/ index/ --alias canary --json
    """
    published = Registry(registry, who=who).publish(index, alias=alias)
    if as_json:
        print_json(_version_json(published))
    else:
        version = published.version
        then = f"{alias} points to it" if alias else f"next: recocore registry alias {registry} stable {version}"
        click.echo(f"published {version}; {then}")


@command.command("list")
@click.argument("registry", metavar="REGISTRY")
@json_option
def list_versions(registry: str, as_json: bool) -> None:
    """List the versions of REGISTRY, newest first, and its aliases.

    \b
    Examples:
      recocore registry list models/
      recocore registry list models/ --json
    """
    opened = Registry(registry)
    versions, aliases = opened.list(), opened.aliases()
    for name in opened.strangers():
        note(f"versions/{name} is no version, and is left alone")
    if as_json:
        print_json(
            {
                "versions": [_version_json(info) for info in versions],
                "aliases": {name: _alias_json(alias) for name, alias in aliases.items()},
            }
        )
        return
    shown = table("version", "aliases", "model", "created", "users", "items", "bytes", text=4)
    for info in versions:
        if info.damaged is not None:
            note(f"{info.version} is damaged: {info.damaged}")
        shown.add_row(
            info.version,
            ", ".join(info.aliases),
            info.model or "damaged",
            f"{info.created:%Y-%m-%d %H:%M}" if info.created else "",
            *(f"{info.counts[name]:,}" if info.counts else "" for name in ("users", "items")),
            f"{info.bytes:,}" if info.bytes else "",
        )
    target = console()
    target.print(shown)
    for alias in aliases.values():
        target.print(f"{alias.name} → {alias.version} (generation {alias.generation})", soft_wrap=True)


@command.command("alias")
@click.argument("registry", metavar="REGISTRY")
@click.argument("name", metavar="NAME")
@click.argument("version", metavar="[VERSION]", required=False)
@click.option("--delete", is_flag=True, help="Remove the alias instead; rollback brings it back.")
@_expected
@_who
@json_option
def alias(
    registry: str, name: str, version: str | None, delete: bool, expected: int | None, who: str | None, as_json: bool
) -> None:
    """Point the alias NAME to VERSION, which may be another alias: what that points to now.

    The version is read through first, and a damaged one is refused. A name is of lower-case letters, digits, - and _.

    \b
    Examples:
      recocore registry alias models/ stable 0123456789ab
      recocore registry alias models/ stable canary --expected 7
      recocore registry alias models/ canary --delete
    """
    if delete == (version is not None):
        raise click.UsageError("expected either a VERSION to point to, or --delete")
    opened = Registry(registry, who=who)
    if version is None:
        opened.remove_alias(name, expected=expected)
        if as_json:
            print_json({"alias": name, "version": None})
        else:
            click.echo(f"removed {name}")
        return
    _show(opened.set_alias(name, version, expected=expected), as_json)


@command.command("rollback")
@click.argument("registry", metavar="REGISTRY")
@click.argument("name", metavar="NAME")
@_expected
@_who
@json_option
def rollback(registry: str, name: str, expected: int | None, who: str | None, as_json: bool) -> None:
    """Point the alias NAME to the version that it pointed to before; again, to the one before that.

    \b
    Examples:
      recocore registry rollback models/ stable
    """
    _show(Registry(registry, who=who).rollback(name, expected=expected), as_json)


@command.command("history")
@click.argument("registry", metavar="REGISTRY")
@click.argument("name", metavar="[NAME]", required=False)
@json_option
def history(registry: str, name: str | None, as_json: bool) -> None:
    """Say who moved the alias NAME, or any alias, when and where, first to last.

    \b
    Examples:
      recocore registry history models/
      recocore registry history models/ stable --json
    """
    changes = Registry(registry).history(name)
    if as_json:
        print_json([_change_json(change) for change in changes])
        return
    shown = table("time", "alias", "action", "from", "to", "who", text=6)
    # Versions are there to be copied, so they stay whole; a long name is cut, and --json has all of it.
    *whole, who = shown.columns
    for column in whole:
        column.no_wrap = True
    who.overflow = "ellipsis"
    if not changes:
        note(
            f"nobody has moved {'an alias' if name is None else name}; `recocore registry list {registry}` shows what there is"
        )
        return
    for change in changes:
        shown.add_row(
            f"{change.time:%Y-%m-%d %H:%M}",
            change.alias,
            change.action,
            change.before or "",
            change.after or "",
            change.who,
        )
    console().print(shown)


@command.command("remove")
@click.argument("registry", metavar="REGISTRY")
@click.argument("version", metavar="VERSION")
@json_option
def remove(registry: str, version: str, as_json: bool) -> None:
    """Delete VERSION, unless an alias points to it.

    \b
    Examples:
      recocore registry remove models/ 0123456789ab
    """
    Registry(registry).remove(version)
    _show_removed((version,), as_json)


@command.command("prune")
@click.argument("registry", metavar="REGISTRY")
@click.option("--keep", type=click.IntRange(min=0), required=True, metavar="N", help="How many of the newest to keep.")
@json_option
def prune(registry: str, keep: int, as_json: bool) -> None:
    """Delete all versions but the N newest and those that an alias points to.

    Damaged ones stay until they are removed by name. What a rollback would go to is not held back.

    \b
    Examples:
      recocore registry prune models/ --keep 5
    """
    _show_removed(Registry(registry).prune(keep), as_json)


def _show(alias: Alias, as_json: bool) -> None:
    if as_json:
        print_json({"alias": alias.name, **_alias_json(alias)})
    else:
        click.echo(f"{alias.name} points to {alias.version} (generation {alias.generation})")


def _show_removed(versions: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json({"removed": list(versions)})
    else:
        click.echo(f"removed {', '.join(versions) or 'nothing'}")


def _alias_json(alias: Alias) -> dict[str, Any]:
    return {"version": alias.version, "generation": alias.generation}


def _version_json(info: VersionInfo) -> dict[str, Any]:
    return {
        "version": info.version,
        "path": str(info.path),
        "aliases": list(info.aliases),
        "model": info.model or None,
        "created": info.created.isoformat() if info.created else None,
        "counts": dict(info.counts),
        "metrics": dict(info.metrics),
        "bytes": info.bytes,
        "damaged": info.damaged,
    }


def _change_json(change: AliasChange) -> dict[str, Any]:
    return {
        "generation": change.generation,
        "time": change.time.isoformat(),
        "who": change.who,
        "action": change.action,
        "alias": change.alias,
        "from": change.before,
        "to": change.after,
    }
