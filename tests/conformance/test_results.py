"""What every place for results has to do. A new backend joins by a line in PLACES.

All run on loopback: S3 against moto's server, SFTP against paramiko's, Google Cloud Storage and Azure against a stand-in of our own,
since there is no emulator of them here. The services themselves are not asked.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from moto.server import ThreadedMotoServer

from appliance import ApplianceResult, AzureResult, GCSResult, LocalResult, MemoryResult, Result, S3Result, SFTPResult
from appliance.agents.run_keys import HandedKey
from appliance.config import Settings
from appliance.core.errors import ResultCorruptError, ResultError, ResultLocationError, ResultNotFoundError
from appliance.core.packs import SMALL, ObjectPack, encode, parse
from appliance.core.result_serializers import JSONSerializer
from appliance.engine.results import doors
from appliance.engine.results.addresses import result_from_url
from appliance.engine.results.run_packs import RunPacks
from appliance.protocol.results import MOST_BYTES
from appliance.server.app import create_app
from appliance.server.db import migrate
from appliance.server.db.session import Database, open_database
from tests.conformance.blob_server import Blobs
from tests.conformance.sftp_server import PASSWORD, USER, Sftp
from tests.integration import result_doors
from tests.integration.databases import without_fsync
from tests.integration.server_fixtures import claim, listening

SECRET = "a-secret-key-of-the-store"
ODD_NAMES = [
    *(
        "a b/ü.pickle",
        "%2e%2e/x",
        "x?y=1",
        "a#b",
        "~x",
        "a*b[1]",
        "a:b",
        "日本/語",
        "a+b&c",
        "'q\"",
        "a%20b",
        "{x}",
        "a~",
    ),
    *("<x>|y", ".hidden", "-rf", "x" * 240, "a/b/c/d/e/f/g"),
]
BAD_NAMES = [
    "",
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a/",
    "a\0b",
    "a\nb",
    "a\\b",
    "x" * 241,
    "é" * 600,
    "\ud800",
]


@dataclass
class Sites:
    s3: str
    sftp: Sftp
    blobs: Blobs
    database: Database
    appliance: str


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/box", method="PUT")).close()
    sftp = Sftp(tmp_path_factory.mktemp("sftp"), tmp_path_factory.mktemp("keys"))
    blobs = Blobs()
    settings = Settings(
        data_dir=str(tmp_path_factory.mktemp("appliance")), results_door_object_bytes=MOST_BYTES, run_lease=3600
    )
    migrate.upgrade(settings.database)
    database = without_fsync(open_database(settings))
    claim(database)
    with listening(create_app(settings, database)) as url:
        yield Sites(f"http://{host}:{port}", sftp, blobs, database, url)
    blobs.close()
    sftp.close()
    moto.stop()


def s3(sites: Sites, bucket: str = "box", prefix: str = "", secret: str = SECRET, **options: Any) -> S3Result:
    config = {"endpoint": sites.s3, "region": "us-east-1", "access_key_id": "k", "secret_access_key": secret}
    return S3Result(bucket, prefix, options=config, client_options={"allow_http": True}, **options)


def sftp(sites: Sites, folder: Path, **options: Any) -> SFTPResult:
    server = sites.sftp
    options = {"username": USER, "known_hosts": server.known_hosts, "port": server.port, **options}
    return SFTPResult("127.0.0.1", str(folder), **options)


def appliance(sites: Sites, folder: Path) -> ApplianceResult:
    """The door of a run of a project of its own."""
    work = result_doors.begun(sites.database, project=folder.name)
    doors.connect(result_doors.door(work, sites.appliance))
    return ApplianceResult()


def sealed(sites: Sites, folder: Path) -> ApplianceResult:
    """The same with a key, so that the server gets nothing that it can read."""
    work = result_doors.begun(sites.database, project=folder.name)
    assert work.project_id is not None
    key = HandedKey(UUID(str(work.project_id)), [b"k" * 32])
    doors.connect(result_doors.door(work, sites.appliance, key=key))
    return ApplianceResult()


PLACES: dict[str, Callable[[Sites, Path], Result]] = {
    "local": lambda _sites, folder: LocalResult(folder / "results"),
    "memory": lambda _sites, _folder: MemoryResult(),
    "s3": lambda sites, folder: s3(sites, prefix=folder.name),
    "gcs": lambda sites, folder: GCSResult("box", folder.name, **sites.blobs.google()),
    "azure": lambda sites, folder: AzureResult("box", folder.name, **sites.blobs.azure()),
    "sftp": lambda sites, folder: sftp(sites, folder / "results"),
    "appliance": appliance,
    "sealed": sealed,
}


@pytest.fixture(params=list(PLACES))
def place(
    request: pytest.FixtureRequest, sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Result]:
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    monkeypatch.setattr(doors._Connection, "door", None)
    found = PLACES[request.param](sites, tmp_path)
    yield found
    if isinstance(found, SFTPResult):
        found.close()


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_place_is_found_by_the_environment_of_its_service(
    sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    for name, value in sites.blobs.environ(scheme).items():
        monkeypatch.setenv(name, value)
    place = result_from_url(f"{scheme}://box/{tmp_path.name}")  # as APPLIANCE_RESULTS_URL names it
    stored = place.write([1, 2])
    assert result_from_url(f"{scheme}://box/{tmp_path.name}").read(stored.location, stored.sha256) == [1, 2]


def test_what_is_written_is_read_back(place: Result) -> None:
    value = {"rows": [1, 2.5, None], "name": "Ada"}
    stored = place.write(value)
    assert place.read(stored.location, stored.sha256) == value
    assert place.has(stored.location)
    assert stored.size == len(place.get(stored.location))
    assert len(stored.sha256) == 64


def test_two_results_without_a_location_never_meet(place: Result) -> None:
    first, second = place.write(1), place.write(2)
    assert first.location != second.location
    assert (place.read(first.location), place.read(second.location)) == (1, 2)


def test_a_second_write_replaces_the_first(place: Result) -> None:
    place.store("a long first value", "one")
    place.store("second", "one")
    assert place.read("one") == "second"


def test_locations_are_templates(place: Result) -> None:
    assert not place.exists("{day}/{n:03d}", day="monday", n=7)
    place.store(1, "monday/007")
    assert place.exists("{day}/{n:03d}", day="monday", n=7)
    assert place.exists(lambda n: f"monday/{n:03d}", day="monday", n=7)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_names(place: Result, name: str) -> None:
    place.store(name, name)
    assert place.has(name)
    assert place.read(name) == name
    assert not place.has(f"{name[:200]}-")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_could_lead_out_are_refused(place: Result, name: str) -> None:
    for ask in (
        lambda: place.store(1, name),
        lambda: place.read(name),
        lambda: place.has(name),
        lambda: place.get(name),
    ):
        with pytest.raises(ResultLocationError):
            ask()
    with pytest.raises(ResultLocationError):
        place.put(name, b"x")


def test_a_missing_result_is_a_clear_failure(place: Result) -> None:
    assert not place.has("no/such")
    with pytest.raises(ResultNotFoundError, match=r"no/such; run its task again"):
        place.read("no/such", "0" * 64)


@pytest.mark.parametrize("content", [b"", b"x", pickle.dumps("other"), b"\x80\x05garbage"])
def test_what_was_replaced_is_not_unpickled(place: Result, content: bytes) -> None:
    stored = place.write("a value")
    place.put(stored.location, content)
    with pytest.raises(
        ResultCorruptError, match="is empty" if not content else "does not have the content that was written"
    ):
        place.read(stored.location, stored.sha256)


def test_a_truncated_result_is_refused(place: Result) -> None:
    stored = place.write(list(range(1000)))
    place.put(stored.location, bytes(place.get(stored.location))[:-1])
    with pytest.raises(ResultCorruptError):
        place.read(stored.location, stored.sha256)
    with pytest.raises(ResultCorruptError, match="can't be deserialized by PickleSerializer"):
        place.read(stored.location)  # without a hash the pickle itself tells


def test_an_empty_object_without_a_hash_is_a_failure_too(place: Result) -> None:
    place.put("empty", b"")
    with pytest.raises(ResultCorruptError, match="is empty"):
        place.read("empty")


def test_twenty_megabytes_come_back_whole(place: Result) -> None:
    value = bytes(range(256)) * (20 * 4096)
    stored = place.write(value)
    assert place.read(stored.location, stored.sha256) == value


def test_writers_of_one_name_never_tear_it(place: Result) -> None:
    values = [str(number) * 20_000 for number in range(8)]
    begin = threading.Barrier(len(values))

    def work(value: str) -> None:
        begin.wait()
        for _ in range(3):
            place.store(value, "shared")
            assert place.read("shared") in values

    failures: list[BaseException] = []

    def caught(value: str) -> None:
        try:
            work(value)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=caught, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert place.read("shared") in values


def test_it_travels_with_a_flow(place: Result) -> None:
    import cloudpickle

    stored = place.write("value")
    copy = cloudpickle.loads(cloudpickle.dumps(place))
    assert copy.read(stored.location, stored.sha256) == "value"
    if isinstance(copy, SFTPResult):
        copy.close()


def test_another_serializer_is_used_for_both_ways(place: Result) -> None:
    place.serializer = JSONSerializer()
    stored = place.write({"a": [1]})
    assert stored.location.endswith(".json")
    assert bytes(place.get(stored.location)) == b'{"a": [1]}'
    assert place.read(stored.location, stored.sha256) == {"a": [1]}


# --- packs of a run's small results


def test_small_results_of_a_run_lie_together_and_large_ones_apart(place: Result) -> None:
    run = RunPacks("run", "attempt-1")
    values = [0, "text", {"a": [None]}, b"x" * (SMALL + 1), *range(50)]
    found = [run.store(place, value, ("run", "task-1")) for value in values]
    assert not run.sync().locations
    found += [run.store(place, value, ("run", "task-1")) for value in values]
    assert not run.close().locations
    assert [place.read(one.location, one.sha256) for one in found] == [*values, *values]
    assert all(place.holds(one.location) for one in found)
    assert len({one.location for one in found}) == len(found)
    (large, again) = [one.location for one in found if parse(one.location) is None]
    assert place.has(large) and place.has(again)


def test_releases_without_packs_find_nothing_where_a_record_is(place: Result) -> None:
    """They ask with `has` and `get`, and then run the task again."""
    run = RunPacks("run", "attempt-1")
    location = run.store(place, 1, ("run", "task-1")).location
    assert not run.close().locations
    assert not place.has(location)
    with pytest.raises(ResultNotFoundError, match="run its task again"):
        place.get(location)


def test_a_damaged_or_missing_record_is_told(place: Result) -> None:
    run = RunPacks("run", "attempt-1")
    kept, gone = (run.store(place, value, ("run", "task-1")).location for value in ("kept", "gone"))
    assert not run.close().locations
    record = parse(gone)
    assert record is not None
    place.put(record.pack, bytes(place.get(record.pack))[:-3])
    assert place.holds(kept) and not place.holds(gone)
    with pytest.raises(ResultCorruptError, match="is damaged or was not written to its end; run its task again"):
        place.read(gone)
    missing = f"no/such.pack/8-1-{record.mark}"
    assert not place.holds(missing)
    with pytest.raises(ResultNotFoundError, match=r"no/such\.pack/8-1-"):
        place.read(missing)


# --- what only some of them can get wrong


def test_no_credentials_are_shown(sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "wrong and secret")
    port = closed_port()
    away = S3Result(
        "box", options={"endpoint": f"http://user:{SECRET}@127.0.0.1:{port}", "secret_access_key": SECRET,
        "access_key_id": "k", "region": "us-east-1"}, client_options={"allow_http": True},
    )  # fmt: skip
    azure = AzureResult(
        "box", options={"account_name": "a", "endpoint": f"http://127.0.0.1:{port}", "sas_key": f"sig={SECRET}"},
        client_options={"allow_http": True},
    )  # fmt: skip
    for place in (away, azure, s3(sites, bucket="no-such-bucket"), sftp(sites, tmp_path)):
        with pytest.raises(ResultError) as caught:
            place.write("x")
        shown = f"{place!r} {place.address} {caught.value} {caught.value.__cause__}"
        assert SECRET not in shown and "secret" not in shown
        assert len(str(caught.value)) < 700 and "\n" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_told(sites: Sites) -> None:
    with pytest.raises(ResultError, match="there is no such bucket"):
        s3(sites, bucket="no-such-bucket").write(1)


def test_credentials_that_are_refused_are_told(sites: Sites) -> None:
    for place in (GCSResult("refused", **sites.blobs.google()), AzureResult("refused", **sites.blobs.azure())):
        for ask in (lambda p=place: p.write(1), lambda p=place: p.read("x"), lambda p=place: p.has("x")):
            with pytest.raises(ResultError, match="the store rejects these credentials"):
                ask()


def test_azure_says_what_it_needs() -> None:
    with pytest.raises(ResultError, match=r"az://box can't be opened: .*Account must be specified"):
        AzureResult("box").write(1)


def test_a_wrong_password_and_an_unknown_host_are_told(
    sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "wrong")
    with pytest.raises(ResultError, match="the host rejects these credentials"):
        sftp(sites, tmp_path).write(1)
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    nobody = tmp_path / "nobody"
    nobody.touch()
    with pytest.raises(ResultError, match="the host's key is not the one in known_hosts"):
        sftp(sites, tmp_path, known_hosts=nobody).write(1)


def test_an_sftp_server_that_was_restarted_is_asked_again(
    sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    place = sftp(sites, tmp_path)
    stored = place.write("value")
    sites.sftp.drop()
    with suppress(ResultError):  # the cut may not be known yet
        place.read(stored.location)
    assert place.read(stored.location) == "value"
    place.close()


def test_links_do_not_lead_out(sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(pickle.dumps("secret"))
    base = tmp_path / "results"
    base.mkdir()
    (base / "folder").symlink_to(outside)
    (base / "file").symlink_to(outside / "secret")
    pack = ObjectPack(LocalResult(outside), "secret.pack")
    record = pack.append(encode(b"secret", hashlib.sha256(b"secret").digest()))
    pack.sync()
    (base / "a.pack").symlink_to(outside / "secret.pack")
    inside = str(record._replace(pack="a.pack"))
    remote = sftp(sites, base)
    for place in (LocalResult(base), remote):
        for ask in (lambda p=place: p.read("folder/secret"), lambda p=place: p.store(1, "folder/new")):
            with pytest.raises(ResultLocationError, match="leads out"):
                ask()
        for name in ("file", inside, f"folder/{record}"):
            with pytest.raises(ResultError):
                place.read(name)
        assert pickle.loads((outside / "secret").read_bytes()) == "secret"
    remote.close()
    LocalResult(base).store("mine", "file")  # takes the place of the link, not of what it points at
    assert pickle.loads((outside / "secret").read_bytes()) == "secret"
    assert LocalResult(base).read("file") == "mine"


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
