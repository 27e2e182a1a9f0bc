"""`recocore serve`: an index over gRPC."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from recocore.cli.terminal import console, print_json, table
from recocore.service import ModelsConfig, ServerConfig
from recocore.service import serve as run_service
from recocore.service.announcing import announce_json
from recocore.service.config import MOST_WORKERS
from recocore.service.observe.observing import Observing
from recocore.service.security.config import Security
from recocore.service.settings import Settings

if TYPE_CHECKING:
    from recocore.service.checking import Check

_DEFAULTS = ServerConfig()


@click.command("serve")
@click.argument("index", metavar="[INDEX]", required=False)
@click.option("--registry", metavar="DIR", help="Follow a registry instead of serving one index.")
@click.option("--alias", help=f"Alias that everybody is served from.  [default: {ModelsConfig().alias}]")
@click.option("--config", "config_path", metavar="FILE", envvar="RECOCORE_CONFIG", help="Settings, a TOML file.")
@click.option("--check", is_flag=True, help="Say whether it would start, and with which settings; serve nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --check: print the result as JSON.")
@click.option("--host", help=f"Address to listen on.  [default: {_DEFAULTS.host}]")
@click.option("--port", type=int, help=f"Port to listen on; 0 for any that is free.  [default: {_DEFAULTS.port}]")
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    help=f"Processes that share the port and the index.  [default: {_DEFAULTS.workers}]",
)
@click.option("--threads", type=int, help="Threads that rank in each worker.  [default: one a core, shared]")
@click.option("--max-calls", type=int, help=f"Calls at once; more are turned away.  [default: {_DEFAULTS.max_calls}]")
@click.option("--state", metavar="DIR", help="Keep events in DIR, and read each user's record.  [default: none]")
@click.option("--http-port", type=int, help="Port of HTTP/JSON on loopback; 0 for none.  [default: 0]")
@click.option("--no-reflection", is_flag=True, help="Do not tell tools such as grpcurl which methods there are.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help=f"Least severe lines of the log, which goes to standard error.  [default: {_DEFAULTS.log_level}]",
)
@click.option(
    "--metrics-port", type=int, help="Port for metrics and the page; 0 for any that is free.  [default: none]"
)
def command(
    index: str | None,
    registry: str | None,
    alias: str | None,
    state: str | None,
    config_path: str | None,
    check: bool,
    as_json: bool,
    http_port: int | None,
    no_reflection: bool,
    metrics_port: int | None,
    **server: Any,
) -> None:
    """Serve INDEX, a folder that `recocore fit` made, until Ctrl-C or SIGTERM; calls in flight are finished.

    With --registry it serves what an alias of a registry points to, and follows as the alias moves: a new version is read
    through and warmed up before it answers, and no call fails meanwhile. A damaged one is refused; the old one serves on.

    With --state it takes events (EventService), and each is known to the next recommendation for its user.

    Settings come from FILE, then from the environment (RECOCORE_<SECTION>_<KEY>, such as RECOCORE_SERVER_PORT), then from the
    options here; the later wins. deploy/recocore.toml names them all.

    Standard output gets the address that is listened on: a line of JSON, or of text on a terminal.

    \b
    Examples:
      recocore serve index/
      recocore serve index/ --port 50051 --workers 4 --metrics-port 9464
      recocore serve --registry models/ --alias stable
      recocore serve index/ --http-port 8080
      recocore serve index/ --state state/
      recocore serve index/ --config recocore.toml --check

    \b
    Ask it:
      grpcurl -plaintext -d '{"user_id": "ann"}' localhost:50051 recocore.v1.RecommendationService/Recommend
      curl localhost:8080/v1/recommend -H 'content-type: application/json' -d '{"user_id": "ann"}'
      python -c 'from recocore.client import Client; print(Client("localhost:50051").recommend("ann"))'
    """
    if as_json and not check:
        raise click.UsageError("--json goes with --check")
    options = {
        "server": {**server, "reflection": False if no_reflection else None},
        "models": {"registry": registry, "alias": alias},
        "state": {"path": state},
        "http": {"port": http_port},
        "metrics": {"port": metrics_port, "enabled": None if metrics_port is None else True},
    }
    settings = Settings.load(config_path, os.environ, options)
    if (index is None) == (not settings.models.registry):
        raise click.UsageError("expected either INDEX or --registry DIR")
    if check:
        # Late: it loads what an index needs, and the workers of a start do that at the same time as this process.
        from recocore.service.checking import check_service  # noqa: PLC0415

        _report(settings, check_service(settings, index), as_json=as_json)
        return
    run_service(
        index,
        settings.server.host,
        settings.server.port,
        settings.server.workers,
        config=settings.server,
        limits=settings.limits,
        models=settings.models,
        experiment=settings.experiment,
        shadow=settings.shadow,
        state=settings.state,
        fraud=settings.fraud,
        profiles=settings.profiles,
        http=settings.http,
        observing=Observing(settings.metrics, settings.logs, settings.tracing),
        security=Security(settings.tls, settings.auth, settings.audit),
        announce=_announce_text if sys.stdout.isatty() else announce_json,
    )


def _announce_text(address: str) -> None:
    click.echo(f"serving on {address}; Ctrl-C stops")


def _report(settings: Settings, checks: list[Check], *, as_json: bool) -> None:
    ok = all(check.ok for check in checks)
    if as_json:
        print_json(
            {
                "ok": ok,
                "checks": [asdict(check) for check in checks],
                "settings": settings.shown(),
                "sources": settings.sources,
            }
        )
    else:
        effective = table("setting", "value", "from", text=3)
        for section, values in settings.shown().items():
            for key, value in values.items():
                name = f"{section}.{key}"
                effective.add_row(name, _toml(value), settings.sources.get(name, "default"))
        found = table("check", "", "found", text=3)
        for check in checks:
            found.add_row(check.name, "ok" if check.ok else "wrong", check.said)
        console().print(effective, found)
    if not ok:
        raise click.ClickException("the service would not start; see the checks that say wrong")


def _toml(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(
                f"{key} = {{{_toml(inner)}}}" if isinstance(inner, dict) else f"{key} = {inner}"
                for key, inner in value.items()
            )
    return str(value)
