"""The process that owns the state: it writes what workers pass on, until SIGTERM or the end of the supervisor."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from recocore.service.events.config import socket_path
from recocore.service.logs import configure, log, places
from recocore.service.processes.messages import failed, to_json
from recocore.state import KeyFile, StateConfig
from recocore.state.owner import serve_owner

if TYPE_CHECKING:
    from collections.abc import Mapping


def main() -> None:
    """Own a state: its settings, where to say that it is ready, and what tells that the parent lives are the arguments."""
    settings = json.loads(sys.argv[1])
    configure(settings["log_level"], sys.stderr)
    # A terminal sends these to all processes at once; the supervisor ends this one last.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    words = int(sys.argv[2])
    try:
        asyncio.run(_own(settings, words, int(sys.argv[3])))
    except Exception as error:
        log(logging.ERROR, "the state cannot be served", error=places(error), reason=str(error))
        answer = to_json(failed(error))
        del answer["kind"]
        _say(words, answer)
        sys.exit(1)


async def _own(settings: Mapping[str, Any], words: int, life: int) -> None:
    loop, stop, ready = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def alone() -> None:
        loop.remove_reader(life)  # it can be read for ever
        stop.set()

    loop.add_reader(life, alone)
    path, keys = settings["path"], settings["keys"]
    opened = KeyFile.open(keys, create=True) if keys else None
    config = StateConfig(max_recent=settings["max_recent"])
    serving = asyncio.ensure_future(serve_owner(path, socket_path(path), config, keys=opened, ready=ready, stop=stop))
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    if ready.is_set():
        log(logging.INFO, "the state is served", pid=os.getpid())
        _say(words, {})
    waiting.cancel()
    await serving
    log(logging.INFO, "stopped")


def _say(words: int, what: dict[str, object]) -> None:
    os.write(words, json.dumps(what).encode() + b"\n")
