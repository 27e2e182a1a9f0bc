"""The files in deploy/ hold what the service really has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.small_index import small_index
from tests.service.watched import WatchedProcess

from recocore.client import Client
from recocore.models import Popularity
from recocore.service.observe.families import FAULTS
from recocore.service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).parent.parent / "deploy"
# What Prometheus adds by itself.
_OF_PROMETHEUS = {"up"}


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each metric that a running service exposes; without any sample yet, by its name alone."""
    path = tmp_path_factory.mktemp("deploy") / "index"
    small_index(Popularity()).save(path)
    with WatchedProcess.watch(path) as server:
        with Client(server.address, timeout=20) as client:
            client.recommend("user-00")
        text = server.ask("/metrics").body
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
                found.setdefault(name + suffix, set())
        else:
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            if not line.startswith("#"):
                found[name] |= set(re.findall(r'(\w+)="', line))
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of the dashboard and the rules."""
    dashboard = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for entry in dashboard["annotations"]["list"]:
        yield entry["name"], entry["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]
    yield from rules().items()


def rules() -> dict[str, str]:
    """The expression of each alert; YAML is read as far as the file uses it."""
    text = (DEPLOY / "alerts.yml").read_text(encoding="utf-8")
    found = re.findall(r"- alert: (\w+)\n +expr: (?:\|\n)?(.*?)\n +(?:for|labels):", text, re.DOTALL)
    assert len(found) == text.count("- alert:")
    return dict(found)


def test_dashboard_and_rules_ask_for_metrics_that_exist(exposed: dict[str, set[str]]) -> None:
    asked = {name for _, expression in expressions() for name in re.findall(r"\b(recocore_\w+|up)\b", expression)}
    assert asked
    assert asked - _OF_PROMETHEUS <= set(exposed)


def test_they_ask_by_labels_that_exist(exposed: dict[str, set[str]]) -> None:
    for where, expression in expressions():
        for name, braces in re.findall(r"\b(recocore_\w+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|=)", braces)) - {"instance"}
            if exposed[name]:
                assert labels <= exposed[name], where


def test_every_metric_is_looked_at(exposed: dict[str, set[str]]) -> None:
    """A metric in no panel and no rule is one that nobody will remember."""
    asked = {name for _, expression in expressions() for name in re.findall(r"\brecocore_\w+", expression)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed}
    unseen = {name for name in families if not any(each.startswith(name) for each in asked)}
    assert unseen == {"recocore_up_seconds"}


def test_faults_are_the_same_everywhere() -> None:
    for where, expression in expressions():
        for statuses in re.findall(r'status=~"([^"]*)"', expression):
            assert set(statuses.split("|")) == FAULTS, where


def test_panels_do_not_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: the rules are not read by Prometheus itself")
    done = subprocess.run(
        [promtool, "check", "rules", DEPLOY / "alerts.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_names_every_setting_with_its_default() -> None:
    path = DEPLOY / "recocore.toml"
    assert Settings.load(path) == Settings()
    # Settings without a default in TOML's words stand there as comments.
    text = re.sub(r"^# (\w+ = )", r"\1", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    written = {section: list(values) for section, values in tomllib.loads(text).items()}
    assert written == {section: list(values) for section, values in Settings().shown().items()}


def test_the_example_explains_every_setting() -> None:
    lines = (DEPLOY / "recocore.toml").read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if re.match(r"(# )?\w+ = ", line):
            assert before.startswith("# "), line


def unit() -> dict[str, str]:
    text = (DEPLOY / "recocore.service").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_systemd_waits_longer_than_the_drain() -> None:
    server = Settings().server
    assert int(unit()["TimeoutStopSec"]) > server.grace_seconds + server.drain_delay_seconds + 5


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here: the unit is not verified")
    script = Path(sys.executable).with_name("recocore")
    text = (DEPLOY / "recocore.service").read_text(encoding="utf-8")
    assert "/opt/recocore/bin/recocore" in text
    (tmp_path / "recocore.service").write_text(
        text.replace("/opt/recocore/bin/recocore", str(script)), encoding="utf-8"
    )
    done = subprocess.run(
        [analyze, "verify", tmp_path / "recocore.service"], capture_output=True, text=True, check=False
    )
    # It also tells of units of the machine that ours wants.
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "recocore.service" in line]
    assert ours == []


def test_unit_and_container_start_the_service_with_arguments_that_it_takes(tmp_path: Path) -> None:
    """Their command lines and environments, with the paths of this machine, pass --check."""
    small_index(Popularity()).save(tmp_path / "index")
    script = str(Path(sys.executable).with_name("recocore"))
    container = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    environ = dict(re.findall(r"(RECOCORE_\w+)=(\S+)", container))
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", container, re.MULTILINE)[0]) == ["recocore", "serve"]
    runs: list[tuple[list[str], dict[str, str]]] = [(["serve", "/index"], environ)]
    command = unit()["ExecStart"].split()
    variables = re.findall(
        r"^Environment=(\w+)=(\S+)$", (DEPLOY / "recocore.service").read_text(encoding="utf-8"), re.MULTILINE
    )
    runs.append((command[1:], dict(variables)))
    for arguments, variables_of_run in runs:
        here = [
            {"/index": str(tmp_path / "index"), "/var/lib/recocore/index": str(tmp_path / "index")}.get(
                word, word.replace("/etc/recocore", str(DEPLOY))
            )
            for word in arguments
        ]
        ports = {"RECOCORE_SERVER_PORT": "0", "RECOCORE_METRICS_PORT": "0"}
        done = subprocess.run(
            [script, *here, "--check", "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "/usr/bin:/bin", **variables_of_run, **ports},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["settings"]["metrics"]["enabled"] is True
        assert [check["name"] for check in found["checks"]] == [
            "address",
            "ports",
            "transport",
            "index",
            "metrics address",
        ]
