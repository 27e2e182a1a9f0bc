"""What a process that `ReadyKeeper` keeps does around its work: it says when it is ready, and ends with the service."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from recocore.service.logs import configure, log, places
from recocore.service.processes.messages import failed, to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


def run_ready(what: str, serve: Callable[[Mapping[str, Any], asyncio.Event, asyncio.Event], Awaitable[None]]) -> None:
    """Serve until SIGTERM or the end of the supervisor.

    The command's arguments are the settings, where to say that it is ready, and what tells that the parent lives.

    Args:
        what: is served, for the log.
        serve: is given the settings, an event to set when it serves, and one that ends it.
    """
    settings = json.loads(sys.argv[1])
    configure(settings["log_level"], sys.stderr)
    # A terminal sends these to all processes at once; the supervisor ends this one last.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    words = int(sys.argv[2])
    try:
        asyncio.run(_serve(what, serve, settings, words, int(sys.argv[3])))
    except Exception as error:
        log(logging.ERROR, f"{what} cannot be served", error=places(error), reason=str(error))
        answer = to_json(failed(error))
        del answer["kind"]
        _say(words, answer)
        sys.exit(1)


async def _serve(
    what: str,
    serve: Callable[[Mapping[str, Any], asyncio.Event, asyncio.Event], Awaitable[None]],
    settings: Mapping[str, Any],
    words: int,
    life: int,
) -> None:
    loop, stop, ready = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def alone() -> None:
        loop.remove_reader(life)  # it can be read for ever
        stop.set()

    loop.add_reader(life, alone)
    serving = asyncio.ensure_future(serve(settings, ready, stop))
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    if ready.is_set():
        log(logging.INFO, f"{what} is served", pid=os.getpid())
        _say(words, {})
    waiting.cancel()
    await serving
    log(logging.INFO, "stopped")


def _say(words: int, what: dict[str, object]) -> None:
    os.write(words, json.dumps(what).encode() + b"\n")
