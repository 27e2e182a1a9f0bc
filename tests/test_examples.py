"""The examples of docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import recocore

MODULES = [
    found.name
    for found in pkgutil.walk_packages(recocore.__path__, "recocore.")
    if not found.name.startswith("recocore.v1") and not found.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
