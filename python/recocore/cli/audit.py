"""`recocore audit`: whether the audit log is as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recocore.cli.terminal import Group, json_option, print_json
from recocore.service.security.audit_chain import verify as verify_chains
from recocore.service.security.files import read_private

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.group("audit", cls=Group)
def command() -> None:
    """Look after the audit log, a folder of chains of lines that a service writes where `audit.folder` is set.

    \b
    Examples:
      recocore audit verify /var/lib/recocore/audit
    """


@command.command("verify")
@click.argument("folder", metavar="FOLDER")
@click.option("--key-file", metavar="PATH", help="What audit.key_file names, where it is set.")
@click.option(
    "--anchors",
    metavar="LOG",
    type=click.Path(exists=True, dir_okay=False),
    help="The service's log, or those of its lines that say `audit anchor`.",
)
@json_option
def verify(folder: str, key_file: str | None, anchors: str | None, as_json: bool) -> None:
    """Read every chain of FOLDER through; the first line that was changed, removed, added or cut off is named.

    Without anchors, somebody who may write FOLDER can cut off the end of a chain unseen, and where the hashes have no key write
    all of it anew. The service's log, kept elsewhere, has an anchor at least every audit.anchor_seconds in which a chain grew:
    up to the last one nothing can be changed or cut off without a difference.

    \b
    Examples:
      recocore audit verify /var/lib/recocore/audit
      recocore audit verify audit/ --key-file audit.key --anchors service.log --json
    """
    key = read_private(key_file, "--key-file").strip() if key_file is not None else None
    told = list(_anchors(Path(anchors))) if anchors is not None else []
    verdicts = verify_chains(Path(folder), key, told)
    if as_json:
        print_json(
            [
                {
                    "chain": verdict.chain,
                    "first": verdict.first,
                    "last": verdict.end.number,
                    "hash": verdict.end.hash,
                    "anchored": verdict.anchored,
                }
                for verdict in verdicts
            ]
        )
        return
    for verdict in verdicts:
        anchored = f", anchored up to {verdict.anchored}" if verdict.anchored is not None else ""
        click.echo(f"{verdict.chain}: lines {verdict.first} to {verdict.end.number} are whole{anchored}")


def _anchors(path: Path) -> Iterator[tuple[str, int, str]]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            # A prefix may come before: journald's and container runtimes' time and host.
            start = line.find("{")
            if '"audit anchor"' not in line or start < 0:
                continue
            try:
                said = json.loads(line[start:])
                yield str(said["chain"]), int(said["number"]), str(said["hash"])
            except (ValueError, KeyError, TypeError):
                continue
