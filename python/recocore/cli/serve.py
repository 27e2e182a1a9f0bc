"""`recocore serve`: an index over gRPC."""

from __future__ import annotations

import sys

import click

from recocore.service import ModelsConfig, ServerConfig
from recocore.service import serve as run_service
from recocore.service.announcing import announce_json

# More processes than any machine's cores help nobody, and starting them all can take a machine down.
_MOST_WORKERS = 256


@click.command("serve")
@click.argument("index", metavar="[INDEX]", required=False)
@click.option("--registry", metavar="DIR", default="", help="Follow a registry instead of serving one index.")
@click.option(
    "--alias", default="stable", show_default=True, help="The registry's alias that everybody is served from."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, default=50051, show_default=True, help="Port to listen on; 0 for any that is free.")
@click.option(
    "--workers",
    type=click.IntRange(1, _MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes that share the port and the index.",
)
@click.option("--threads", type=int, default=0, show_default=True, help="Threads that rank; 0 for one a core.")
@click.option("--max-calls", type=int, default=128, show_default=True, help="Calls at once; more are turned away.")
@click.option("--no-reflection", is_flag=True, help="Do not tell tools such as grpcurl which methods there are.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least severe lines of the log, which goes to standard error.",
)
def command(
    index: str | None,
    registry: str,
    alias: str,
    host: str,
    port: int,
    workers: int,
    threads: int,
    max_calls: int,
    no_reflection: bool,
    log_level: str,
) -> None:
    """Serve INDEX, a folder that `recocore fit` made, until Ctrl-C or SIGTERM; calls in flight are finished.

    With --registry it serves what an alias of a registry points to, and follows as the alias moves: a new version is read
    through and warmed up before it answers, and no call fails meanwhile. A damaged one is refused; the old one serves on.

    Standard output gets the address that is listened on: a line of JSON, or of text on a terminal.

    \b
    Examples:
      recocore serve index/
      recocore serve index/ --port 50051 --workers 4
      recocore serve --registry models/ --alias stable

    \b
    Ask it:
      grpcurl -plaintext -d '{"user_id": "ann"}' localhost:50051 recocore.v1.RecommendationService/Recommend
      python -c 'from recocore.client import Client; print(Client("localhost:50051").recommend("ann"))'
    """
    if (index is None) == (not registry):
        raise click.UsageError("expected either INDEX or --registry DIR")
    config = ServerConfig(
        host=host, port=port, threads=threads, max_calls=max_calls, reflection=not no_reflection, log_level=log_level
    )
    announce = _announce_text if sys.stdout.isatty() else announce_json
    models = ModelsConfig(registry=registry, alias=alias)
    run_service(index, host, port, workers, config=config, models=models, announce=announce)


def _announce_text(address: str) -> None:
    click.echo(f"serving on {address}; Ctrl-C stops")
