"""The map of rooms in ARCHITECTURE.md holds: who imports whom, read from the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import recocore

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "recocore"

# What every room may use: values and errors that rooms hand to each other.
SHARED = {"addresses", "csr", "errors", "gathering", "memory", "recommendations", "types"}

# Rooms that `import recocore` gives; the others are parts of these, or commands and processes.
ENTRANCES = {
    "client", "data", "evaluation", "fraud", "index", "models", "ops", "profiles", "registry", "retrieval", "service"
}  # fmt: skip

# Rooms that `import recocore` gives; the others are parts of these, or commands and processes.
ENTRANCES = {
    "client", "data", "evaluation", "fraud", "index", "models", "ops", "profiles", "registry", "retrieval", "service"
}  # fmt: skip

ROOMS: dict[str, set[str]] = {
    "charts": set(),
    "expressions": set(),
    "ops": {"_native"},
    "storage": set(),
    "data": {"_native", "ops", "storage"},
    "retrieval": {"_native", "ops"},
    "scoring": {"_native", "ops", "retrieval"},
    "models": {"data", "ops", "scoring", "storage"},
    "index": {"_native", "data", "retrieval", "scoring", "storage"},
    "registry": {"index", "storage"},
    "state": {"_native", "data", "storage"},
    "consumers": {"data", "state"},
    "profiles": {"_native", "data", "expressions", "ops", "storage"},
    "evaluation": {"_native", "data", "ops"},
    "service": {"_native", "client", "data", "expressions", "fraud", "index", "profiles", "registry", "state", "v1"},
    "fraud": {"_native", "charts", "data", "expressions", "ops", "state", "storage"},
    "client": {"v1"},
    "cli": {
        "_native",
        "client",
        "consumers",
        "data",
        "evaluation",
        "fraud",
        "index",
        "models",
        "ops",
        "profiles",
        "registry",
        "service",
        "state",
    },
}

# Rooms that must stay clear of a third-party library.
FOREIGN = {
    "service": {"pandas", "torch"},
    "models": {"grpc", "google"},
    "index": {"grpc", "google"},
    "registry": {"grpc", "google"},
    "state": {"grpc", "google", "scipy"},
    "client": {"numpy"},
}


def imports(path: Path) -> set[str]:
    """The dotted names of the modules that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.add(node.module)
            if node.module == "recocore":
                found.update(f"recocore.{alias.name}" for alias in node.names)
    return found


def files_of(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    allowed = ROOMS[room] | SHARED | {room}
    classes = {"EventBatch": "data", "Interactions": "data", "Index": "index"}
    for path in files_of(room):
        for name in imports(path):
            top, *rest = name.split(".")
            if top == "recocore" and rest:
                used = classes.get(rest[0], rest[0])
                if used == "__version__":
                    continue
                assert used in allowed, f"{path.relative_to(ROOT)} imports {name}; {room} may use {sorted(allowed)}"
            assert top not in FOREIGN.get(room, set()), f"{path.relative_to(ROOT)} imports {name}"


def test_every_package_is_a_room_of_the_map() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(ROOMS) | {"v1"}
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for room in ROOMS:
        assert f"`recocore.{room}`" in text


def test_import_recocore_opens_every_entrance() -> None:
    for room in ENTRANCES:
        # Called by hand: an attribute may also be there because somebody has imported the room.
        assert recocore.__getattr__(room).__name__ == f"recocore.{room}"
    assert set(dir(recocore)) >= ENTRANCES


def test_convert_alone_translates_the_protos_of_recommendation() -> None:
    service = PACKAGE / "service"
    translated = {"filter_pb2", "recommendation_pb2", "recommendation_service_pb2"}
    users = [path.relative_to(service) for path in files_of("service") if translated & imports_of_v1(path)]
    # The server names them for reflection, and reads none of their fields.
    others = [path for path in users if path.parts[0] != "convert" and path.name != "server.py"]
    assert len(users) > len(others) == 0, others


def imports_of_v1(path: Path) -> set[str]:
    """The names of generated modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "recocore.v1"
        for alias in node.names
    }


def test_the_core_knows_neither_python_nor_the_bindings() -> None:
    for path in [*(ROOT / "cpp" / "src").rglob("*"), *(ROOT / "cpp" / "include").rglob("*")]:
        if path.suffix in {".cpp", ".hpp", ".cu"}:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r'#include [<"](pybind11|Python\.h|bindings/)', text), path


def test_kernel_files_include_nothing_that_another_instruction_set_may_compile() -> None:
    for path in (ROOT / "cpp" / "src" / "kernels").rglob("*.cpp"):
        if path.name in {"avx2.cpp", "avx512.cpp", "avx512_vnni.cpp", "amx.cpp"}:
            included = re.findall(r'#include [<"]([^>"]+)', path.read_text(encoding="utf-8"))
            # What a family shares between instruction sets is included inside each file's own anonymous namespace.
            shared = {f"kernels/{path.parent.name}/{inl.name}" for inl in path.parent.glob("*.inl")}
            assert set(included) <= {"immintrin.h", f"kernels/{path.parent.name}/kernel.hpp"} | shared, path
        for inl in path.parent.glob("*.inl"):
            assert "#include" not in inl.read_text(encoding="utf-8"), inl


def test_importing_recocore_loads_nothing_else() -> None:
    code = (
        "import sys; import recocore; print([m for m in sys.modules if m.startswith(('recocore.', 'numpy', 'grpc'))])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
