"""`recocore top`: a running service, live in the terminal."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import click
from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from recocore.cli.terminal import console, print_json, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_TIMEOUT_SECONDS = 5.0
_NONE = "–"  # noqa: RUF001  (a dash, not a minus sign)
_BARS = "▁▂▃▄▅▆▇█"
_CURVE_POINTS = 40
_GAP = "   "
_STATE_STYLES = {"serving": "green", "standby": "green", "ready": "green", "failed": "red"}
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


class _Flow:
    """Items side by side, as many as the width holds; a line ends between two of them, never within one."""

    def __init__(self, *items: Text) -> None:
        self._items = items

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        line = Text()
        for item in self._items:
            if line and line.cell_len + len(_GAP) + item.cell_len > options.max_width:
                yield line
                line = Text()
            line = Text.assemble(line, _GAP if line else "", item)
        yield line


@click.command("top")
@click.option(
    "--url",
    default="http://127.0.0.1:9464",
    show_default=True,
    metavar="URL",
    help="The metrics port of the service, as its log tells.",
)
@click.option("--once", is_flag=True, help="Print one frame and end.")
@click.option("--json", "as_json", is_flag=True, help="Print everything once, as JSON.")
@click.option(
    "--every", type=click.FloatRange(0.2, 3600), default=1.0, show_default=True, help="Seconds between two frames."
)
def command(url: str, once: bool, as_json: bool, every: float) -> None:
    """Show calls, times, models and workers of a running service until Ctrl-C.

    The service must have a metrics port: `recocore serve INDEX --metrics-port 9464`.

    \b
    Examples:
      recocore top
      recocore top --url http://127.0.0.1:9464 --once
      recocore top --json
    """
    report = _ask(url)
    if as_json:
        print_json(report)
        return
    if once or not console().is_terminal:
        console().print(frame(report))
        return
    with Live(frame(report), console=console(), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            try:
                shown = frame(_ask(url))
            except click.ClickException as error:
                # A service that starts again comes back.
                shown = Group(Text(error.message, style="red"))
            live.update(shown, refresh=True)


def _ask(url: str) -> dict[str, Any]:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise click.BadParameter(f"expected a URL such as http://127.0.0.1:9464, got {url!r}", param_hint="--url")
    where = f"{url.rstrip('/')}/status.json"
    try:
        # Proxies are for the network; a metrics port is near.
        with build_opener(ProxyHandler({})).open(where, timeout=_TIMEOUT_SECONDS) as answer:
            report = json.load(answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = error.reason if isinstance(error, URLError) else str(error) or type(error).__name__
        raise click.ClickException(f"{where}: {why}; is the service running, with --metrics-port?") from error
    if not isinstance(report, dict) or "curves" not in report:
        raise click.ClickException(f"{where}: that is no metrics port of recocore; check --url")
    return report


def frame(report: dict[str, Any]) -> Group:
    """One picture of a service.

    Args:
        report: what `/status.json` gave.
    """
    return Group(*_head(report), _methods(report), _models(report), _workers(report))


def _head(report: dict[str, Any]) -> list[RenderableType]:
    live, totals = report["live"], report["totals"]
    down = report["size"] - sum(worker["state"] == "serving" for worker in report["workers"])
    state = ("not serving", "bold red") if not report["ready"] else ("serving", "bold green")
    if report["ready"] and down > 0:
        state = (f"serving, {down} of {report['size']} workers down", "bold yellow")
    title = Text.assemble(
        ("recocore ", "bold"), (report["version"], "dim"), "  ", state, "  ",
        (f"gRPC at {report['address']}, up {_ago(report['up_seconds'])}", "dim"),
    )  # fmt: skip
    rate = _Flow(
        Text.assemble((_rate(live["calls_per_second"]), "bold"), " calls/s"),
        Text.assemble("p50 ", (_time(live["p50_seconds"]), "bold")),
        Text.assemble("p99 ", (_time(live["p99_seconds"]), "bold")),
        Text.assemble("faults ", (_share(live["fault_share"]), "bold red" if live["fault_share"] else "bold")),
    )
    cache = _NONE if live["cache_hit_share"] is None else _share(live["cache_hit_share"])
    load = _Flow(
        Text(f"{live['in_flight']:,.0f} in flight"),
        Text(f"{live['queued']:,.0f} waiting"),
        Text(f"{_rate(live['shed_per_second'])} shed/s", "bold yellow" if live["shed_per_second"] else ""),
        Text(f"cache hits {cache}"),
        Text(f"{totals['restarts']:,} restarts"),
        Text(f"{totals['swaps']:,.0f} swaps"),
    )
    curves = report["curves"]
    lines: list[RenderableType] = [
        Text(),
        title,
        Text(),
        rate,
        load,
        *_state(report["state"]),
        *_fraud(report["fraud"]),
        Text(),
    ]
    for name, label in (("calls_per_second", "calls/s"), ("p99_seconds", "p99")):
        points = [point[name] or 0.0 for point in curves]
        lines.append(Text.assemble((f"{label:<8} ", "dim"), (_curve(points), "cyan")))
    return [*(Padding(line, (0, 0, 0, 1)) for line in lines), Text()]


def _state(state: dict[str, Any] | None) -> list[_Flow]:
    if state is None:
        return []
    events = state["events"]
    return [
        _Flow(
            Text.assemble((_rate(state["events_per_second"]), "bold"), " events/s"),
            Text(f"commit p99 {_time(state['commit_p99_seconds'])}"),
            Text(f"{events['recorded']:,.0f} recorded"),
            Text(f"{events['duplicate']:,.0f} duplicates"),
            Text(f"{events['refused']:,.0f} refused", "bold yellow" if events["refused"] else ""),
            _restarts("owner", state, "the owner is down"),
        )
    ]


def _fraud(fraud: dict[str, Any] | None) -> list[_Flow]:
    if fraud is None:
        return []
    outcomes, errors = fraud["outcomes"], fraud["rule_errors"]
    failing = ", ".join(f"{each['rule']} {each['errors']:,.0f}" for each in fraud["failing_rules"])
    return [
        _Flow(
            Text.assemble((_rate(sum(each["per_second"] for each in outcomes)), "bold"), " decisions/s"),
            Text(f"p50 {_time(fraud['p50_seconds'])}"),
            Text(f"p99 {_time(fraud['p99_seconds'])}"),
            *(Text(f"{each['decisions']:,.0f} {each['outcome']}") for each in outcomes),
            Text(f"rule set {fraud['rule_set'] or _NONE}"),
            Text(f"{errors:,.0f} rule errors ({failing})", "bold yellow") if errors else Text("no rule errors"),
            _restarts("decider", fraud, "nothing decides"),
        )
    ]


def _restarts(name: str, process: dict[str, Any], down: str) -> Text:
    return Text(f"{process['restarts']:,} {name} restarts") if process["pid"] else Text(down, "bold red")


def _methods(report: dict[str, Any]) -> RenderableType:
    shown = table("method", "calls/s", "p50", "p99", "faults", "refused", "all calls")
    for each in report["methods"]:
        shown.add_row(
            each["method"],
            _rate(each["calls_per_second"]),
            _time(each["p50_seconds"]),
            _time(each["p99_seconds"]),
            _share(each["fault_share"]),
            _share(each["refused_share"]),
            f"{each['calls']:,.0f}",
        )
    return shown if report["methods"] else Text("No calls yet.\n", style="dim")


def _models(report: dict[str, Any]) -> RenderableType:
    shown = table("alias", "version", "model", "state", "built", "since", text=4)
    for each in report["models"]:
        built = _NONE if each["created"] is None else f"{_ago(report['time'] - each['created'])} ago"
        since = _NONE if each["loaded"] is None else f"{_ago(report['time'] - each['loaded'])} ago"
        state = Text(each["state"], style=_STATE_STYLES.get(each["state"], "yellow"))
        shown.add_row(each["alias"] or _NONE, each["version"], each["model"] or _NONE, state, built, since)
    return shown


def _workers(report: dict[str, Any]) -> RenderableType:
    shown = table("worker", "state", "pid", "up", "memory", "private", "cpu", "restarts", text=2)
    for each in report["workers"]:
        usage = each["usage"]
        shown.add_row(
            str(each["number"]),
            Text(each["state"], style=_STATE_STYLES.get(each["state"], "yellow")),
            str(each["pid"]),
            _ago(report["time"] - each["started"]),
            _NONE if usage is None else _bytes(usage["resident_bytes"]),
            _NONE if usage is None else _bytes(usage["private_bytes"]),
            _NONE if usage is None else _ago(usage["cpu_seconds"]),
            f"{each['restarts']:,}",
        )
    return shown


def _curve(points: Sequence[float]) -> str:
    """A bar for each of the last points, the highest full: "▁▄█"."""
    last = list(points)[-_CURVE_POINTS:]
    most = max(last, default=0.0)
    if most <= 0:
        return _BARS[0] * len(last)
    return "".join(_BARS[min(int(point / most * len(_BARS)), len(_BARS) - 1)] for point in last)


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _share(value: float | None) -> str:
    return _NONE if value is None else "0 %" if value == 0 else f"{value * 100:.3g} %"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def _ago(seconds: float) -> str:
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def _bytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
