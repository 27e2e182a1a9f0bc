"""Telling whoever started a server where it listens."""

from __future__ import annotations

import json


def announce_json(bound: str) -> None:
    """Tell a parent process where the server listens: one line of JSON on standard output.

    >>> announce_json("127.0.0.1:50051")
    {"address": "127.0.0.1:50051"}
    """
    print(json.dumps({"address": bound}), flush=True)
