"""`recocore profiles`: every command on profiles that were made up, and its refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from tests.profiles.made_up import made_up

from recocore.data import EventBatch, clean
from recocore.profiles import Identities, ProfileTable, build
from recocore.profiles.segment_popular import SegmentPopular
from recocore.profiles.segments import Segmentation

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., "subprocess.CompletedProcess[str]"]

TAGS = """
[[tags]]
name = "big_spender"
when = "level >= 90"

[[tags]]
name = "leaving"
when = "p_alive_mbg < 0.5"
"""


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profiles") / "profiles.parquet"
    made_up(300).save(path)
    return path


@pytest.fixture
def tags(tmp_path: Path) -> Path:
    path = tmp_path / "tags.toml"
    path.write_text(TAGS, encoding="utf-8")
    return path


def test_build_makes_profiles_of_a_log(run: Run, log: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "p.parquet", tmp_path / "profiles.toml"
    config.write_text('half_life = "10d"\ntop = 2\n[half_lives]\nbrand = "90d"\n', encoding="utf-8")
    done = run("profiles", "build", log, "--out", out, "--as-of", "2025-02-15", "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    built = ProfileTable.load(out)
    assert (told["users"], told["as_of"]) == (len(built), "2025-02-15T00:00:00+00:00")
    assert (built.config.half_life.days, built.config.half_lives["brand"].days, built.config.top) == (10, 90, 2)
    assert max(map(len, built.column("interest_brand").to_pylist())) <= 2
    # As the library says, of the same events.
    sound = clean(EventBatch.from_parquet(log)).events
    assert built.table.equals(build(sound, built.as_of_time, built.config).table)
    page = run("profiles", "report", out, "--events", log, "--period", "week", "--out", tmp_path / "r.html", "--json")
    assert page.returncode == 0, page.stderr
    assert "<h2>Retention</h2>" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_build_applies_identities_as_of_its_moment(run: Run, log: Path, tmp_path: Path) -> None:
    users = sorted(set(clean(EventBatch.from_parquet(log)).events.column("user_id").to_pylist()))[:2]
    known = Identities()
    known.merge_users(users[0], users[1], at=datetime(2025, 2, 1, tzinfo=UTC))
    known.save(tmp_path / "known.json")
    counts = {}
    for moment in ("2025-01-31", "2025-03-01"):
        done = run(
            "profiles", "build", log, "--out", tmp_path / "p.parquet", "--as-of", moment,
            "--identities", tmp_path / "known.json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        counts[moment] = ProfileTable.load(tmp_path / "p.parquet").column("user_id").to_pylist().count(users[0])
    assert counts == {"2025-01-31": 1, "2025-03-01": 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("colour = 3", "got colour"),
        ("top = 'x'", "top: expected"),
        ("quiet_hours = 5", "profiles.toml"),
        ("[[", "profiles.toml"),
    ],
)
def test_build_refuses_a_wrong_configuration(run: Run, log: Path, tmp_path: Path, text: str, expected: str) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text(text, encoding="utf-8")
    done = run("profiles", "build", log, "--out", tmp_path / "p.parquet", "--config", config)
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "p.parquet").exists()


def test_show_tells_features_expectations_and_reasons(run: Run, profiles: Path, tags: Path) -> None:
    levels = pq.read_table(profiles, columns=["user_id", "level"]).to_pylist()
    spender = next(row["user_id"] for row in levels if (row["level"] or 0) >= 90)
    done = run("profiles", "show", profiles, spender, "--tags", tags, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["profile"]["user_id"] == spender
    assert set(told["expected"]) >= {"p_alive", "p_alive_mbg", "expected_purchases", "clv"}
    assert "big_spender" in [tag["name"] for tag in told["tags"]]
    for tag in told["tags"]:
        assert tag["why"].startswith(f"has {tag['name']} (version {tag['version']}): ")
    plain = run("profiles", "show", profiles, spender)
    assert plain.returncode == 0, plain.stderr
    assert "spend_net" in plain.stdout
    assert told["profile"]["last_event"][:10] in plain.stdout
    absent = run("profiles", "show", profiles, "nobody")
    assert (absent.returncode, "no profile of 'nobody'" in absent.stderr) == (1, True)


def test_show_takes_models_that_build_kept(run: Run, log: Path, tmp_path: Path) -> None:
    made = run("profiles", "build", log, "--out", tmp_path / "p.parquet", "--models", tmp_path / "models")
    assert made.returncode == 0, made.stderr
    user = str(ProfileTable.load(tmp_path / "p.parquet").column("user_id")[0].as_py())
    fitted = run("profiles", "show", tmp_path / "p.parquet", user, "--json")
    kept = run("profiles", "show", tmp_path / "p.parquet", user, "--models", tmp_path / "models", "--json")
    assert kept.returncode == 0, kept.stderr
    assert json.loads(kept.stdout) == json.loads(fitted.stdout)
    absent = run("profiles", "show", tmp_path / "p.parquet", user, "--models", tmp_path / "none")
    assert (absent.returncode, "profiles build --models" in absent.stderr) == (1, True)


def test_popular_says_what_each_segment_buys(run: Run, log: Path, tmp_path: Path) -> None:
    assert run("profiles", "build", log, "--out", tmp_path / "p.parquet").returncode == 0
    assert run("profiles", "segment", tmp_path / "p.parquet", "--k", 2, "--out", tmp_path / "s.json").returncode == 0
    out = tmp_path / "popular.json"
    done = run(
        "profiles", "popular", tmp_path / "p.parquet", log, "--segments", tmp_path / "s.json", "--out", out, "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["segments"]
    assert set(told) == {"1", "2"}
    assert {name: list(items) for name, items in SegmentPopular.load(out).items.items()} == told
    events = clean(EventBatch.from_parquet(log)).events.table.to_pylist()
    table = ProfileTable.load(tmp_path / "p.parquet")
    numbers = Segmentation.load(tmp_path / "s.json").assign(table).tolist()
    first = {user for user, number in zip(table.column("user_id").to_pylist(), numbers, strict=True) if number == 1}
    buyers: dict[str, set[str]] = {}
    for event in events:
        if event["type"] == "buy" and event["user_id"] in first:
            buyers.setdefault(str(event["item_id"]), set()).add(event["user_id"])
    assert told["1"] == sorted(buyers, key=lambda item: (-len(buyers[item]), item))[:50]


def test_segments_keep_their_numbers_and_say_why(run: Run, profiles: Path, tmp_path: Path) -> None:
    first = run("profiles", "segment", profiles, "--k", 3, "--out", tmp_path / "a.json", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)["segments"]
    assert [entry["segment"] for entry in told] == [1, 2, 3]
    assert sum(entry["users"] for entry in told) == 300
    again = run(
        "profiles", "segment", profiles, "--k", 4, "--previous", tmp_path / "a.json", "--out", tmp_path / "b.json",
        "--members", tmp_path / "members.parquet",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert Segmentation.load(tmp_path / "b.json").numbers == (1, 2, 3, 4)
    members = pq.read_table(tmp_path / "members.parquet")
    assert members.num_rows == 300
    assert set(members.column("segment").to_pylist()) == {1, 2, 3, 4}
    used = run("profiles", "segment", profiles, "--use", tmp_path / "b.json", "--json")
    sizes = {entry["segment"]: entry["users"] for entry in json.loads(used.stdout)["segments"]}
    assert sizes == {number: members.column("segment").to_pylist().count(number) for number in sizes}


def test_a_rule_selects_members(run: Run, profiles: Path, tmp_path: Path) -> None:
    out = tmp_path / "vip.parquet"
    where = "level >= 80 and lifecycle in ('active', 'at_risk')"
    done = run("profiles", "segment", profiles, "--where", where, "--members", out, "--json")
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(profiles).select(["user_id", "level", "lifecycle"]).to_pylist()
    wanted = [
        row["user_id"]
        for row in rows
        if row["level"] is not None and row["level"] >= 80 and row["lifecycle"] in ("active", "at_risk")
    ]
    assert wanted
    assert pq.read_table(out).column("user_id").to_pylist() == wanted
    assert json.loads(done.stdout)["users"] == len(wanted)
    wrong = run("profiles", "segment", profiles, "--where", "levle > 3")
    assert wrong.returncode == 1
    assert "levle" in wrong.stderr
    both = run("profiles", "segment", profiles, "--where", "level > 3", "--k", 3)
    assert both.returncode == 2


def test_the_report_is_one_page(run: Run, profiles: Path, tags: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = run(
        "profiles", "report", profiles, "--tags", tags, "--before", profiles, "--title", "A <shop>", "--out", out
    )
    assert done.returncode == 0, done.stderr
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    for part in ("<h1>A &lt;shop&gt;</h1>", "<h2>RFM</h2>", "<h2>Segments</h2>", "<h2>Drift</h2>", "big_spender"):
        assert part in page
    missing = run("profiles", "report", tmp_path / "none.parquet", "--out", out)
    assert missing.returncode == 1
