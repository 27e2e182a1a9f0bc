"""Whose data it is: encryption, consent, export, forgetting without a trace, keys that rotate."""

from __future__ import annotations

import json
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.state.made import START, contents, expected, ids, rows, told

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.state import KeyFile, StateConfig, StateReader, StateStore

if TYPE_CHECKING:
    from pathlib import Path

SMALL = StateConfig(segment_events=100)


def traces(folder: Path, *words: str) -> list[str]:
    """The files below a folder that hold one of the words."""
    return [f"{path.name}: {word}" for path, data in contents(folder) for word in words if word.encode() in data]


def test_no_file_tells_a_users_id_or_items_even_before_anybody_is_forgotten(path: Path, tmp_path: Path) -> None:
    with StateStore.open(path, SMALL) as store:
        store.record(rows(250))
        store.record([{"visitor_id": "cookie-77", "item_id": "article-3"}])
        store.set_consent("customer-1", "marketing", True)
        store.backup(tmp_path / "backup")
        words = ("customer-", "article-", "secret wish", "event-0-", "cookie-77", "marketing")
        assert not traces(tmp_path, *words)
        # The words are there to be found, once decrypted.
        assert all(word in repr(store.export_user("customer-1")) for word in words if word != "cookie-77")
    assert not traces(tmp_path, *words)


def test_a_forgotten_user_is_gone_from_log_table_and_backup(path: Path, tmp_path: Path) -> None:
    events = rows(250, users=5)
    with StateStore.open(path, SMALL) as store, StateReader.open(path) as reader:
        store.record(events)
        store.backup(tmp_path / "backup")
        subject = bytes.fromhex(store.keys.pseudonym("customer-3"))
        slots = {row.slot for row, _, _ in store._commits.history.rows(until=store.commit) if row.subject == subject}
        assert len(slots) == 1
        receipt = store.forget("customer-3")
        assert (receipt.key_destroyed, receipt.subject) == (True, subject.hex())
        known = reader.user("customer-3")
        assert known is not None
        assert (known.forgotten, known.seen, known.recent) == (True, (), ())
        others = [event["event_id"] for event in events if event["user_id"] != "customer-3"]
        assert ids(reader.events()) == others
        [result] = store.record([{"user_id": "customer-3", "item_id": "tea"}]).results
        assert (result.code, result.field) == ("invalid", "user_id")
        assert "customer-3" not in result.message
        with pytest.raises(InvalidArgumentError, match="who was forgotten"):
            store.set_consent("customer-3", "marketing", True)
        export = store.export_user("customer-3")
        assert (export["forgotten"], export["events"], export["seen"]) == (True, [], [])
        again = store.forget("customer-3")
        assert (again.commit, again.time, again.key_destroyed) == (receipt.commit, receipt.time, False)

        store.compact()
        store.backup(tmp_path / "backup")
        assert told(reader.user("customer-1")) == expected(events)["customer-1"]
    # But for the tombstone not even the pseudonym is left in the log.
    assert sum(data.count(subject) for _, data in contents(path / "log")) == 1
    assert not traces(tmp_path, "customer-3")
    # The wrapped key, wherever it was, is zeros.
    [slot] = slots
    for copy in (path / "user.keys", tmp_path / "backup" / "files" / "user.keys"):
        assert copy.read_bytes()[64 * (slot + 1) : 64 * (slot + 2)] == bytes(64)
    with StateStore.open(path, SMALL) as store:
        digest = store.digest()
        store.rebuild()
        assert store.digest() == digest
        assert [r.code for r in store.record(events).results].count("invalid") == len(events) - len(others)


def test_everything_held_of_a_user_is_exported(path: Path) -> None:
    events = rows(300, users=4)
    with StateStore.open(path, SMALL) as store:
        store.record(events)
        store.set_consent("customer-0", "marketing", True)
        store.set_consent("customer-0", "marketing", False)
        export = json.loads(json.dumps(store.export_user("customer-0")))
    mine = [event for event in events if event["user_id"] == "customer-0"]
    assert [event["event_id"] for event in export["events"]] == [event["event_id"] for event in mine]
    assert [event["query"] for event in export["events"]] == [event["query"] for event in mine]
    assert export["consent"] == {"marketing": False}
    assert [(each["purpose"], each["granted"]) for each in export["consent_history"]] == [
        ("marketing", True),
        ("marketing", False),
    ]
    assert tuple(export["seen"]) == expected(events)["customer-0"][0]


