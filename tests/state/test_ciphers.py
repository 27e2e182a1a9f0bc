"""The native cipher and the one that `cryptography` carries write and read the same bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.state.made import expected, rows, told

from recocore._native import Aead
from recocore._native import sealed_rows as native_rows
from recocore.errors import InvalidArgumentError
from recocore.state import StateConfig, StateReader, StateStore
from recocore.state.ciphers import CarriedCipher, cipher_of
from recocore.state.segment import EVENT, sealed_row, sealed_rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not Aead.is_available(), reason="the system has no libcrypto.so.3")


@given(st.binary(max_size=2_000), st.binary(max_size=100), st.binary(min_size=12, max_size=12))
def test_both_write_the_same_and_read_each_other(data: bytes, about: bytes, nonce: bytes) -> None:
    key = os.urandom(32)
    native, carried = Aead(key), CarriedCipher(key)
    sealed = native.encrypt(nonce, data, about)
    assert sealed == carried.encrypt(nonce, data, about)
    assert native.decrypt(nonce, sealed, about) == carried.decrypt(nonce, sealed, about) == data


@given(st.binary(max_size=60), st.data())
def test_both_refuse_what_was_changed(data: bytes, draw: st.DataObject) -> None:
    key, nonce = os.urandom(32), bytes(12)
    sealed = bytearray(Aead(key).encrypt(nonce, data, b"whose"))
    sealed[draw.draw(st.integers(0, len(sealed) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    short = bytes(sealed[: draw.draw(st.integers(0, 15))])
    for cipher in (Aead(key), CarriedCipher(key)):
        assert cipher.decrypt(nonce, bytes(sealed), b"whose") is None
        assert cipher.decrypt(nonce, short, b"whose") is None


@given(st.binary(max_size=300), st.integers(0, 2**31), st.integers(0, 2**62), st.integers(1, 2**63))
def test_rows_are_the_same_by_both(plain: bytes, slot: int, time: int, commit: int) -> None:
    key, nonce, subject, event = os.urandom(32), os.urandom(12), os.urandom(16), os.urandom(16)
    made = [
        sealed_row(EVENT, slot, time, subject, event, plain, commit, cipher, nonce)
        for cipher in (Aead(key), CarriedCipher(key))
    ]
    assert made[0] == made[1]


@given(st.lists(st.binary(max_size=300), max_size=9), st.integers(1, 2**63))
def test_rows_of_a_commit_are_those_that_are_made_one_by_one(plains: list[bytes], commit: int) -> None:
    count = len(plains)
    keys, nonces = [os.urandom(32) for _ in plains], os.urandom(12 * count)
    subjects, events = ([os.urandom(16) for _ in plains] for _ in range(2))
    slots, times = list(range(count)), [-(2**62) + at for at in range(count)]
    one_by_one = [
        sealed_row(
            EVENT, at, times[at], subjects[at], events[at], plain, commit, CarriedCipher(key), nonces[12 * at :][:12]
        )
        for at, (plain, key) in enumerate(zip(plains, keys, strict=True))
    ]
    for cipher in (Aead, CarriedCipher):
        ciphers = [cipher(key) for key in keys]
        made = sealed_rows(EVENT, commit, ciphers, slots, times, subjects, events, plains, nonces)
        assert made == one_by_one
    with pytest.raises(InvalidArgumentError, match="nonces"):
        native_rows(EVENT, commit, list(map(Aead, keys)), slots, times, subjects, events, plains, nonces + b"more")
    with pytest.raises(InvalidArgumentError, match="columns"):
        native_rows(EVENT, commit, list(map(Aead, keys)), [*slots, 1], times, subjects, events, plains, nonces)


def test_a_state_without_the_native_cipher_is_the_same_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by the one and read, written on, forgotten and opened again by the other, in turns."""
    made = rows(120, users=15)
    config = StateConfig(cached_users=2)  # so that most records are read from the table
    for turn in range(4):
        with monkeypatch.context() as patched:
            if turn % 2:
                patched.setattr("recocore.state.ciphers._IS_NATIVE", False)
            with StateStore.open(tmp_path / "state", config) as store, StateReader.open(tmp_path / "state") as reader:
                for at in range(30 * turn, 30 * turn + 30, 5):
                    store.record(made[at : at + 5])
                known = expected(made[: 30 * turn + 30])
                assert {user: told(store.user(user)) for user in known} == known
                assert {user: told(reader.user(user)) for user in known} == known
                if turn % 2:
                    digest = store.digest()
                    store.rebuild()
                    assert store.digest() == digest
    with StateStore.open(tmp_path / "state") as store:
        assert store.forget("customer-3").key_destroyed
        assert store.verify() == 120 - sum(row["user_id"] == "customer-3" for row in made)


def test_the_native_one_is_taken_where_there_is_one() -> None:
    assert isinstance(cipher_of(bytes(32)), Aead)
    with pytest.raises(InvalidArgumentError, match="32 bytes"):
        cipher_of(bytes(16))
