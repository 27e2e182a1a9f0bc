"""These tests need a build with the CUDA operations: .ci/cuda makes one whose device is the execution layer."""

from __future__ import annotations

import pytest

from recocore import _native


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _native.cuda_device_count() == 0:
        skip = pytest.mark.skip(
            reason="this build has no CUDA device: .ci/cuda runs these tests on the execution layer"
        )
        for item in items:
            if "tests/cuda" in item.nodeid:
                item.add_marker(skip)
