"""Tasks for object stores: S3 on moto, Google and Azure on a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from appliance.core.secrets import Secret
from appliance.tasks.library.errors import MissingArgument, Refused
from appliance.tasks.object_stores import (
    BlobStorageDownload,
    BlobStorageUpload,
    GCSBlobExists,
    GCSDownload,
    GCSUpload,
    S3Copy,
    S3Delete,
    S3Download,
    S3List,
    S3Upload,
)
from tests.conformance.blob_server import BUCKET, Blobs
from tests.conformance.task_servers import moto


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    return {"bucket": "box", "config": {"endpoint": moto("box"), "region": "us-east-1"}}


@pytest.fixture
def blobs() -> Iterator[Blobs]:
    with closing(Blobs()) as blobs:
        yield blobs


def test_objects_of_s3(s3: dict[str, Any], tmp_path: Path) -> None:
    assert S3Upload(key="a/one.txt", **s3).run("one") == "a/one.txt"
    (tmp_path / "two.bin").write_bytes(b"2" * 20_000_000)
    assert S3Upload(**s3).run(path=tmp_path / "two.bin", key="a/two.bin") == "a/two.bin"
    assert len(S3Upload(**s3).run(b"three")) == 36
    assert S3List(prefix="a", **s3).run() == ["a/one.txt", "a/two.bin"]
    assert len(S3List(max_items=1, **s3).run()) == 1
    assert S3Download(**s3).run(key="a/one.txt") == "one"
    written = S3Download(key="a/two.bin", path=tmp_path / "copy", **s3).run()
    assert written == {"path": str(tmp_path / "copy"), "bytes": 20_000_000}
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "two.bin").read_bytes()
    with pytest.raises(Refused, match="has 20000000 bytes; set path"):
        S3Download(key="a/two.bin", **s3).run()
    assert S3Copy(source_key="a/one.txt", target_key="b/one.txt", **s3).run() == "b/one.txt"
    assert S3Delete(**s3).run(key="a/one.txt") == S3Delete(key="a/one.txt", **s3).run()
    assert S3List(prefix="a", **s3).run() == ["a/two.bin"]
    with pytest.raises(Refused, match=r"The store of 'box' has no such object") as refused:
        S3Download(key="a/one.txt", path=tmp_path / "missing", **s3).run()
    assert refused.value.code == 404 and not (tmp_path / "missing").exists()


def test_arguments_and_settings_that_are_refused(s3: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingArgument, match="S3Upload has no data"):
        S3Upload(**s3).run()
    with pytest.raises(MissingArgument, match="S3Download has no key"):
        S3Download(**s3).run()
    with pytest.raises(Refused, match="can't be used"):
        S3List("box", config={"nonsense": "x"}).run()
    monkeypatch.setenv("APPLIANCE_SECRET_CREDENTIALS", '["no mapping at all"]')
    with pytest.raises(Refused, match="404"):
        S3List(**s3 | {"bucket": "other"}).run()
    with pytest.raises(Refused, match="must be a JSON object"):
        S3List("box", credentials=Secret("CREDENTIALS")).run()


def test_objects_of_google(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    options = blobs.google()
    monkeypatch.setenv("APPLIANCE_SECRET_GOOGLE", options["options"]["service_account_key"])
    where: Any = {"bucket": BUCKET, "credentials": Secret("GOOGLE"), "client_options": options["client_options"]}
    assert GCSUpload(key="one", **where).run("content") == "one"
    assert GCSDownload(key="one", **where).run() == "content"
    assert [GCSBlobExists(**where).run(key=key) for key in ("one", "two")] == [True, False]


def test_objects_of_azure(blobs: Blobs, tmp_path: Path) -> None:
    where: Any = {"bucket": BUCKET, "config": blobs.azure()["options"], "client_options": {"allow_http": True}}
    assert BlobStorageUpload(**where).run(data="content", key="one") == "one"
    assert BlobStorageDownload(key="one", path=tmp_path / "one", **where).run() == {
        "path": str(tmp_path / "one"),
        "bytes": 7,
    }
