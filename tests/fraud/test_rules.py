"""Rules: all or none, hit, no hit and error, shadow, snooze, reload, back-test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.expressions import Expression, Kind, compiled
from recocore.fraud.rules import LiveRules, Rule, RuleSet, RuleStatus, backtest

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS: dict[str, Kind] = {"value": "number", "mean": "number", "country": "text"}
TOML = """
[[rules]]
name = "spike"
when = "value / mean > 3"
outcome = "review"
score = 400
priority = 5

[[rules]]
name = "far"
when = "country not in ('TW', 'HK')"
score = 500
shadow = true

[[rules]]
name = "asleep"
when = "value > 0"
outcome = "decline"
penalty = "freeze"
priority = 9
snoozed_until = 2026-01-01T00:00:00Z
"""


def table() -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    return {
        "value": np.array([10.0, 10.0, 10.0, np.nan]),
        "mean": np.array([1.0, 0.0, 9.0, 1.0]),
        "country": np.array(["TW", "VN", None, "HK"], object),
    }


def test_every_status_in_tables_and_rows() -> None:
    rules = RuleSet.from_toml(TOML, COLUMNS)
    assert [rule.name for rule in rules.rules] == ["asleep", "spike", "far"]
    wake = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)
    times = np.array([wake - 1, wake, wake, wake - 1])
    results = rules.evaluate(table(), times)
    hit, no, error, snoozed = RuleStatus.HIT, RuleStatus.NO_HIT, RuleStatus.ERROR, RuleStatus.SNOOZED
    assert results.statuses.tolist() == [[snoozed, hit, no], [hit, error, hit], [hit, no, error], [snoozed, error, no]]
    one = rules.row_function(["country", "value", "mean"])
    columns = table()
    for at in range(4):
        row = [columns["country"][at], float(columns["value"][at]), float(columns["mean"][at])]
        assert one(row, int(times[at])) == results.statuses[at].tolist()
    np.testing.assert_allclose(results.risk(), [0.4, 0, 0, 0])
    assert not results.hits()[:, 2].any()


def test_a_broken_set_is_refused_whole_and_says_all() -> None:
    broken = TOML + '[[rules]]\nname = "b"\nwhen = "value >"\n[[rules]]\nname = "c"\nwhen = "price > 3"\nscor = 1\n'
    with pytest.raises(InvalidArgumentError) as refused:
        RuleSet.from_toml(broken, COLUMNS)
    assert "rules[3] (b): when: expected an expression" in str(refused.value)
    assert "rules[4] (c)" in str(refused.value)
    for wrong in (
        'score = 1001\nwhen = "value > 1"',
        'score = 1.5\nwhen = "value > 1"',
        'outcome = "kill"\nwhen = "value > 1"',
        'penalty = "fine"\nwhen = "value > 1"',
        'when = "value + 1"',
        'when = "value > 1"\nfunction = "x"',
        "score = 3",
        'function = "unknown"',
        'snoozed_until = 2026-01-01T00:00:00\nwhen = "value > 1"',
    ):
        with pytest.raises(InvalidArgumentError, match="expected"):
            RuleSet.from_toml(f'[[rules]]\nname = "r"\n{wrong}', COLUMNS)
    with pytest.raises(InvalidArgumentError, match="twice"):
        RuleSet.from_toml(TOML + '[[rules]]\nname = "far"\nwhen = "value > 1"', COLUMNS)
    with pytest.raises(InvalidArgumentError, match="TOML"):
        RuleSet.from_toml("[[rules]", COLUMNS)
    many = "".join(f'[[rules]]\nname = "r{i}"\nwhen = "value > {i}"\n' for i in range(1001))
    with pytest.raises(InvalidArgumentError, match="at most 1000 rules, got 1001"):
        RuleSet.from_toml(many, COLUMNS)
    for no_text in (None, b"x = 1", 5):
        with pytest.raises(InvalidArgumentError, match="expected a text"):
            RuleSet.from_toml(no_text, COLUMNS)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="alone"):
        RuleSet.from_toml("x = 1", COLUMNS)


def test_the_version_follows_what_decides() -> None:
    rules = RuleSet.from_toml(TOML, COLUMNS)
    assert rules.version == RuleSet.from_toml(TOML.replace("value / mean > 3", "(value/mean)>3.0"), COLUMNS).version
    assert rules.version == RuleSet.from_toml(TOML + 'description = "what for"\n', COLUMNS).version
    for old, new in (("400", "401"), ("> 3", "> 4"), ("review", "challenge"), ("true", "false"), ("= 5", "= 6")):
        assert rules.version != RuleSet.from_toml(TOML.replace(old, new), COLUMNS).version


def test_a_compiled_function_is_a_rule() -> None:
    def spike(value, mean):  # type: ignore[no-untyped-def]  # numba types it
        return value / mean > 3

    text = '[[rules]]\nname = "spike"\nfunction = "spike"'
    rules = RuleSet.from_toml(text, COLUMNS, {"spike": compiled(spike)})
    same = RuleSet((Rule("spike", Expression.parse("value / mean > 3", COLUMNS)),))
    times = np.zeros(4, np.int64)
    assert rules.evaluate(table(), times).statuses.tolist() == same.evaluate(table(), times).statuses.tolist()


def test_a_broken_file_leaves_the_old_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    with pytest.raises(NotFoundError):
        LiveRules(path, COLUMNS)
    path.write_text(TOML)
    live = LiveRules(path, COLUMNS)
    before = live.current
    assert not live.reload()
    path.write_text(TOML + "[[rules]]\n")
    with pytest.raises(InvalidArgumentError):
        live.reload()
    assert live.current is before
    path.write_text(TOML.replace("400", "500"))
    assert live.reload()
    assert live.current.version != before.version
    path.unlink()
    with pytest.raises(NotFoundError):
        live.reload()


def test_backtest_is_counted_by_hand() -> None:
    text = """
    [[rules]]
    name = "large"
    when = "value > 50"
    [[rules]]
    name = "ratio"
    when = "value / mean > 3"
    [[rules]]
    name = "quiet"
    when = "value > 0"
    shadow = true
    """
    value = np.array([100.0, 60, 40, 30, 70, 10])
    columns = {"value": value, "mean": np.array([1.0, 50, 1, 0, 60, 9])}
    labels = np.array([1, 0, 1, 1, np.nan, 0])
    report = backtest(RuleSet.from_toml(text, COLUMNS), columns, np.zeros(6, np.int64), labels, value)
    large, quiet, ratio = report.rules
    assert (large.hits, large.known, large.fraud, large.alone, large.errors) == (3, 2, 1, 0, 0)
    assert (large.precision, large.recall) == (0.5, 1 / 3)
    assert (large.blocked_value, large.harmed_value) == (100.0, 60.0)
    assert (ratio.hits, ratio.fraud, ratio.alone, ratio.errors) == (2, 2, 1, 1)
    assert (quiet.hits, quiet.fraud, quiet.alone) == (6, 3, 1)
    together = report.together
    assert (together.hits, together.fraud, together.errors, together.recall) == (4, 2, 1, 2 / 3)
    assert (report.known, report.prevalence) == (5, 0.6)
    with pytest.raises(InvalidArgumentError, match="labels"):
        backtest(RuleSet(()), columns, np.zeros(6, np.int64), np.full(6, 2.0), value)
