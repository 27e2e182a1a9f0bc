"""What each method answers, over a socket, for an index whose answers are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from recocore.client import Reason, ServiceError
from recocore.service.attribution import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.client import Client, Item, Recommendations


def ids(items: Sequence[Item]) -> list[str]:
    return [item.item_id for item in items]


def evens(start: int, count: int) -> list[str]:
    return [f"i{number:02}" for number in range(start, start + 2 * count, 2)]


def test_recommend_leaves_out_what_the_user_has_seen(client: Client) -> None:
    answer = client.recommend("even", 3)
    assert [(item.item_id, item.score, item.source) for item in answer.items] == [
        ("i04", 96.0, "model"),
        ("i06", 94.0, "model"),
        ("i08", 92.0, "model"),
    ]
    assert answer.fallback_used == "none"
    assert answer.missing_ids == ()
    assert answer.served_model == "stub-1"


def test_recommend_includes_seen_items_on_request(client: Client) -> None:
    assert ids(client.recommend("even", 3, seen_policy="include").items) == evens(0, 3)


def test_recommend_keeps_to_the_lists(client: Client) -> None:
    answer = client.recommend(
        "even", candidate_item_ids=["i09", "i06", "nix", "i04", "i02"], exclude_item_ids=["i06", "?"]
    )
    assert ids(answer.items) == ["i04", "i09"]
    assert answer.missing_ids == ("nix",)


def test_recommend_gives_reasons_on_request(client: Client) -> None:
    assert client.recommend("even", 1).items[0].reasons == ()
    assert client.recommend("even", 1, explain=True).items[0].reasons == (Reason("i00", 0.5), Reason("i02", 0.5))


@pytest.mark.parametrize(("asked", "given"), [(0, 10), (1, 1), (40, 38), (500, 38), (501, 38), (2**31 - 1, 38)])
def test_page_size_has_a_default_and_a_ceiling(client: Client, asked: int, given: int) -> None:
    assert len(client.recommend("even", asked).items) == given


def test_an_unknown_user_gets_the_popular_items(client: Client) -> None:
    answer = client.recommend("nobody", 2, exclude_item_ids=["i00"])
    assert [(item.item_id, item.score, item.source) for item in answer.items] == [
        ("i01", 39.0, "popular"),
        ("i02", 38.0, "popular"),
    ]
    assert (answer.fallback_used, answer.missing_ids) == ("popular", ("nobody",))


def test_an_unknown_user_gets_nothing_without_a_fallback(client: Client) -> None:
    answer = client.recommend("nobody", fallback="none")
    assert (answer.items, answer.fallback_used, answer.missing_ids) == ((), "none", ("nobody",))


def test_the_token_joins_the_answer_to_its_call(client: Client) -> None:
    answer = client.recommend("even")
    found = decode(answer.attribution_token)
    assert (found.served_model, found.request_id) == (answer.served_model, answer.request_id)
    assert abs(datetime.now(UTC) - found.issued_at) < timedelta(minutes=5)


def test_similar_items_of_one_seed(client: Client) -> None:
    answer = client.similar_items(["i05"], 4, exclude_item_ids=["i04"])
    assert ids(answer.items) == ["i06", "i03", "i07", "i02"]
    assert [item.score for item in answer.items] == pytest.approx([1 / 2, 1 / 3, 1 / 3, 1 / 4])


def test_similar_items_score_the_mean_over_seeds(client: Client) -> None:
    answer = client.similar_items(["i03", "i05", "i05", "nix"], 3)
    assert ids(answer.items) == ["i04", "i02", "i06"]
    assert [item.score for item in answer.items] == pytest.approx([1 / 2, 3 / 8, 3 / 8])
    assert answer.missing_ids == ("nix",)
    assert decode(answer.attribution_token).request_id == answer.request_id


def test_ties_of_several_seeds_are_ordered_by_id_whatever_the_order_of_the_seeds(client: Client) -> None:
    for seeds in (["i03", "i05"], ["i05", "i03"]):
        assert ids(client.similar_items(seeds, 3).items) == ["i04", "i02", "i06"]


def test_similar_items_keep_to_the_candidates(client: Client) -> None:
    answer = client.similar_items(["i05"], candidate_item_ids=["i30", "i05", "nix", "i01"])
    assert ids(answer.items) == ["i01", "i30"]
    assert answer.missing_ids == ("nix",)


def test_score_keeps_the_order_of_the_request(client: Client) -> None:
    answer = client.score("odd", ["i09", "nix", "i00", "nix", "i01"])
    assert list(answer.scores.items()) == [("i09", 91.0), ("i00", 50.0), ("i01", 99.0)]
    assert answer.missing_ids == ("nix",)
    assert answer.served_model == "stub-1"


def test_a_batch_answers_as_single_calls_do(client: Client) -> None:
    users = ["even", "nobody", "odd", "even"]
    rows = client.batch_recommend(users, 3, explain=True, exclude_item_ids=["i05"])
    assert [row.user_id for row in rows] == users

    def content(answer: Recommendations | ServiceError) -> object:
        assert not isinstance(answer, ServiceError)
        return answer.items, answer.fallback_used, answer.missing_ids, answer.served_model

    for user, row in zip(users, rows, strict=True):
        assert content(row.result) == content(client.recommend(user, 3, explain=True, exclude_item_ids=["i05"]))


def test_a_bad_row_leaves_the_rest_of_a_batch_whole(client: Client) -> None:
    rows = client.batch_recommend(["even", "", "boom", "odd", "é" * 129, "no-memory"], 1)
    statuses = [
        (row.result.status, row.result.reason) if isinstance(row.result, ServiceError) else "OK" for row in rows
    ]
    assert statuses == [
        "OK",
        ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("INTERNAL", "INTERNAL"),
        "OK",
        ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("RESOURCE_EXHAUSTED", "OUT_OF_MEMORY"),
    ]
    bad = rows[4].result
    assert isinstance(bad, ServiceError)
    assert [(violation.field, violation.description) for violation in bad.violations] == [
        ("user_ids[4]", "expected an id of at most 256 bytes, got 258")
    ]


def test_a_batch_takes_as_many_users_as_it_says(client: Client) -> None:
    rows = client.batch_recommend([f"user-{number}" for number in range(1_000)], 2)
    assert len(rows) == 1_000
    assert all(not isinstance(row.result, ServiceError) and len(row.result.items) == 2 for row in rows)


def test_ids_may_be_any_text(client: Client) -> None:
    odd = ["\0", "用户", "a/b?c=d", " ", "e" * 256, "😀" * 64]
    assert client.recommend("even", candidate_item_ids=odd).missing_ids == tuple(odd)
    assert client.recommend(odd[1], 1).missing_ids == (odd[1],)
