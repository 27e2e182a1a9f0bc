"""The commands and examples of the docs: taken from a page, and run."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.real_data import DATA

ROOT = Path(__file__).parent.parent

# What commands make of the made-up shop's log, with which most chapters begin.
MADE = {
    "recocore demo --keep events.parquet": ("events.parquet",),
    "recocore fit events.parquet --out index/": ("index",),
    "recocore fit events.parquet --model itemknn --out monday/": ("monday",),
    "recocore fit events.parquet --model als --out tuesday/": ("tuesday",),
    "recocore profiles build events.parquet --out profiles.parquet": ("profiles.parquet",),
    "recocore profiles segment profiles.parquet --out segments.json --members members.parquet": (
        "segments.json",
        "members.parquet",
    ),
    "recocore profiles segment profiles.parquet --where \"level >= 80 and lifecycle != 'lost'\" --members vip.parquet": (
        "vip.parquet",
    ),
}


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def joined(content: str) -> list[str]:
    """Lines, with those that end in a backslash joined to the next."""
    return [line for line in content.replace("\\\n", " ").splitlines() if line.strip()]


def environment() -> dict[str, str]:
    scripts = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "DATA": str(DATA)}


def run(command: list[str] | str, folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        shell=isinstance(command, str),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Chapters:
    """Runs the commands of chapters that begin with the same log: one that several have is run once.

    Args:
        shared: a folder for what they made, that of all processes of the tests.
    """

    def __init__(self, shared: Path) -> None:
        self._shared = shared

    def run(self, command: str, folder: Path) -> str:
        """Run a command in a folder, or put there what it made in another; what it printed."""
        if command not in MADE:
            return run(command, folder)
        kept = self._shared / hashlib.sha256(command.encode()).hexdigest()[:16]
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be making it
            if (kept / "printed").exists():
                for name in MADE[command]:
                    _copy(kept / name, folder / name)
            else:
                printed = run(command, folder)
                kept.mkdir(exist_ok=True)
                for name in MADE[command]:
                    _copy(folder / name, kept / name)
                (kept / "printed").write_text(printed, encoding="utf-8")
            return (kept / "printed").read_text(encoding="utf-8")

    def log(self, folder: Path) -> None:
        """Put the made-up shop's log into a folder: the first chapter keeps it, and later ones read it."""
        self.run("recocore demo --keep events.parquet", folder)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)
