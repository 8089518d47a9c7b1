"""The identity of a folder with results: created once, and the same for all who share it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from appliance.engine.results.addresses import result_from_url
from appliance.engine.results.folder_identity import identity_of
from appliance.engine.results.local import LocalResult


def test_all_who_share_a_folder_read_one_identity(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as hosts:
        found = set(hosts.map(identity_of, [tmp_path / "results"] * 32))
    assert len(found) == 1 and "" not in found
    assert [file.name for file in (tmp_path / "results").iterdir()] == [".identity"]
    assert identity_of(tmp_path / "others") not in found


def test_a_folder_that_cannot_be_used_has_none(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    assert identity_of(tmp_path / "results") == ""
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / ".identity").write_text("?")
    assert identity_of(tmp_path / "damaged") == ""


def test_an_address_may_say_that_all_hosts_share_the_folder(tmp_path: Path) -> None:
    place = LocalResult(tmp_path, shared=True)
    assert place.address == f"shared+{tmp_path.as_uri()}"
    again = result_from_url(place.address)
    assert isinstance(again, LocalResult) and again.address == place.address
    assert place.write(5) and again.folder == place.folder
