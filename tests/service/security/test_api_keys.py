"""API keys: made, found, taken back; and what is kept of them."""

from __future__ import annotations

import json
import math
import os
import stat
import threading
from pathlib import Path

import pytest
from tests.service.security.certificates import write_private

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.service.security.api_keys import ApiKeys, create_key, revoke_key

NOW = 1_700_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "keys.json")


def test_a_key_is_found_by_itself_alone(path: str) -> None:
    text, made = create_key(path, "shop", ["caller", "writer"], now=NOW)
    other, _ = create_key(path, "other", ["caller"], NOW + 5, now=NOW)
    keys = ApiKeys.read(path)
    assert keys.find(text) == made
    found = keys.find(other)
    assert found is not None
    assert (found.caller, found.roles, found.expires) == ("other", ("caller",), NOW + 5)
    assert math.isinf(made.expires)
    # A secret may have that character too.
    *names, secret = text.split("_", 2)
    head = "_".join(names)
    for wrong in (
        "",
        head,
        f"{head}_",
        text[:-1],
        text + "A",
        text.upper(),
        f" {text}",
        f"{head}_{secret[::-1]}",
        "rk__",
    ):
        assert keys.find(wrong) is None
    # The id of one with the secret of another.
    assert keys.find(f"{head}_{other.split('_', 2)[2]}") is None


def test_the_file_has_hashes_alone_and_is_its_owners(path: str) -> None:
    text, made = create_key(path, "shop", ["caller"], now=NOW)
    content = Path(path).read_text(encoding="ascii")
    assert text not in content
    secret = text.split("_", 2)[2]
    assert secret not in content
    assert made.sha256 in content
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    # 256 bits: 43 digits of base64.
    assert len(secret) == 43


def test_a_caller_has_two_live_keys_at_most(path: str) -> None:
    _, first = create_key(path, "shop", ["caller"], now=NOW)
    create_key(path, "shop", ["caller"], NOW + 10, now=NOW)
    with pytest.raises(
        InvalidArgumentError, match=rf"shop has 2 live keys, and may have 2; revoke .* {first.id} is the older"
    ):
        create_key(path, "shop", ["caller"], now=NOW)
    create_key(path, "shop", ["caller"], now=NOW + 11)
    assert revoke_key(path, first.id) == (first,)
    assert len(revoke_key(path, "shop")) == 2
    with pytest.raises(NotFoundError, match="no key has the id shop, and no caller that name"):
        revoke_key(path, "shop")
    assert ApiKeys.read(path).keys == ()


def test_who_change_it_at_once_lose_nothing(path: str) -> None:
    threads = [
        threading.Thread(target=create_key, args=(path, f"caller-{number}", ["caller"]), kwargs={"now": NOW})
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.caller for key in ApiKeys.read(path).keys} == {f"caller-{number}" for number in range(16)}
    assert [entry.name for entry in Path(path).parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_is_refused(path: str, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key(path, "shop", ["caller"], now=NOW)
    os.chmod(path, mode)
    with pytest.raises(
        InvalidArgumentError, match=rf"expected a file closed to others, got mode {mode:04o}; chmod 600"
    ):
        ApiKeys.read(path)
    # systemd's credentials show the mask of their access list as the group's rights.
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(Path(path).parent))
    if mode == 0o640:
        assert len(ApiKeys.read(path).keys) == 1
    else:
        with pytest.raises(InvalidArgumentError, match="closed to others"):
            ApiKeys.read(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 1, "keys": [{}]}',
        '{"format": 1, "keys": [1]}',
        '{"format": 1, "keys": [{"id": "a", "caller": "b", "roles": ["c"], "sha256": "d", "created": "e", "expires": null}]}',
        "\xff",
    ],
)
def test_what_is_no_file_of_keys_is_refused(path: str, content: str) -> None:
    write_private(Path(path), content.encode("latin-1"))
    with pytest.raises(InvalidArgumentError, match="expected what `recocore keys` writes") as caught:
        ApiKeys.read(path)
    assert caught.value.field == "auth.api_keys_file"


def test_another_format_and_an_id_that_is_there_twice_are_refused(path: str) -> None:
    create_key(path, "shop", ["caller"], now=NOW)
    body = json.loads(Path(path).read_text(encoding="ascii"))
    write_private(Path(path), json.dumps({**body, "keys": body["keys"] * 2}).encode())
    with pytest.raises(InvalidArgumentError, match="expected each id once, got one twice"):
        ApiKeys.read(path)
    write_private(Path(path), json.dumps({**body, "format": 2}).encode())
    with pytest.raises(InvalidArgumentError, match="expected format 1, got 2"):
        ApiKeys.read(path)


@pytest.mark.parametrize("caller", ["", "a b", "-x", "x" * 65, "ö"])
def test_a_caller_has_a_plain_name(path: str, caller: str) -> None:
    with pytest.raises(InvalidArgumentError, match="caller: expected 1 to 64"):
        create_key(path, caller, ["caller"], now=NOW)
    with pytest.raises(InvalidArgumentError, match="roles: expected at least one"):
        create_key(path, "shop", [], now=NOW)
    assert not Path(path).exists()
