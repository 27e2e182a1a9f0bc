"""`recocore keys`: API keys of callers, in the file that `auth.api_keys_file` names."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recocore.cli.terminal import Group, console, json_option, note, print_json, table
from recocore.errors import InvalidArgumentError
from recocore.service.logs import Pseudonyms
from recocore.service.security.api_keys import ApiKeys, create_key, revoke_key
from recocore.service.security.files import read_private
from recocore.service.security.roles import read_roles

if TYPE_CHECKING:
    from recocore.service.security.api_keys import ApiKey

_SECONDS_A_DAY = 86_400
_roles_file = click.option(
    "--roles-file", metavar="FILE", default="", help="Roles beside those that recocore has, TOML."
)


@click.group("keys", cls=Group)
def command() -> None:
    """Give callers API keys in FILE, which holds their hashes alone, and take them back.

    A running service follows FILE within auth.reload_seconds. A caller may have two live keys: create the new one, hand it out,
    and revoke the old one when nobody uses it any more.

    \b
    Examples:
      recocore keys create keys.json shop --role caller --out shop.key
      recocore keys list keys.json
      recocore keys revoke keys.json 0123456789ab
      recocore keys roles
    """


@command.command("create")
@click.argument("file", metavar="FILE")
@click.argument("caller", metavar="CALLER")
@click.option("--role", "roles", multiple=True, required=True, help="What the caller may do; may be given again.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Days until it expires.  [default: never]")
@click.option("--out", metavar="PATH", help="Write the key there, to a new file of mode 0600, instead of printing it.")
@_roles_file
@json_option
def create(
    file: str, caller: str, roles: tuple[str, ...], days: float | None, out: str | None, roles_file: str, as_json: bool
) -> None:
    """Make a key for CALLER. It is shown this once: FILE has its hash.

    \b
    Examples:
      recocore keys create keys.json shop --role caller
      recocore keys create keys.json deploy --role operator --days 90 --out deploy.key
    """
    known = read_roles(roles_file).methods
    if strangers := sorted(set(roles) - set(known)):
        raise InvalidArgumentError(
            f"--role: expected one of {', '.join(sorted(known))}, got {strangers[0]}; --roles-file names others"
        )
    now = time.time()
    expires = math.inf if days is None else now + days * _SECONDS_A_DAY
    if out is None:
        text, key = create_key(file, caller, roles, expires, now=now)
    else:
        # First of all, so that no key is made that nobody gets.
        path = Path(out)
        path.touch(0o600, exist_ok=False)
        try:
            text, key = create_key(file, caller, roles, expires, now=now)
        except BaseException:
            path.unlink()
            raise
        path.write_text(f"{text}\n", encoding="ascii")
    shown = {"key": text} if out is None else {"out": out}
    if as_json:
        print_json({**_as_json(key), **shown})
        return
    note(
        f"key {key.id} of {caller}, {'for good' if days is None else f'until {_day(key.expires)}'}; it is not shown again"
    )
    click.echo(text if out is None else out)


@command.command("revoke")
@click.argument("file", metavar="FILE")
@click.argument("name", metavar="ID|CALLER")
@json_option
def revoke(file: str, name: str, as_json: bool) -> None:
    """Take back one key by its id, or all keys of a caller.

    \b
    Examples:
      recocore keys revoke keys.json 0123456789ab
      recocore keys revoke keys.json shop
    """
    gone = revoke_key(file, name)
    if as_json:
        print_json([_as_json(key) for key in gone])
    else:
        click.echo(f"revoked {', '.join(f'{key.id} of {key.caller}' for key in gone)}")


@command.command("list")
@click.argument("file", metavar="FILE")
@click.option("--pseudonym-key-file", metavar="PATH", help="Say what the service's logs call each caller.")
@json_option
def list_keys(file: str, pseudonym_key_file: str | None, as_json: bool) -> None:
    """List the keys of FILE: whose they are and what they allow.

    \b
    Examples:
      recocore keys list keys.json
      recocore keys list keys.json --pseudonym-key-file pseudonym.key --json
    """
    names = None
    if pseudonym_key_file is not None:
        names = Pseudonyms(read_private(pseudonym_key_file, "--pseudonym-key-file").strip())
    entries = []
    for key in ApiKeys.read(file).keys:
        entry = _as_json(key)
        if names is not None:
            entry["in_logs"] = names.of(f"key:{key.caller}")
        entries.append(entry)
    if as_json:
        print_json(entries)
        return
    columns = ("id", "caller", "roles", "created", "expires", *(("in_logs",) if names is not None else ()))
    shown = table(*columns, text=len(columns))
    for entry in entries:
        shown.add_row(*(", ".join(entry[name]) if name == "roles" else str(entry[name] or "") for name in columns))
    console().print(shown)


@command.command("roles")
@_roles_file
@json_option
def roles(roles_file: str, as_json: bool) -> None:
    """Say which methods each role may call. What no role names, nobody may call where auth is on.

    \b
    Examples:
      recocore keys roles
      recocore keys roles --roles-file roles.toml --json
    """
    known = read_roles(roles_file)
    if as_json:
        print_json({"roles": known.methods, "certificates": known.certificates})
        return
    shown = table("role", "may call", text=2)
    for role, methods in known.methods.items():
        shown.add_row(role, "\n".join(methods))
    console().print(shown)


def _as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "caller": key.caller,
        "roles": list(key.roles),
        "created": _day(key.created),
        "expires": None if math.isinf(key.expires) else _day(key.expires),
    }


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
