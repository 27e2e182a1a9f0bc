"""The section [fraud]: what it takes, what `serve --check` says of it, and a start that cannot be."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.fraud.test_decision import fitted
from tests.service.small_index import small_index

from recocore.errors import InvalidArgumentError
from recocore.models import Popularity
from recocore.service.checking import check_service
from recocore.service.fraud.config import FraudConfig
from recocore.service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"model": "m"}, "fraud.path"),
        ({"path": "p"}, "fraud.model"),
        ({"model": "m", "path": "p" * 100}, "fraud.path"),
        ({"durability": "never"}, "fraud.durability"),
        ({"checkpoint_events": 0}, "fraud.checkpoint_events"),
        ({"remembered": 0}, "fraud.remembered"),
        ({"keep_days": -1}, "fraud.keep_days"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        FraudConfig(**settings)
    assert caught.value.field == field


def test_a_check_says_what_would_decide(tmp_path: Path) -> None:
    model = fitted()[0]
    model.save(tmp_path / "model")
    small_index(Popularity()).save(tmp_path / "index")
    given: dict[str, dict[str, Any]] = {
        "server": {"port": 0},
        "fraud": {"model": str(tmp_path / "model"), "path": str(tmp_path / "log")},
    }

    def said() -> tuple[bool, str]:
        [check] = [
            check for check in check_service(Settings.load(options=given), tmp_path / "index") if check.name == "fraud"
        ]
        return check.ok, check.said

    ok, text = said()
    assert ok
    assert model.version in text
    assert model.rules.version in text
    given["fraud"] |= {"keep_days": 7}
    ok, text = said()
    assert not ok
    assert "keep_days: expected at least 30" in text
    given["fraud"] |= {"keep_days": 30, "follow_events": True}
    ok, text = said()
    assert not ok
    assert "[state] path" in text
    del given["fraud"]["follow_events"]
    given["fraud"]["rings"] = str(tmp_path / "rings.json")
    assert said()[0] is False
    (tmp_path / "rings.json").write_text("{}")
    ok, text = said()
    assert not ok
    assert "rings.json" in text


def test_a_service_whose_model_is_missing_does_not_start(tmp_path: Path) -> None:
    small_index(Popularity()).save(tmp_path / "index")
    code = (
        "from recocore.service import serve\nfrom recocore.service.fraud.config import FraudConfig\n"
        f"serve({str(tmp_path / 'index')!r}, port=0, fraud=FraudConfig({str(tmp_path / 'no')!r}, {str(tmp_path / 'log')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "NotFoundError" in done.stderr
    assert str(tmp_path / "no") in done.stderr
