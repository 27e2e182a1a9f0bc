"""The CPU's own test cases once more, with operations that run on the device."""

from __future__ import annotations

import os
import sys
import types
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TESTS = Path(__file__).parent.parent


def twin(
    path: str,
    replaced: tuple[str, ...],
    without: dict[str, str],
    shorter: dict[str, str] | None = None,
    given: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The test functions of a module of which a second copy is loaded.

    Args:
        path: of the module, below tests/.
        replaced: the names of operations, or models, which get `device="cuda"` as a keyword in that copy.
        without: tests that ask for what the device does not do, and why.
        shorter: what stands for what in the module's source: the same cases with fewer rows, since a thread of the execution
            layer is some thousand times slower than one of a GPU. With RECOCORE_CUDA_LONG=1 they stay as they are.
        given: what stands for other names of the module, where a keyword is not enough.

    Returns:
        The functions by name, and the fixtures they ask for, for the globals of a test module.
    """
    source = (TESTS / path).read_text(encoding="utf-8")
    if os.environ.get("RECOCORE_CUDA_LONG") != "1":
        for long, short in (shorter or {}).items():
            assert long in source, f"{path} has no {long!r}"
            source = source.replace(long, short)
    module = types.ModuleType("twin_of_" + path.removesuffix(".py").replace("/", "_"))
    module.__file__ = str(TESTS / path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(source, str(TESTS / path), "exec"), vars(module))
    found = {key: value for key, value in vars(module).items() if key.startswith("test_") or _is_fixture(value)}
    assert set(without) <= set(found), f"{path} has no {set(without) - set(found)}"
    for operation in replaced:
        setattr(module, operation, partial(getattr(module, operation), device="cuda"))
    for name, value in (given or {}).items():
        assert hasattr(module, name), f"{path} has no {name}"
        setattr(module, name, value)
    return {key: value for key, value in found.items() if key not in without}


def _is_fixture(value: object) -> bool:
    return type(value).__name__ == "FixtureFunctionDefinition"
