"""Cases that can be worked out on paper.

`golden_metrics.json` holds, for each metric, the arithmetic that follows from the definition (`why` says what the case
is) and its value; the first test keeps the two in step, the second compares recocore with the value.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.evaluation import METRICS, ranking_metrics

CASES = json.loads((Path(__file__).parent / "golden_metrics.json").read_text())
by_name = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


@by_name
def test_values_follow_from_their_arithmetic(case: dict[str, Any]) -> None:
    for expression, value in case["expected"].values():
        names = {"__builtins__": {}, "log2": math.log2, "sqrt": math.sqrt}
        assert eval(expression, names) == pytest.approx(value, abs=1e-15)


@by_name
def test_equals_the_golden_value(case: dict[str, Any]) -> None:
    n, n_items = len(case["lists"]), case["n_items"]
    entries = np.array([(u, item, value) for u, row in enumerate(case["relevant"]) for item, value in row])
    relevant = Csr.from_coo(entries[:, 0], entries[:, 1], entries[:, 2], (n, n_items))
    options: dict[str, Any] = {key: case[key] for key in ("gain", "ties", "exclude_seen") if key in case}
    if "scores" in case:
        options["scores"] = np.array([[float(s) for s in row] for row in case["scores"]], np.float32)
    if "train" in case:
        seen = np.array([(u, item) for u, row in enumerate(case["train"]) for item in row])
        options["train"] = Csr.from_coo(seen[:, 0], seen[:, 1], np.ones(len(seen)), (n, n_items))
    if "item_vectors" in case:
        options["item_vectors"] = np.array(case["item_vectors"], np.float32)
    metrics = list(dict.fromkeys(name.split("@")[0] for name in case["expected"]))

    result = ranking_metrics(np.array(case["lists"], np.int32), relevant, case["k"], metrics, **options)

    for name, (expression, value) in case["expected"].items():
        assert result[name] == pytest.approx(value, abs=1e-12), f"{name} = {expression}"


def test_every_metric_has_a_golden_value() -> None:
    assert {name.split("@")[0] for case in CASES for name in case["expected"]} == set(METRICS)
