"""Shadow scoring: what is compared, what is dropped, and that answers do not know of it."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.callers import until
from tests.service.registries import made_registry
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.client import Client
from recocore.errors import InvalidArgumentError
from recocore.index import RankedItem, RankedList
from recocore.index.asking import Ask
from recocore.models import ItemKNN, Popularity
from recocore.service import ShadowConfig
from recocore.service.engine import Engine as IndexEngine
from recocore.service.hosting.host import Hosted
from recocore.service.hosting.shadow import Comparison, Shadow, ShadowLog
from recocore.service.page_tokens import PageToken
from recocore.service.queries import Ranking, RecommendQuery, Template
from recocore.service.turns import Turns

if TYPE_CHECKING:
    from pathlib import Path

QUERY = RecommendQuery("ann", Template(Ask(k=4, fallbacks=())))


def ranked(**scores: float) -> Ranking:
    return Ranking(RankedList(tuple(RankedItem(item, score) for item, score in scores.items())))


class Engine:
    """Answers with one list, when it may."""

    def __init__(self, answer: Ranking | Exception) -> None:
        self.answer = answer
        self.may = threading.Event()
        self.may.set()

    def recommend(self, _: RecommendQuery) -> Ranking:
        self.may.wait(20)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Sink:
    def __init__(self) -> None:
        self.comparisons: list[Comparison] = []
        self.drops: list[str] = []

    def compared(self, comparison: Comparison) -> None:
        self.comparisons.append(comparison)

    def dropped(self, reason: str) -> None:
        self.drops.append(reason)


def hosted(version: str, answer: Ranking | Exception) -> tuple[Hosted, Engine]:
    engine: Any = Engine(answer)
    return Hosted(engine, version), engine


def test_two_rankings_are_compared() -> None:
    sink = Sink()
    shadow = Shadow(ShadowConfig("canary", 1.0), sink, Turns())
    served, _ = hosted("old", ranked(a=4.0, b=3.0, c=2.0, d=1.0))
    other, _ = hosted("new", ranked(b=5.0, x=4.0, a=3.0, y=2.0))
    shadow.offer(served, other, QUERY)
    shadow.offer(served, other, "something else")
    until(lambda: sink.comparisons)
    shadow.close()
    (comparison,) = sink.comparisons
    assert (comparison.served_version, comparison.shadow_version) == ("old", "new")
    # a and b of four; (3 - 4 + 5 - 3) / 2.
    assert (comparison.overlap, comparison.score_difference) == (0.5, 0.5)
    assert sink.drops == []


def test_a_full_queue_and_a_failing_model_cost_nobody_anything() -> None:
    sink = Sink()
    shadow = Shadow(ShadowConfig("canary", 1.0, queue=2), sink, Turns())
    answer = ranked(a=1.0)
    served, slow = hosted("old", answer)
    other, engine = hosted("new", answer)
    slow.may.clear()
    for _ in range(10):
        shadow.offer(served, other, QUERY)
    slow.may.set()
    until(lambda: len(sink.comparisons) + len(sink.drops) >= 2)
    engine.answer = RuntimeError("broken")
    shadow.offer(served, other, QUERY)
    until(lambda: "failed" in sink.drops)
    shadow.close()
    assert 7 <= sink.drops.count("full") <= 8


def test_a_further_page_is_compared_and_nothing_is_kept_of_the_models() -> None:
    sink = Sink()
    shadow = Shadow(ShadowConfig("canary", 1.0), sink, Turns())
    served, other = small_index(Popularity()), small_index(ItemKNN(k=5))
    engines = [IndexEngine(served), IndexEngine(other)]
    gone = [weakref.ref(engine) for engine in engines]
    query = RecommendQuery("user-03", Template(Ask(k=3, offset=3)), PageToken(served.version, 3, b""))
    shadow.offer(Hosted(engines[0], served.version), Hosted(engines[1], other.version), query)
    engines.clear()
    until(lambda: sink.comparisons or sink.drops)
    assert sink.drops == []
    until(lambda: [engine() for engine in gone] == [None, None])
    shadow.close()


def test_what_has_waited_too_long_is_dropped() -> None:
    sink = Sink()
    shadow = Shadow(ShadowConfig("canary", 1.0), sink, Turns())
    answer = ranked(a=1.0)
    served, slow = hosted("old", answer)
    slow.may.clear()
    for _ in range(2):
        shadow.offer(served, hosted("new", answer)[0], QUERY)
    time.sleep(0.6)  # longer than anything may wait
    slow.may.set()
    until(lambda: sink.drops)
    shadow.close()
    assert (len(sink.comparisons), sink.drops) == (1, ["stale"])


def test_a_share_of_the_calls_is_ranked_again() -> None:
    sink = Sink()
    shadow = Shadow(ShadowConfig("canary", 0.2, queue=10_000), sink, Turns())
    answer = ranked(a=1.0)
    served, other = hosted("old", answer)[0], hosted("new", answer)[0]
    for _ in range(5_000):
        shadow.offer(served, other, QUERY)
    shadow.close()
    count = len(sink.comparisons) + len(sink.drops)
    assert count <= 5_000 * 0.2 + 5 * 29  # five standard deviations; what still waited at the end is dropped unseen


def test_the_log_has_a_summary(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "recocore.service"):
        log = ShadowLog(interval=0)
        log.compared(Comparison("old", "new", 0.5, 0.25, 0.001))
        log.dropped("full")
    first, second = (record.recocore_fields for record in caplog.records)  # type: ignore[attr-defined]
    assert first == {
        "compared": 1,
        "dropped": {},
        "served": "old",
        "shadow": "new",
        "overlap": 0.5,
        "score_difference": 0.25,
        "milliseconds_difference": 1.0,
    }
    assert second == {"compared": 0, "dropped": {"full": 1}}


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"alias": "No"}, "shadow.alias"), ({"share": 1.5}, "shadow.share"), ({"queue": 0}, "shadow.queue")],
)
def test_settings_are_checked(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ShadowConfig(**settings)
    assert caught.value.field == field


def test_a_service_with_a_shadow_answers_as_without(tmp_path: Path) -> None:
    registry, versions = made_registry(tmp_path / "models")
    registry.set_alias("canary", versions[1])
    with ServerProcess.follow(registry.path) as server, Client(server.address, timeout=20) as client:
        expected = client.recommend("user-03").items
    shadow = {"alias": "canary", "share": 1.0}
    with (
        ServerProcess.follow(registry.path, shadow=shadow) as server,
        Client(server.address, timeout=20) as client,
    ):
        for _ in range(50):
            answer = client.recommend("user-03")
            assert (answer.items, answer.served_model) == (expected, versions[0])
        server.terminate()
        assert server.wait() == 0, server.log()
        assert not [record for record in server.events("shadow") if record["level"] == "error"]
