"""Everything that a request can ask, over a socket, for an index whose answers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recocore.client import All, Diversity, Exists, In, Not, Range, Rule, ServiceError, SessionEvent
from recocore.client import Any as AnyOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.client import Client, Filter, Item


def ids(items: Sequence[Item]) -> list[str]:
    return [item.item_id for item in items]


def numbers(items: Sequence[Item]) -> list[int]:
    return [int(item.item_id.removeprefix("i")) for item in items]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (In("brand", ["b1"]), range(1, 40, 4)),
        (In("brand", ["b1", "b3"]), range(1, 40, 2)),
        (In("tags", ["round"]), range(0, 40, 10)),
        (In("sale", [True]), range(10)),
        (In("price", [3, 5.0, 39]), [3, 5]),
        (Range("price", at_least=30), range(30, 35)),
        (Range("price", above=30, at_most=33), range(31, 34)),
        (Range("price", below=2), range(2)),
        (Exists("price"), range(35)),
        (Not(Exists("price")), range(35, 40)),
        (All([In("tags", ["odd"]), Range("price", below=6)]), [1, 3, 5]),
        (AnyOf([In("tags", ["round"]), Range("price", below=2)]), [0, 1, 10, 20, 30]),
        (Not(AnyOf([In("sale", [True]), Not(Exists("price"))])), range(10, 35)),
        (All([Not(In("brand", ["b0", "b1", "b2"])), AnyOf([All([In("sale", [False])])])]), range(11, 40, 4)),
    ],
)
def test_only_items_that_pass_the_filter_come_back(client: Client, where: Filter, expected: Sequence[int]) -> None:
    for user in ("odd", "nobody"):
        items = client.recommend(user, 40, filter=where, seen_policy="include").items
        assert sorted(numbers(items)) == list(expected)
    assert sorted(numbers(client.similar_items(["i39"], 40, filter=where).items)) == [n for n in expected if n != 39]


def test_boosts_add_to_the_scores(client: Client) -> None:
    rules = [Rule("boost", In("tags", ["odd"]), weight=51), Rule("boost", item_ids=["i06"], weight=-3)]
    items = client.recommend("even", 6, rules=rules).items
    assert [(item.item_id, item.score) for item in items[:2]] == [("i01", 100.0), ("i03", 98.0)]
    assert ids(items[2:]) == ["i04", "i05", "i07", "i08"]


def test_buried_items_come_last(client: Client) -> None:
    items = client.recommend("even", 38, rules=[Rule("bury", Range("price", below=20))]).items
    assert numbers(items)[:2] == [20, 22]
    assert {n < 20 for n in numbers(items)[20:]} == {True}


def test_pinned_items_stand_at_their_slots_on_every_page(client: Client) -> None:
    rules = [Rule("pin", item_ids=["i21", "i23"], slot=3)]
    whole = ids(client.recommend("even", 10, rules=rules).items)
    assert whole[3:5] == ["i21", "i23"]
    first = client.recommend("even", 4, rules=rules)
    second = client.recommend("even", 4, rules=rules, page_token=first.next_page_token)
    assert ids(first.items) + ids(second.items) == whole[:8]


def test_rules_hold_for_similar_items(client: Client) -> None:
    answer = client.similar_items(["i05"], 3, rules=[Rule("pin", item_ids=["i30", "nix"])])
    assert ids(answer.items) == ["i30", "i04", "i06"]
    assert answer.missing_ids == ("nix",)


def test_a_group_has_at_most_so_many_items(client: Client) -> None:
    items = client.recommend("even", 40, diversity=Diversity(max_per_group=2, group_field="brand")).items
    assert [sum(n % 4 == brand for n in numbers(items)) for brand in range(4)] == [2, 2, 2, 2]


def test_a_session_ranks_for_somebody_unknown(client: Client) -> None:
    answer = client.recommend("nobody", 3, session_events=["i20", SessionEvent("i22", 2.0), "nix"])
    assert answer.items[0].item_id == "i21"
    assert {item.source for item in answer.items} == {"session"}
    assert answer.missing_ids == ("nobody", "nix")


def test_context_items_rank_without_a_user(client: Client) -> None:
    for personalization in ("context", "none"):
        answer = client.recommend("", 2, context_item_ids=["i20", "nix"], personalization=personalization)
        assert ids(answer.items) == ["i19", "i21"]
        assert {item.source for item in answer.items} == {"context"}
        assert answer.missing_ids == ("nix",)


def test_without_personalization_nothing_of_the_user_is_read(client: Client) -> None:
    answer = client.recommend("even", 3, personalization="none", session_events=["i30"])
    assert [(item.item_id, item.source) for item in answer.items] == [(f"i0{n}", "popular") for n in range(3)]
    # A user who cannot be ranked for is nobody here.
    assert client.recommend("boom", 1, personalization="full", fallback="none", validate_only=True).items == ()


def test_fallbacks_are_tried_in_order(client: Client) -> None:
    def sources(*chain: Any) -> tuple[list[str], str]:
        where = Range("price", at_least=30)
        answer = client.recommend("nobody", 9, fallback=chain, filter=where, session_events=["i33"])
        return [item.source for item in answer.items], answer.fallback_used

    assert sources("popular") == (["session"] * 4, "none")
    nobody = client.recommend("nobody", 3, fallback=["similar", "popular"])
    assert ([item.source for item in nobody.items], nobody.fallback_used) == (["popular"] * 3, "popular")
    assert client.recommend("nobody", 3, fallback=[]).items == ()
    assert client.recommend("nobody", 3, fallback=["none"]).items == ()


def test_negatives_push_their_likes_away(client: Client) -> None:
    plain = client.similar_items(["i20"], 2)
    assert ids(plain.items) == ["i19", "i21"]
    answer = client.similar_items(["i20"], 2, negative_item_ids=["i19", "nix"])
    assert ids(answer.items)[0] == "i21"
    assert "i19" not in ids(client.similar_items(["i20"], 40, negative_item_ids=["i19"]).items)
    assert answer.missing_ids == ("nix",)
    assert answer.items[0].score == pytest.approx(1 / 2 - 1 / 3)


def test_scores_travel_packed(client: Client) -> None:
    wanted = [f"i{n:02}" for n in range(40)] + ["nix"]
    assert client.score("odd", wanted, packed=True).scores == client.score("odd", wanted).scores


def test_scores_come_with_reasons(client: Client) -> None:
    answer = client.score("even", ["i09", "nix", "i04"], explain=True)
    assert {item: [reason.item_id for reason in reasons] for item, reasons in answer.reasons.items()} == {
        "i09": ["i00", "i02"],
        "i04": ["i00", "i02"],
    }
    assert answer.reasons["i04"][0].weight == pytest.approx(96 / 4)
    assert client.score("even", ["i09"]).reasons == {}


def test_ten_thousand_items_are_scored(client: Client) -> None:
    answer = client.score("even", [f"i{n % 40:02}" for n in range(10_000)], packed=True)
    assert len(answer.scores) == 40


def test_validate_only_checks_and_answers_without_items(client: Client) -> None:
    answer = client.recommend("nobody", 3, candidate_item_ids=["nix", "i01"], validate_only=True)
    assert (answer.items, answer.missing_ids, answer.served_model) == ((), ("nobody", "nix"), "stub-1")
    # It would fail, were it ranked.
    assert client.recommend("boom", 3, validate_only=True).items == ()
    assert client.similar_items(["i01", "nix"], validate_only=True).missing_ids == ("nix",)
    rows = client.batch_recommend(["even", "boom", ""], validate_only=True)
    assert [isinstance(row.result, ServiceError) for row in rows] == [False, False, True]


def test_a_batch_takes_the_same_template(client: Client) -> None:
    options: dict[str, Any] = {
        "filter": In("tags", ["odd"]),
        "rules": [Rule("pin", item_ids=["i09"])],
        "diversity": Diversity(max_per_group=1, group_field="brand"),
        "fallback": ["similar", "popular"],
        "context_item_ids": ["i20"],
        "packed": True,
    }
    users = ["even", "odd", "nobody"]
    for user, row in zip(users, client.batch_recommend(users, 2, **options), strict=True):
        assert not isinstance(row.result, ServiceError)
        single = client.recommend(user, 2, **options)
        assert row.result.items == single.items
        assert len(single.items) == 2
        more = (
            client.recommend(user, 2, page_token=row.result.next_page_token, **options)
            if single.next_page_token
            else None
        )
        assert more is None or not set(ids(more.items)) & set(ids(single.items))
