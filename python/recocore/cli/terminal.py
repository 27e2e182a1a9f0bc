"""What people see: consoles, progress bars and tables. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.style import StyleType

_LONGEST_SENTENCE = 1_000


class Group(click.Group):
    """A command with commands; its help has the first sentence of each whole, where click would cut it at the margin."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the section of commands."""
        said = [
            (name, self.commands[name].get_short_help_str(limit=_LONGEST_SENTENCE)) for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(said)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def console() -> Console:
    """Standard output, coloured on a terminal, plain elsewhere."""
    return Console(highlight=False)


def note(message: str) -> None:
    """A remark beside the result, on standard error."""
    click.echo(f"recocore: {message}", err=True)


def print_json(value: Any) -> None:
    """The result as JSON, on standard output. A number that JSON lacks becomes null."""
    click.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False))


class Bar:
    """A bar that is called with the part done, and may be told what else there is to say."""

    def __init__(self, bars: Progress, label: str) -> None:
        self._bars = bars
        self._task = bars.add_task(label, total=1.0, said="")

    def __call__(self, part: float) -> None:
        """Show the part done in [0, 1]."""
        self._bars.update(self._task, completed=part)

    def say(self, text: str) -> None:
        """Show a few words behind the bar."""
        self._bars.update(self._task, said=text)


@contextmanager
def progress(label: str) -> Iterator[Bar]:
    """A bar on standard error while the body runs, if that is a terminal; call what it gives with the part done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(table_column=Column(min_width=len("0:00:00"), no_wrap=True)),
        TextColumn("[dim]{task.fields[said]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    target = Console(stderr=True)
    with Progress(*columns, console=target, transient=True, disable=not target.is_terminal) as bars:
        yield Bar(bars, label)


class _PlainTable(Table):
    """Text in its cells stands as it is: an id such as [/b] is no markup."""

    def add_row(
        self, *renderables: RenderableType | None, style: StyleType | None = None, end_section: bool = False
    ) -> None:
        cells = (Text(cell) if isinstance(cell, str) else cell for cell in renderables)
        super().add_row(*cells, style=style, end_section=end_section)


def table(*columns: str, title: str | None = None, text: int = 1) -> Table:
    """A table whose first `text` columns are text and whose others are numbers.

    Where the terminal is narrow, text beside the first column goes on in further lines before anything is cut.
    """
    heading = None if title is None else Text(title, style="bold")
    made = _PlainTable(box=box.SIMPLE_HEAD, title=heading, title_justify="left", pad_edge=False)
    for position, column in enumerate(columns):
        is_text = position < text
        folds = is_text and position > 0
        made.add_column(
            column,
            justify="left" if is_text else "right",
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
        )
    return made


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value
