"""A pytest plugin: the extension that RECOCORE_NATIVE names stands for the installed one.

So the tests run on a build whose device is the execution layer, while the package stays installed as it is.
"""

from __future__ import annotations

import importlib.util
import os
import sys


def _take(path: str) -> None:
    spec = importlib.util.spec_from_file_location("recocore._native", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["recocore._native"] = module
    spec.loader.exec_module(module)


if path := os.environ.get("RECOCORE_NATIVE"):
    _take(path)