def test_consent_is_kept_and_read(path: Path, store: StateStore) -> None:
    with StateReader.open(path) as reader:
        assert store.consents("ann") == {}
        commit = store.set_consent("ann", "marketing", True)
        store.set_consent("ann", "profiling", False)
        assert reader.commit > commit
        known = reader.user("ann")
        assert known is not None
        assert dict(known.consent) == store.consents("ann") == {"marketing": True, "profiling": False}
        assert store.consents("ann", visitor=True) == {}
        store.set_consent("ann", "marketing", False, visitor=True)
        assert (store.consents("ann", visitor=True), store.consents("ann")["marketing"]) == ({"marketing": False}, True)
    for purpose in ("", "Marketing", "a" * 65, 7):
        with pytest.raises(InvalidArgumentError, match="purpose: expected up to 64"):
            store.set_consent("ann", purpose, True)  # type: ignore[arg-type]


def test_master_keys_rotate_while_a_reader_reads(path: Path) -> None:
    events = rows(400, users=50)
    with StateStore.open(path, SMALL) as store:
        store.record(events)
    reader_keys = KeyFile.open(path.with_name("state.key"))
    with StateStore.open(path, SMALL) as store, StateReader.open(path, keys=reader_keys) as reader:
        failures: list[BaseException] = []
        done = threading.Event()
        known = expected(events)

        def read() -> None:
            try:
                while not done.is_set():
                    for user, record in known.items():
                        assert told(reader.user(user)) == record
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            for number in range(2, 6):
                assert store.rotate_master_key(drop_old=True) == number
                store.record(rows(20, seed=number, users=9_999))  # new users are wrapped with the new key
        finally:
            done.set()
            thread.join()
        assert not failures, failures
        assert store.keys.numbers == (5,)
        slots = (path / "user.keys").read_bytes()
        numbers = {slots[at : at + 4] for at in range(64, len(slots), 64)}
        assert numbers == {(5).to_bytes(4, "little")}
        digest = store.digest()
    with StateStore.open(path, SMALL) as store:
        assert store.digest() == digest


def test_the_key_file_is_its_owners_alone_and_beside_the_folder(path: Path, store: StateStore) -> None:
    file = path.with_name("state.key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for found in [path, *path.rglob("*")]:
        assert stat.S_IMODE(found.stat().st_mode) & 0o077 == 0, found
    assert file.read_text() not in repr(store.keys)
    assert "secret" not in repr(store.keys)
    store.close()
    file.chmod(0o604)
    with pytest.raises(InvalidArgumentError, match="chmod 600"):
        StateStore.open(path)


def test_a_state_needs_its_own_keys(path: Path, store: StateStore, tmp_path: Path) -> None:
    store.close()
    with pytest.raises(InvalidArgumentError, match="keys: expected those that"):
        StateStore.open(path, keys=KeyFile.open(tmp_path / "other.key", create=True))
    path.with_name("state.key").unlink()
    for opens in (StateStore.open, StateReader.open):
        with pytest.raises(NotFoundError, match="there is no key file"):
            opens(path)


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_damaged_key_file_is_refused(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "master.key"
    KeyFile.open(file, create=True)
    data = bytearray(file.read_bytes())
    data[150 + cut] ^= 1
    for damaged in (bytes(data), bytes(data[: -1 - cut])):
        file.write_bytes(damaged)
        with pytest.raises(CorruptError, match=r"master\.key"):
            KeyFile.open(file)


def test_fields_off_the_allow_list_never_reach_the_disk(path: Path, store: StateStore) -> None:
    row: dict[str, Any] = {"user_id": "ann", "item_id": "tea", "event_time": START, "password": "hunter2-hunter2"}
    [result] = store.record([row]).results
    assert result.code == "invalid"
    assert store.export_user("ann")["events"] == []
    assert not traces(path, "hunter2")
