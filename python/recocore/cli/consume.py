"""`recocore consume`: events from Kafka into a state."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recocore.cli.terminal import console, print_json
from recocore.consumers import Consumed, KafkaSource, OwnerSink
from recocore.errors import InUseError
from recocore.service.events.config import socket_path
from recocore.state import KeyFile, StateStore

if TYPE_CHECKING:
    from recocore.consumers import Sink


@click.command("consume")
@click.argument("topic", metavar="TOPIC")
@click.option("--state", "folder", required=True, metavar="DIR", help="The state that the events go to.")
@click.option("--keys", metavar="FILE", help="The file of the state's master keys, where it is not beside the state.")
@click.option("--brokers", required=True, metavar="HOST:PORT,...", help="Where Kafka is.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of librdkafka, such as sasl.username=ann."
)
@click.option("--batch", type=click.IntRange(1, 1000), default=500, show_default=True, help="Messages of a commit.")
@click.option("--until-end", is_flag=True, help="End when every partition has been read to its end.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of the messages as JSON.")
def command(
    topic: str,
    folder: str,
    keys: str | None,
    brokers: str,
    settings: tuple[str, ...],
    batch: int,
    until_end: bool,
    as_json: bool,
) -> None:
    """Record the messages of a Kafka TOPIC in a state until Ctrl-C or SIGTERM, each once.

    A message is a JSON object with the names of the event schema: at least user_id and type. How far the topic has been read
    is kept in the state, in the commit of the events, so whoever begins again misses nothing and repeats nothing. The state may
    be that of a running service, or one that nobody uses.

    \b
    Examples:
      recocore consume events --brokers kafka:9092 --state state/
      recocore consume events --brokers kafka:9092 --state state/ --until-end --json
    """
    config = {"bootstrap.servers": brokers}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"--set: expected NAME=VALUE, got {setting!r}")
        config[name] = value
    source = KafkaSource(topic, config, batch=batch)
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with ExitStack() as stack:
            consumed = source.run(_sink(folder, keys, stack), stop, until_end=until_end)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _tell(consumed, as_json)


def _sink(folder: str, keys: str | None, stack: ExitStack) -> Sink:
    """The state itself where nobody owns it, else its owner."""
    try:
        return stack.enter_context(
            StateStore.open(Path(folder), keys=KeyFile.open(keys, create=True) if keys else None)
        )
    except InUseError:
        return stack.enter_context(OwnerSink(socket_path(folder)))


def _tell(consumed: Consumed, as_json: bool) -> None:
    if as_json:
        print_json(asdict(consumed))
    else:
        console().print(
            f"{consumed.recorded:,} events recorded, {consumed.duplicates:,} were there, {consumed.refused:,} refused",
            soft_wrap=True,
        )
