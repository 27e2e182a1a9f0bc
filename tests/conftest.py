"""What every test can count on: children answer Ctrl-C, and none outlives its test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

# Of the references that NumPy computes, and of children: matrices are small, and several workers share the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Start = Callable[[Sequence[str | Path]], subprocess.Popen[str]]


@pytest.fixture(scope="session", autouse=True)
def _children_answer_ctrl_c() -> None:
    """A shell that starts the tests in the background has them ignore SIGINT, and children would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a child whose output is read through pipes; one that still runs when the test ends is killed."""
    children: list[subprocess.Popen[str]] = []

    def start(arguments: Sequence[str | Path]) -> subprocess.Popen[str]:
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()
