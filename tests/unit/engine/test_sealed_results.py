"""Results that are sealed before they leave the run: what the server has says nothing, and is opened only where it belongs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from appliance.agents.run_keys import HandedKey, RunKeys
from appliance.core.errors import ResultError
from appliance.engine.results import doors, sealed
from appliance.engine.results.appliance import ApplianceResult
from appliance.engine.results.doors import DoorError, Kept, Key
from appliance.engine.results.run_packs import RunPacks
from appliance.engine.results.sealed import NoKey, ResultKey
from appliance.kit import site_key
from appliance.packaging import sealing

PROJECT, RUN = uuid4(), str(uuid4())


class Server:
    """What a server keeps, and a door to it."""

    def __init__(self, keys: RunKeys, project: UUID = PROJECT) -> None:
        self.kept: dict[str, Kept] = {}
        self.project = project
        self.use(keys)

    def use(self, keys: RunKeys) -> None:
        """From now on, as the run of an agent with these keys."""
        self.handed = HandedKey.take(keys.variables(self.project))

    def key(self, project_id: UUID | None = None) -> ResultKey | None:
        return self.handed.key()

    def store(
        self, location: str, content: bytes, sha256: str, *, key: Key | None, replace: bool, expires: datetime | None
    ) -> None:
        self.kept[location] = Kept(sha256, content, key is not None, self.project)

    def read(self, location: str, project: str | None) -> Kept | None:
        return self.kept.get(location)

    def find(self, location: str, project: str | None) -> bool | None:
        kept = self.kept.get(location)
        return None if kept is None else kept.sealed

    def tamper(self, location: str, content: bytes) -> None:
        """As one who can change what is kept, with its hash."""
        self.kept[location] = Kept(hashlib.sha256(content).hexdigest(), content, True, self.project)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, RunKeys]:
    return {name: RunKeys(sealing.new_key(tmp_path / f"{name}.key")) for name in ("site", "other")} | {
        "none": RunKeys()
    }


@pytest.fixture
def server(keys: dict[str, RunKeys]) -> Iterator[Server]:
    server, before = Server(keys["site"]), doors.connected()
    doors.connect(server)
    yield server
    doors._Connection.door = before


PLACE = ApplianceResult()
CONFIDENTIAL = "the salary of everybody"


def test_what_the_server_has_says_nothing_and_comes_back(server: Server) -> None:
    stored = PLACE.store(CONFIDENTIAL, "a/target")
    kept = server.kept["a/target"]
    assert kept.sealed and CONFIDENTIAL.encode() not in kept.content
    assert len(kept.content) == stored.size + sealed.OVERHEAD
    assert PLACE.read("a/target", stored.sha256) == CONFIDENTIAL
    PLACE.store(CONFIDENTIAL, "b")
    assert server.kept["b"].content[1:13] != kept.content[1:13], "each has a nonce of its own"


def test_small_results_in_packs_are_sealed_with_their_pack(server: Server, keys: dict[str, RunKeys]) -> None:
    packs = RunPacks(RUN, "attempt-1")
    stored = [packs.store(PLACE, f"{CONFIDENTIAL} {n}", ("t",)) for n in range(3)]
    assert not packs.close().locations
    (pack,) = server.kept.values()
    assert pack.sealed and CONFIDENTIAL.encode() not in pack.content
    fresh = ApplianceResult()
    assert [fresh.read(one.location, one.sha256) for one in stored] == [f"{CONFIDENTIAL} {n}" for n in range(3)]
    assert fresh.holds(stored[0].location)
    server.use(keys["none"])
    assert not ApplianceResult().holds(stored[0].location), "a run that may go on anywhere runs its task again"


def test_what_was_kept_before_there_was_a_key_stays_readable(server: Server, keys: dict[str, RunKeys]) -> None:
    server.use(keys["none"])
    stored = PLACE.store(CONFIDENTIAL, "old")
    assert not server.kept["old"].sealed
    server.use(keys["site"])
    assert PLACE.read("old", stored.sha256) == CONFIDENTIAL and PLACE.holds("old")


@pytest.mark.parametrize(
    ("agent", "sentence"),
    [
        (
            "none",
            "it is sealed, and there is no key here to open it; set APPLIANCE_BUNDLE_KEY_FILE to the site's key file",
        ),
        ("other", "it was sealed with a key that is not in APPLIANCE_BUNDLE_KEY_FILE"),
    ],
)
def test_without_the_key_it_is_refused_in_one_sentence(
    server: Server, keys: dict[str, RunKeys], agent: str, sentence: str
) -> None:
    PLACE.store(CONFIDENTIAL, "x")
    server.use(keys[agent])
    with pytest.raises(ResultError, match=sentence) as refused:
        PLACE.read("x")
    assert str(refused.value).startswith("The result can't be read from appliance:/x: ")
    assert PLACE.has("x") and not PLACE.holds("x")


def test_a_server_that_changes_or_swaps_results_is_noticed(server: Server) -> None:
    for location in ("mine", "yours"):
        PLACE.store(f"{CONFIDENTIAL} {location}", location)
    original, other = server.kept["mine"].content, server.kept["yours"].content
    changed = [original[:at] + bytes([original[at] ^ 1]) + original[at + 1 :] for at in (1, 13, len(original) - 1)]
    for content in (other, *changed, original[:-1], original[: sealed.OVERHEAD], original[:5], b"", original + b"\0"):
        server.tamper("mine", content)
        with pytest.raises(ResultError, match="or was changed"):
            PLACE.get("mine")
    server.tamper("mine", b"\x02" + original[1:])
    with pytest.raises(ResultError, match="this release does not know; upgrade"):
        PLACE.get("mine")


def test_the_keys_of_projects_differ_and_say_nothing_of_the_sites(tmp_path: Path) -> None:
    site = sealing.new_key(tmp_path / "site.key")
    keys, another = RunKeys(site), uuid4()
    mine, theirs = keys.variables(PROJECT), keys.variables(another)
    assert mine["APPLIANCE_RUN_RESULTS_KEY"] != theirs["APPLIANCE_RUN_RESULTS_KEY"]
    secret = (tmp_path / "site.key").read_text().split()[-1]
    assert all(secret not in value for value in (*mine.values(), *keys.ids))
    content = ResultKey(site.for_results(PROJECT), PROJECT).seal("x", b"content")
    with pytest.raises(NoKey):
        ResultKey(site.for_results(another), another).open("x", content)
    with pytest.raises(NoKey):
        ResultKey(site.for_results(PROJECT), another).open("x", content)


def test_the_process_takes_its_key_out_of_the_environment(keys: dict[str, RunKeys]) -> None:
    environ = {"OTHER": "stays", **keys["site"].variables(PROJECT)}
    handed = HandedKey.take(environ)
    assert environ == {"OTHER": "stays"}
    assert handed.keys[0].hex() not in repr(handed) and handed.key() is not None
    assert HandedKey.take({}).key() is None


def test_an_agent_whose_key_cannot_be_used_keeps_nothing_unsealed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "bad.key").write_text("no key")
    for name, why in (("gone.key", "can't be read: No such file"), ("bad.key", "without a valid key")):
        keys = RunKeys.here({sealing.SETTING: str(tmp_path / name)})
        assert keys.ids == [] and why in keys.problem
        server.use(keys)
        with pytest.raises(
            ResultError,
            match=f"can't be sealed or opened by runs here: APPLIANCE_BUNDLE_KEY_FILE names a file .*{why[-9:]}",
        ):
            PLACE.store(CONFIDENTIAL, "x")
        assert server.kept == {}
    assert RunKeys.here({}).problem == ""


def test_an_agent_that_becomes_another_user_holds_the_key_before(tmp_path: Path) -> None:
    site = sealing.new_key(tmp_path / "site.key")
    environ = {sealing.SETTING: str(tmp_path / "site.key")}
    site_key.hold(environ)
    (tmp_path / "site.key").unlink()
    assert sealing.SETTING not in environ and RunKeys.here(environ).ids == RunKeys(site).ids
    gone = {sealing.SETTING: str(tmp_path / "site.key")}
    site_key.hold(gone)
    assert "can't be read" in RunKeys.here(gone).problem, "the agent says so"


def test_outside_of_a_run_the_setting_of_the_process_opens_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PLACE.store(CONFIDENTIAL, "x")
    content = server.kept["x"].content
    for name, value in (("site", "site.key"), ("none", "")):
        monkeypatch.setenv(sealing.SETTING, str(tmp_path / value) if value else "")
        key = sealed.key_here(PROJECT)
        assert (key is not None) == (name == "site")
        assert key is None or CONFIDENTIAL.encode() in key.open("x", content)
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "gone.key"))
    with pytest.raises(DoorError, match="can't be read"):
        sealed.key_here(PROJECT)
