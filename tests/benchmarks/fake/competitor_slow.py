from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.fake.adding import Adding


class Competitor(Adding):
    def run(self) -> Any:
        time.sleep(0.05)
        return super().run()
