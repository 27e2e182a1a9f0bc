"""`recocore info`: what an installation, or an index, consists of."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recocore import _native
from recocore.cli.terminal import console, print_json, table
from recocore.errors import UnsupportedError
from recocore.index.loading import read_manifest

if TYPE_CHECKING:
    from rich.table import Table


@click.command("info")
@click.argument("index", metavar="[INDEX]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(index: str | None, as_json: bool) -> None:
    """Say what this installation computes with, and, given an INDEX, what it holds.

    Only the manifest of an index is read; RECOCORE_FORCE_ISA chooses another instruction set than the best.

    \b
    Examples:
      recocore info
      recocore info index/ --json
    """
    facts = _installation() if index is None else _index(index)
    if as_json:
        print_json(facts)
    else:
        console().print(_table(facts))


def _installation() -> dict[str, Any]:
    return {
        "recocore": version("recocore"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "isa": {
            "active": _native.active_isa(),
            "supported": _native.supported_isas(),
            "kernels": _native.kernel_isas(),
        },
        "threads": _native.available_cores(),
        "cuda": _cuda(),
        "dependencies": _dependencies(),
    }


def _cuda() -> dict[str, Any]:
    """Whether the build has the CUDA operations, and the device that they would run on."""
    found: dict[str, Any] = {"built": _native.built_with_cuda(), "devices": _native.cuda_device_count()}
    if found["devices"]:
        found["device"] = _native.cuda_device()
    elif found["built"]:
        try:
            _native.cuda_device()
        except UnsupportedError as error:
            found["missing"] = str(error)
    return found


def _dependencies() -> dict[str, str | None]:
    """The installed version of each package that is always needed."""
    names = [requirement.split(";")[0] for requirement in requires("recocore") or [] if "extra ==" not in requirement]
    bare = sorted("".join(c if c.isalnum() or c in "-_." else " " for c in name).split()[0] for name in names)
    return {name: _version(name) for name in bare}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _index(path: str) -> dict[str, Any]:
    manifest = read_manifest(Path(path))
    return {
        "index": path,
        "version": manifest.version,
        "created": manifest.created.isoformat(),
        "written_by": f"recocore {manifest.recocore_version}",
        "model": {"name": manifest.model, **manifest.params},
        "counts": dict(manifest.counts),
        "metrics": dict(manifest.metrics),
        "bytes": sum(entry.size for entry in manifest.files.values()),
    }


def _table(facts: dict[str, Any]) -> Table:
    shown = table("", "", text=2)
    shown.show_header = False
    for name, fact in facts.items():
        shown.add_row(name, _text(fact))
    return shown


def _text(fact: Any) -> str:
    if isinstance(fact, dict):
        return "\n".join(f"{name} {_text(inner)}" for name, inner in fact.items())
    if isinstance(fact, list):
        return ", ".join(map(str, fact))
    return f"{fact:,}" if isinstance(fact, int) and not isinstance(fact, bool) else str(fact)
