"""Protos written in a test, compiled by protoc."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def compiled(folder: Path, files: Mapping[str, str]) -> FileDescriptorSet:
    """The descriptors of the files, by name, with what they import and with comments."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    out = folder / "set.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--descriptor_set_out={out}"]
    subprocess.run([*command, "--include_imports", "--include_source_info", *files], check=True)
    return FileDescriptorSet.FromString(out.read_bytes())
