"""What metrics and page show when workers die, models move and versions are refused."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from tests.service.observe.test_port import values
from tests.service.registries import damage_version, made_registry
from tests.service.watched import WatchedProcess

from recocore.client import Client

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = ["serving", "serving", "standby"]


def calls_of(report: dict[str, Any]) -> float:
    return float(report["totals"]["calls"])


def states(report: dict[str, Any]) -> list[str]:
    return sorted(worker["state"] for worker in report["workers"])


def answer_of(server: WatchedProcess, alias: str) -> dict[str, Any]:
    """What the page says of an alias."""
    [model] = [model for model in server.report()["models"] if model["alias"] == alias]
    return dict(model)


def ask(server: WatchedProcess, count: int) -> None:
    for _ in range(count):
        with Client(server.address, timeout=20, options=(("grpc.use_local_subchannel_pool", 1),)) as client:
            client.recommend("user-00")


def test_counts_go_on_where_workers_die(saved: Path) -> None:
    with WatchedProcess.watch(saved, workers=2) as server:
        before = server.until(lambda report: states(report) == WHOLE)
        for deaths in range(1, 4):
            ask(server, 10)
            victim = server.serving()[0]
            os.kill(victim, signal.SIGKILL)
            report = server.until(
                lambda report, victim=victim, deaths=deaths: (  # type: ignore[misc]  # bound now
                    report["totals"]["restarts"] == deaths
                    and states(report) == WHOLE
                    and victim not in [worker["pid"] for worker in report["workers"]]
                )
            )
            assert calls_of(report) == 10 * deaths
            assert report["live"]["in_flight"] == 0
        ask(server, 10)
        report = server.until(lambda report: calls_of(report) == 40)
        metrics = server.ask("/metrics").body
    # The places are those of before, with other processes in them.
    assert [worker["number"] for worker in report["workers"]] == [worker["number"] for worker in before["workers"]]
    assert sum(worker["restarts"] for worker in report["workers"]) == 3
    assert values(metrics, "recocore_worker_restarts_total") == {(): 3.0}
    assert values(metrics, "recocore_calls_total") == {("Recommend", "OK"): 40.0}


def test_a_worker_that_drains_has_its_counts_to_itself(saved: Path) -> None:
    """Who takes over counts elsewhere while the old one still does."""
    with WatchedProcess.watch(saved) as server, Client(server.address, timeout=20) as client:
        server.until(lambda report: states(report) == ["serving", "standby"])
        client.recommend("user-00")
        old = server.serving()[0]
        os.kill(old, signal.SIGTERM)
        server.until(lambda report: old not in [worker["pid"] for worker in report["workers"]])
        client.recommend("user-00")
        report = server.until(lambda report: states(report) == ["serving", "standby"])
        assert calls_of(report) == 2
        assert report["live"]["in_flight"] == report["live"]["queued"] == 0


def test_a_swap_and_a_refused_version_are_shown(tmp_path: Path) -> None:
    registry, versions = made_registry(tmp_path / "models")
    with WatchedProcess.watch(registry.path, workers=2) as server:
        server.until(lambda report: states(report) == WHOLE)
        assert answer_of(server, "stable")["version"] == versions[0]
        ask(server, 4)
        registry.set_alias("stable", versions[1])
        report = server.until(lambda report: report["models"][0]["version"] == versions[1])
        assert (report["models"][0]["model"], report["models"][0]["state"]) == ("ItemKNN", "ready")
        assert [(model["alias"], model["version"], model["state"]) for model in report["models"][1:]] == [
            ("", versions[0], "draining")
        ]
        with Client(server.address, timeout=20) as client:
            assert client.recommend("user-00").served_model == versions[1]
        # The registry reads a version through before an alias may lead to it: it is damaged afterwards, and unseen.
        os.kill(server.process.pid, signal.SIGSTOP)
        registry.set_alias("stable", versions[2])
        damage_version(registry, versions[2])
        os.kill(server.process.pid, signal.SIGCONT)
        report = server.until(lambda report: report["totals"]["load_failures"] == 1)
        report = server.until(lambda report: any(model["state"] == "failed" for model in report["models"]))
        assert report["models"][0]["version"] == versions[1]
        [failed] = [model for model in report["models"] if model["state"] == "failed"]
        assert (failed["version"], "interactions.values.npy" in failed["failure"]) == (versions[2], True)
        metrics = server.ask("/metrics").body
    assert report["totals"]["swaps"] == 1
    assert values(metrics, "recocore_model_swaps_total") == {(): 1.0}
    assert values(metrics, "recocore_model_load_failures_total") == {(): 1.0}
    # Two versions in two workers and the one that stands by.
    assert values(metrics, "recocore_model_load_seconds_count") == {(): 6.0}
    assert values(metrics, "recocore_model_info") == {("stable", "ItemKNN", versions[1]): 1.0}
    assert values(metrics, "recocore_model_calls_total") == {("stable", "", "OK", ""): 5.0}


def test_what_a_shadow_finds_is_shown(tmp_path: Path) -> None:
    registry, versions = made_registry(tmp_path / "models")
    registry.set_alias("next", versions[1])
    with WatchedProcess.watch(registry.path, more="shadow=ShadowConfig('next', 1.0)") as server:
        ask(server, 3)
        server.until(lambda _: values(server.ask("/metrics").body, "recocore_shadow_overlap_count") == {(): 3.0})
        assert values(server.ask("/metrics").body, "recocore_shadow_failures_total") == {(): 0.0}


def test_the_port_answers_before_the_service_does_and_until_it_has_ended(saved: Path) -> None:
    with WatchedProcess.watch(saved, server="drain_delay_seconds=3.0") as server:
        events = [record["event"] for record in server.records()]
        assert events.index("metrics") < events.index("serving")
        server.terminate()
        server.until(lambda report: not report["ready"])
        assert server.ask("/readyz").status == 503
        assert server.wait() == 0, server.log()
