"""`recocore state`, in this process: with and without an owner that runs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recocore.cli import main
from recocore.index import Index
from recocore.profiles import Identities
from recocore.state import StateStore
from recocore.state.owner import serve_owner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Said = tuple[int, str, str]
    Stated = Callable[..., Said]


@pytest.fixture
def stated(capsys: pytest.CaptureFixture[str]) -> Stated:
    """Runs a subcommand: its exit code, and what it printed to either end."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = main(["state", *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state with an event of ann and two of bob, one of them of 2023."""
    path = tmp_path / "state"
    with StateStore.open(path) as store:
        store.record([{"user_id": "ann", "item_id": "tea"}, {"user_id": "bob", "item_id": "pot"}])
        store.record([{"user_id": "bob", "item_id": "cup", "event_time": 1_700_000_000_000_000}])
    return path


def commands(state: Path, tmp_path: Path, stated: Stated) -> None:
    """What works with an owner as without."""

    def asked(*arguments: object) -> Any:
        code, out, err = stated(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    assert asked("info", state)["events"] == 3
    assert stated("events", state, tmp_path / "events.parquet")[1].startswith("wrote 3 events")
    assert asked("retain", state, "30d") == {"dropped": 1}
    code, out, _ = stated("export", state, "ann")
    assert (code, [event["item_id"] for event in json.loads(out)["events"]]) == (0, ["tea"])
    assert asked("backup", state, tmp_path / "backup")["state"]["copied"] > 3
    assert asked("forget", state, "ann")["key_destroyed"] is True
    assert asked("compact", state)["freed"] > 0
    assert asked("rotate", state) == {"master_key": 2}
    assert asked("info", state)["forgotten"] == 1


def test_without_an_owner(state: Path, tmp_path: Path, stated: Stated) -> None:
    commands(state, tmp_path, stated)
    assert stated("verify", state) == (0, "1 events and every record are as they were written\n", "")


def test_with_an_owner(state: Path, tmp_path: Path, stated: Stated) -> None:
    async def run() -> None:
        ready, stop = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve_owner(state, state / "owner.sock", ready=ready, stop=stop))
        await asyncio.wait((serving, asyncio.create_task(ready.wait())), return_when=asyncio.FIRST_COMPLETED)
        try:
            await asyncio.to_thread(commands, state, tmp_path, stated)
            code, _, err = await asyncio.to_thread(stated, "verify", state)
            assert (code, "another process owns this state" in err) == (1, True)
        finally:
            stop.set()
            await serving

    asyncio.run(run())


def test_a_damaged_state_is_named_and_its_records_are_made_again(state: Path, stated: Stated) -> None:
    assert stated("verify", state, "--rebuild")[0] == 0
    [segment] = (state / "log").glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[100] ^= 1
    segment.write_bytes(bytes(data))
    code, _, err = stated("verify", state)
    assert code == 1
    assert f"{segment.name}: the frame at byte 40 is damaged" in err


def test_looking_at_a_state_does_not_make_one(tmp_path: Path, stated: Stated) -> None:
    for name in ("info", "verify", "compact"):
        code, _, err = stated(name, tmp_path / "nothing")
        assert (code, "there is no state here" in err) == (1, True)
    assert not (tmp_path / "nothing").exists()


def test_a_training_from_a_state_joins_visits_to_users(tmp_path: Path) -> None:
    """The visitor's events count for the user; not where the user, who is one now, has said no or was forgotten."""
    people = ("ann", "bob", "cid")
    with StateStore.open(tmp_path / "state") as store:
        store.record([{"user_id": f"cookie-{name}", "item_id": item} for name in people for item in ("tea", "pot")])
        store.record([{"user_id": name, "item_id": "mug"} for name in (*people, "dan")])
        store.record([{"visitor_id": "nobody", "item_id": "tea"}])
        store.set_consent("bob", "personalization", False)
        store.forget("cid")
    known = Identities()
    for name in people:
        known.merge_users(f"cookie-{name}", name, at=datetime(2026, 3, 1, tzinfo=UTC), why="login")
    known.save(tmp_path / "identities.json")
    state, joined = str(tmp_path / "state"), str(tmp_path / "identities.json")
    for options, users in (((), ["ann", "cookie-ann", "dan"]), (("--identities", joined), ["ann", "dan"])):
        out = str(tmp_path / f"index-{len(users)}")
        assert main(["fit", "--from-state", state, "--model", "itemknn", "--out", out, "--json", *options]) == 0
        index = Index.load(out)
        learned = [user for user in (*people, "dan", "cookie-ann") if index.users.index_of(user) >= 0]
        assert sorted(learned) == users
        seen = {str(item.item_id) for item in index.recommend(["ann"], 5)[0].items}
        assert seen == ({"tea", "pot"} if not options else set())
