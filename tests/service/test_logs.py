"""What a serving process writes to its log."""

from __future__ import annotations

import io
import json
import logging
from importlib import import_module

import pytest

from recocore.service import logs


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    for logger in (logging.getLogger(), logs.LOGGER):
        monkeypatch.setattr(logger, "handlers", [])
        monkeypatch.setattr(logger, "level", logger.level)
    stream = io.StringIO()
    logs.configure("info", stream)
    return stream


def test_an_answer_that_missed_its_caller_is_no_line(stream: io.StringIO) -> None:
    missed: type[Exception] = import_module("grpc._cython.cygrpc").ExecuteBatchError  # it has no types
    grpc_log = logging.getLogger("grpc._cython.cygrpc")
    for failure in (missed("the caller is gone"), OSError("the disk is gone")):
        try:
            raise failure
        except (OSError, missed):
            grpc_log.exception("raised in core by servicer method")
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line["event"] == "raised in core by servicer method"
    assert line["error"][0]["type"] == "builtins.OSError"
