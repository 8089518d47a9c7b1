"""Sealed values: only the key and the place that they were sealed for give them back."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.server.auth import secret_keys
from appliance.server.auth.sealing import place, seal, unseal
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.errors import DamagedRow, NoSecretKey

KEY, PROJECT, SECRET = os.urandom(32), uuid4(), uuid4()
HERE = place(PROJECT, SECRET, "TOKEN", 1)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_comes_back(value: str) -> None:
    sealed = seal(KEY, value, HERE)
    assert unseal(KEY, sealed, HERE) == value
    assert sealed != seal(KEY, value, HERE), "equal values must not look equal"


@pytest.mark.parametrize(
    "elsewhere",
    [
        place(uuid4(), SECRET, "TOKEN", 1),
        place(PROJECT, uuid4(), "TOKEN", 1),
        place(PROJECT, SECRET, "OTHER", 1),
        place(PROJECT, SECRET, "TOKEN", 2),
    ],
    ids=["project", "secret", "name", "version"],
)
def test_a_value_is_good_for_its_own_place_only(elsewhere: bytes) -> None:
    with pytest.raises(DamagedRow, match="set it again"):
        unseal(KEY, seal(KEY, "value", HERE), elsewhere)


def test_every_changed_bit_is_noticed() -> None:
    sealed = base64.b64decode(seal(KEY, "value", HERE))
    for place_of_bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place_of_bit // 8] ^= 1 << place_of_bit % 8
        with pytest.raises(DamagedRow):
            unseal(KEY, base64.b64encode(changed).decode(), HERE)


@pytest.mark.parametrize("rubbish", ["", "=", "not base64!", "AAAA", "\N{SNOWMAN}"])
def test_rubbish_is_a_damaged_row(rubbish: str) -> None:
    with pytest.raises(DamagedRow):
        unseal(KEY, rubbish, HERE)


def test_another_key_is_of_no_use() -> None:
    with pytest.raises(DamagedRow):
        unseal(os.urandom(32), seal(KEY, "value", HERE), HERE)


# --- the file with the keys


@pytest.fixture
def keys(tmp_path: Path) -> SecretKeys:
    return SecretKeys(tmp_path / "secrets.key")


def test_the_first_use_creates_a_private_file(keys: SecretKeys) -> None:
    assert keys.ids() == []
    key_id = keys.newest()
    assert keys.ids() == [key_id] and keys.newest() == key_id and len(keys.get(key_id)) == 32
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert [file.name for file in keys.path.parent.iterdir()] == ["secrets.key"], "no draft is left"


def test_a_restrictive_or_open_umask_changes_nothing(keys: SecretKeys) -> None:
    before = os.umask(0)
    try:
        keys.newest()
    finally:
        os.umask(before)
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def at_once(number: int, action: Callable[[], str]) -> list[str]:
    """What the action answers in so many threads that begin together."""
    together = threading.Barrier(number)

    def begin(_place: int) -> str:
        together.wait()
        return action()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


def test_processes_that_begin_together_agree(keys: SecretKeys) -> None:
    found = at_once(8, lambda: SecretKeys(keys.path).newest())
    assert set(found) == {keys.newest()} and len(found) == 8


def test_keys_are_added_and_removed(keys: SecretKeys) -> None:
    first = keys.newest()
    second = keys.add()
    assert keys.ids() == [first, second] and keys.newest() == second
    third = keys.add()
    assert keys.drop_before(second, {first}) == [] and keys.ids() == [first, second, third]
    assert keys.drop_before(second, set()) == [first] and keys.ids() == [second, third], "newer ones stay"
    assert keys.drop_before(second, set()) == []
    with pytest.raises(NoSecretKey, match=f"key {first}.*--delete-lost"):
        keys.get(first)


def test_no_key_is_lost_when_many_are_added_at_once(keys: SecretKeys) -> None:
    first = keys.newest()
    found = at_once(6, lambda: SecretKeys(keys.path).add())
    assert keys.ids()[0] == first and set(keys.ids()[1:]) == set(found) and len(found) == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_server(keys: SecretKeys) -> None:
    os.chown(keys.path.parent, 4711, 4712)
    keys.add()
    assert (keys.path.stat().st_uid, keys.path.stat().st_gid) == (4711, 4712)
    os.chown(keys.path, 4713, 4714)
    keys.add()
    assert (keys.path.stat().st_uid, keys.path.stat().st_gid) == (4713, 4714)
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_what_a_killed_process_left_is_in_nobodys_way(keys: SecretKeys) -> None:
    keys.path.with_name(".secrets.key.draft").write_text("half of a fi")
    keys.newest()
    assert [file.name for file in keys.path.parent.iterdir()] == ["secrets.key"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"keys": [{"id": "x", "key": "AAAA"}]}'])
def test_a_damaged_file_is_said_and_never_replaced(keys: SecretKeys, content: bytes) -> None:
    keys.path.write_bytes(content)
    for use in (keys.ids, keys.newest, keys.add):
        with pytest.raises(NoSecretKey, match=secret_keys.NAME):
            use()
    assert keys.path.read_bytes() == content


def test_errors_name_no_path_and_no_key(keys: SecretKeys) -> None:
    key_id = keys.newest()
    document = json.loads(keys.path.read_text())
    secret = document["keys"][0]["key"]
    document["keys"][0]["id"] = "0" * 16
    keys.path.write_text(json.dumps(document))
    with pytest.raises(NoSecretKey) as refused:
        keys.get(key_id)
    assert str(keys.path) not in str(refused.value) and secret not in str(refused.value)


def test_a_key_never_appears_in_a_repr(keys: SecretKeys) -> None:
    keys.newest()
    assert json.loads(keys.path.read_text())["keys"][0]["key"] not in repr(keys._read())
