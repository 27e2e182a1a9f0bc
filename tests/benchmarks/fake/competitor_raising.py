from __future__ import annotations

from typing import Any

from tests.benchmarks.fake.adding import Adding


class Competitor(Adding):
    def run(self) -> Any:
        raise ValueError("no sums today")
