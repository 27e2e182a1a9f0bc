"""The CPU's own test cases once more, with operations that run on the device."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent


def twin(path: str, replaced: tuple[str, ...], without: dict[str, str]) -> dict[str, Any]:
    """The test functions of a module of which a second copy is loaded.

    Args:
        path: of the module, below tests/.
        replaced: the names of operations, or models, which get `device="cuda"` as a keyword in that copy.
        without: tests that ask for what the device does not do, and why.

    Returns:
        The functions by name, for the globals of a test module.
    """
    name = "twin_of_" + path.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, TESTS / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {key: value for key, value in vars(module).items() if key.startswith("test_")}
    assert set(without) <= set(found), f"{path} has no {set(without) - set(found)}"
    for operation in replaced:
        setattr(module, operation, partial(getattr(module, operation), device="cuda"))
    return {key: value for key, value in found.items() if key not in without}
