"""The examples of docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import recocore.charts
import recocore.expressions
import recocore.fraud

MODULES = [
    found.name
    for package in (recocore.charts, recocore.expressions, recocore.fraud)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not found.name.startswith(("recocore.fraud.detectors", "recocore.fraud.rings"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
