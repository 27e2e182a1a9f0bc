"""`recocore recommend`: ask an index without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from recocore.cli.terminal import console, note, print_json, table
from recocore.index import Index

if TYPE_CHECKING:
    from recocore.index import RankedItem, RankedList

_REASONS = 3


@click.command("recommend")
@click.argument("index", metavar="INDEX")
@click.option(
    "--user", "users", multiple=True, required=True, metavar="ID", help="Whom for; may be given more than once."
)
@click.option("-k", "--k", "k", type=click.IntRange(1, 100_000), default=10, show_default=True, help="Items in a list.")
@click.option("--allow", multiple=True, metavar="ID", help="Only these items; may be given more than once.")
@click.option("--block", multiple=True, metavar="ID", help="Never these items; may be given more than once.")
@click.option("--include-seen", is_flag=True, help="Let items come back that the user has had.")
@click.option(
    "--fallback",
    type=click.Choice(["popular", "none"]),
    default="popular",
    show_default=True,
    help="What an unknown user gets, and what fills short lists.",
)
@click.option("--explain", is_flag=True, help="Say which of the user's own items pulled each one up.")
@click.option("--json", "as_json", is_flag=True, help="Print the lists as JSON.")
def command(
    index: str,
    users: tuple[str, ...],
    k: int,
    allow: tuple[str, ...],
    block: tuple[str, ...],
    include_seen: bool,
    fallback: Any,
    explain: bool,
    as_json: bool,
) -> None:
    """Rank items for users of INDEX, a folder that `recocore fit` made.

    \b
    Examples:
      recocore recommend index/ --user ann
      recocore recommend index/ --user ann --user bob -k 5 --explain
      recocore recommend index/ --user 42 --block sku-7 --json
    """
    loaded = Index.load(index)
    lists = loaded.recommend(
        users,
        k,
        exclude_seen=not include_seen,
        allow=allow or None,
        block=block,
        fallback=fallback,
        explain=_REASONS if explain else 0,
    )
    for missing in lists[0].missing_ids:
        note(f"item {missing} is not in the index")
    if as_json:
        print_json([_as_json(user, ranked) for user, ranked in zip(users, lists, strict=True)])
        return
    target = console()
    for user, ranked in zip(users, lists, strict=True):
        known = loaded.users.index_of(user) >= 0
        shown = table("item", *(["because of"] if explain else []), "score", title=user, text=2 if explain else 1)
        for item in ranked.items:
            reasons = [", ".join(str(reason.item_id) for reason in item.reasons)] if explain else []
            shown.add_row(str(item.item_id), *reasons, _score(item))
        target.print(shown)
        if not known:
            note(f"user {user} is not in the index" + ("; popular items instead" if ranked.items else ""))


def _score(item: RankedItem) -> str:
    return f"{item.score:.4f}" if item.source == "model" else f"popular, {item.score:.0f} users"


def _as_json(user: str, ranked: RankedList) -> dict[str, Any]:
    return {
        "user_id": user,
        "items": [
            {
                "item_id": item.item_id,
                "score": item.score,
                "source": item.source,
                "reasons": [{"item_id": reason.item_id, "weight": reason.weight} for reason in item.reasons],
            }
            for item in ranked.items
        ],
        "fallback_used": ranked.fallback_used,
        "missing_ids": list(ranked.missing_ids),
    }
