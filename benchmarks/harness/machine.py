"""Where figures were taken: nothing that names a machine or a person."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.harness.process import ROOT
from recocore import _native


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader needs to judge or repeat a figure.

    Attributes:
        cpu: the model's name.
        cores: those this process may run on.
        memory_bytes: of the machine.
        isa: the instruction set that recocore chose.
        system: kernel and architecture.
        python: its version.
        recocore: its version.
        numpy: its version.
        commit: of the checkout, or None outside one.
        dirty: whether tracked files but for results differ from that commit.
    """

    cpu: str
    cores: int
    memory_bytes: int
    isa: str
    system: str
    python: str
    recocore: str
    numpy: str
    commit: str | None
    dirty: bool


def this_machine() -> Machine:
    """The machine, versions and commit of this process."""
    commit = _git("rev-parse", "HEAD")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        isa=_native.active_isa(),
        system=f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        python=platform.python_version(),
        recocore=version("recocore"),
        numpy=version("numpy"),
        commit=commit,
        dirty=bool(commit and _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results")),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
