"""Decisions: online is offline to the last bit, after a restart too; reasons, costs, exploration, replay."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fraud.logs import RULES, SPECS, batch, orders

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.fraud import (
    Costs,
    Decision,
    Exploration,
    FraudEngine,
    FraudModel,
    IsolationForest,
    RuleSet,
    Velocity,
    VelocitySpec,
    fit_model,
    rule_columns,
)

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = rule_columns([VelocitySpec.parse(text) for text in SPECS])


@cache
def fitted(supervised: bool = False) -> tuple[FraudModel, list[dict[str, Any]]]:
    events, labels = orders()
    split = len(events) * 2 // 3
    model, _ = fit_model(
        batch(events[:split]),
        SPECS,
        RuleSet.from_toml(RULES, COLUMNS),
        labels=labels[:split],
        label_cut="1970-01-20",
        detector=IsolationForest(n_trees=30, seed=1, num_threads=1),
        supervised=supervised,
        exploration=Exploration(0.1, "s", 1000.0),
        decide=("buy",),
    )
    return model, events


def live(engine: FraudEngine, events: list[dict[str, Any]]) -> list[Decision]:
    made = []
    for event in events:
        if event["type"] == "buy":
            made.append(engine.score(event))
        else:
            engine.observe(event)
    return made


@pytest.mark.parametrize("supervised", [False, True])
def test_online_is_offline_and_a_restart_leaves_no_trace(tmp_path: Path, supervised: bool) -> None:
    model, events = fitted(supervised)
    offline = list(model.decisions(batch(events)))
    model.save(tmp_path / "model")
    loaded = FraudModel.load(tmp_path / "model")
    assert loaded.version == model.version
    assert loaded.card == model.card
    engine = FraudEngine(loaded)
    online = live(engine, events[:1500])
    engine.save(tmp_path / "engine")
    again = FraudEngine.load(tmp_path / "engine", FraudModel.load(tmp_path / "model"))
    online += live(again, events[1500:])
    assert online == offline
    assert len(offline) == 3000
    assert all(decision.reasons for decision in offline)
    assert {decision.decision for decision in offline} >= {"approve", "challenge", "decline"}


def test_parts_of_a_batch_give_what_the_whole_gives() -> None:
    model, events = fitted()
    velocity = model.new_velocity()
    parts = [
        decision
        for begin in range(0, len(events), 777)
        for decision in model.decisions(batch(events[begin : begin + 777]), velocity)
    ]
    assert parts == list(model.decisions(batch(events)))


def test_a_decision_is_reproduced_from_the_log_and_the_versions_it_names(tmp_path: Path) -> None:
    """Two models and two rule sets were in use; whoever has them by version and the log finds every decision again."""
    first, events = fitted()
    second, _ = fitted(supervised=True)
    stricter = RuleSet.from_toml(RULES.replace(">= 4", ">= 3"), COLUMNS)
    models = {model.version: model for model in (first, second)}
    rule_sets = {rules.version: rules for rules in (first.rules, stricter)}
    assert len(models) == len(rule_sets) == 2
    engine = FraudEngine(first)
    log = live(engine, events[:800])
    engine.use_rules(stricter)
    log += live(engine, events[800:1300])
    log += live(FraudEngine(second, engine.velocity, stricter), events[1300:])
    lines = [json.loads(json.dumps(decision.as_json(), allow_nan=False)) for decision in log]
    used = {(body["model_version"], body["ruleset_version"]) for body in lines}
    assert len(used) == 3
    for versions in used:
        made = models[versions[0]].decisions(batch(events), rules=rule_sets[versions[1]])
        found = {decision.event_id: decision for decision in made}
        for body in lines:
            if (body["model_version"], body["ruleset_version"]) == versions:
                assert found[body["event_id"]] == Decision.from_json(body)


def test_reasons_name_what_was_seen_and_add_up() -> None:
    model, events = fitted()
    scored = model.score_events(batch(events))
    decisions = list(model.decisions(batch(events)))
    hit = next(d for d in decisions if d.reasons[0].code == "known_bad_device")
    reason = hit.reasons[0]
    assert reason.kind == "rule"
    assert reason.window == "4w"
    assert reason.threshold == 0.0
    assert isinstance(reason.observed, float)
    assert reason.observed > 0
    assert reason.evidence[0]["text"] == "count_by_device_4w_fraud > 0"
    assert hit.decision == "decline" or hit.policy == "decline"
    assert hit.penalties == ("freeze",)
    for at, decision in enumerate(decisions[:1500]):
        assert decision.score == round(1000 * scored.risk[at])
        assert decision.probability == scored.probability[at]
        assert decision.reasons[-1].code == "EXPECTED_COST"
        for reason in decision.reasons:  # without this one the risk would be so much lower
            if reason.kind == "rule":
                score = {rule.name: rule.score for rule in model.rules.rules}[reason.code]
                without = 1 - (1 - scored.risk[at]) / (1 - score / 1000)
                assert reason.contribution == pytest.approx(1000 * (scored.risk[at] - without), abs=1e-3)
    unusual = [d for d in decisions if any(r.code == "ANOMALY" for r in d.reasons)]
    assert unusual
    shown = next(r for r in unusual[0].reasons if r.code == "ANOMALY").evidence
    assert {item["feature"] for item in shown} <= set(model.features)
    assert any(d.shadow and d.shadow[0]["rule"] == "trial" for d in decisions)
    assert any("shared_device" in d.errors for d in decisions)  # an order without a device


def test_the_same_event_sent_again_counts_once(tmp_path: Path) -> None:
    model, events = fitted()
    engine = FraudEngine(model)
    first = live(engine, events[:50])
    assert engine.score(events[49]) == first[-1]
    engine.save(tmp_path / "saved")
    again = FraudEngine.load(tmp_path / "saved", model)
    assert again.score(events[49]) == first[-1]
    assert again.recall(first[0].event_id) == first[0]
    assert again.recall("never") is None
    assert live(again, events[50:80]) == live(engine, events[50:80])


def test_an_event_that_does_not_fit_is_refused_and_not_counted() -> None:
    model, events = fitted()
    engine, other = FraudEngine(model), FraudEngine(model)
    order = next(event for event in events if event["type"] == "buy")
    for wrong in (
        *({"value": "much"}, {"country": 1.5}, {"event_time": None}, {"device": b"x"}),
        *({"value": math.inf}, {"value": -math.inf}, {"value": 10**400}, {"event_time": 2**70}),
        *({"event_id": "\ud800"}, {"user_id": "\ud800"}, {"country": "\ud800", "event_id": None}),
    ):
        with pytest.raises(InvalidArgumentError, match="expected"):
            engine.score({**order, **wrong})
    assert live(engine, events[:30]) == live(other, events[:30])
    with pytest.raises(InvalidArgumentError, match="velocity"):
        FraudEngine(model, Velocity(["count by ip over 1h"]))


def test_a_batch_with_an_infinite_number_is_refused_before_it_counts() -> None:
    model, events = fitted()
    velocity = model.new_velocity()
    with pytest.raises(InvalidArgumentError, match=r"value: expected finite numbers.* row 1"):
        model.score_events(batch([events[0], {**events[1], "value": math.inf}]), velocity)
    assert velocity.keys == 0


def test_policy_is_the_strictest_unless_the_highest_priority_approves() -> None:
    model, events = fitted()
    friends = RULES + '\n[[rules]]\nname = "friend"\nwhen = "value is not missing"\noutcome = "approve"\npriority = 9\n'
    made = list(model.decisions(batch(events), rules=RuleSet.from_toml(friends, COLUMNS)))
    paid = {event["event_id"] for event in events if event["value"] is not None}
    assert all(decision.policy == "approve" for decision in made if decision.event_id in paid)
    weak = friends.replace("priority = 9", "priority = -1")
    for decision in model.decisions(batch(events), rules=RuleSet.from_toml(weak, COLUMNS)):
        codes = [reason.code for reason in decision.reasons]
        if "known_bad_device" in codes:
            assert decision.policy == "decline"
        elif "shared_device" in codes:
            assert decision.policy in ("review", "decline")


def test_exploration_has_the_propensity_that_it_says() -> None:
    explore = Exploration(0.05, "secret", 200.0)
    drawn = [explore.apply("decline", f"id{i}", 50.0, punished=False) for i in range(20000)]
    share = sum(outcome == "approve" for outcome, _ in drawn) / len(drawn)
    assert share == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 20000))
    assert {(outcome, p) for outcome, p in drawn} == {("approve", 0.05), ("decline", 0.95)}
    assert drawn == [explore.apply("decline", f"id{i}", 50.0, punished=False) for i in range(20000)]
    for value, punished in ((201.0, False), (50.0, True), (math.nan, False)):
        assert explore.apply("decline", "id1", value, punished=punished) == ("decline", 1.0)
    assert explore.apply("approve", "id1", 5.0, punished=False) == ("approve", 1.0)
    assert Exploration(0.05, "other").draw("id1") != explore.draw("id1")
    with pytest.raises(InvalidArgumentError, match="rate"):
        Exploration(0.5)
    model, events = fitted()
    explored = [d for d in model.decisions(batch(events)) if d.decision != d.policy]
    assert explored
    assert all(d.propensity == 0.1 and "RANDOM_APPROVAL" in [r.code for r in d.reasons] for d in explored)
    assert not any(d.penalties for d in explored)


def test_the_cheapest_outcome_is_chosen() -> None:
    costs = Costs()
    rng = np.random.default_rng(1)
    for p, value in zip(rng.random(300), rng.lognormal(3, 1.5, 300), strict=True):
        outcome, four = costs.choose(float(p), float(value))
        fraud, good = p * (value + 15), (1 - p) * (0.1 * value + 5)
        by_hand = [fraud, 0.2 + 0.15 * fraud + 0.05 * good, 3 + 0.05 * fraud + 0.02 * good, good]
        np.testing.assert_allclose(four, by_hand)
        assert outcome == ("approve", "challenge", "review", "decline")[int(np.argmin(by_hand))]
    assert costs.expected(0.5, math.nan) == costs.expected(0.5, 50.0)
    with pytest.raises(InvalidArgumentError, match="review_catch"):
        Costs(review_catch=1.5)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    model, _ = fitted()
    model.save(tmp_path / "model")
    levels = tmp_path / "model" / "model" / "levels.npy"
    levels.write_bytes(levels.read_bytes()[:-8] + b"whatever")
    with pytest.raises(CorruptError):
        FraudModel.load(tmp_path / "model")


def test_labels_learn_and_the_card_says_from_what() -> None:
    model, events = fitted(supervised=True)
    card = model.card
    assert card.label_cut == "1970-01-20"
    assert card.rows + card.calibration_rows == sum(e["type"] == "buy" for e in events[: len(events) * 2 // 3])
    assert 0 < card.fraud < card.labelled <= card.rows
    assert card.calibration == "platt"
    assert "count_by_device_4w_fraud" in card.features
    _, labels = orders()
    scored = model.score_events(batch(events))
    late = scored.rows > len(events) * 2 // 3
    known = labels[scored.rows][late]
    assert scored.probability[late].mean() == pytest.approx(known.mean(), abs=0.02)
    assert scored.probability[late][known == 1].mean() > 0.5


def test_events_without_an_id_are_told_apart_by_what_they_say() -> None:
    model, events = fitted()
    nameless = [{name: value for name, value in event.items() if name != "event_id"} for event in events[:300]]
    engine = FraudEngine(model)
    as_sent = [
        {
            **event,
            "value": int(event["value"])
            if event["value"] and event["value"] == int(event["value"])
            else event["value"],
        }
        for event in nameless
    ]
    assert live(engine, as_sent) == list(model.decisions(batch(nameless)))
