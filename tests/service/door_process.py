"""Run as a script: a door in front of the service at the address given, with settings of HttpConfig and `run_door` as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from recocore.service.announcing import announce_json
from recocore.service.door import HttpConfig, run_door
from recocore.service.logs import configure

_OF_THE_RUN = {"grace_seconds", "drain_delay_seconds"}

if __name__ == "__main__":
    settings: dict[str, Any] = json.loads(sys.argv[2])
    configure("debug", sys.stderr)
    ours = {name: value for name, value in settings.items() if name not in _OF_THE_RUN}
    others = {name: value for name, value in settings.items() if name in _OF_THE_RUN}
    run_door(HttpConfig(**ours), sys.argv[1], announce=announce_json, **others)
