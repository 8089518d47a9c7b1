"""What a bundle has, what its document tells, and what the key that seals it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from appliance.client import bundles
from appliance.client.errors import Invalid, NotFound, Unreachable
from appliance.packaging import archive, loading, sealing
from appliance.packaging.bundle import Bundle, BundleStorage
from appliance.packaging.discover import flows_in
from appliance.packaging.local import LocalStorage
from appliance.packaging.storage import Access, CodeMissing, LoadError
from appliance.packaging.storage import Unreachable as Away
from appliance.protocol import storage as storages
from appliance.protocol.bundles import BundleContent

FLOW = "from appliance import Flow\nfrom shop import rates\n\nwith Flow('totals') as flow:\n    pass\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src/shop").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (folder / "requirements.lock").write_text("msgspec\n")
    (folder / "src/shop/__init__.py").touch()
    (folder / "src/shop/totals.py").write_text(FLOW)
    (folder / "src/shop/rates.py").write_text("RATE = 2\n")
    return folder


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sealing.BundleKey:
    made = sealing.new_key(tmp_path / "site.key")
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "site.key"))
    return made


def bundle(project: Path) -> BundleStorage:
    return Bundle().at(LocalStorage.of(project / "src/shop/totals.py", "totals"))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Access]:
    """Have the server answer with some bytes."""

    def with_bytes(data: bytes) -> Access:
        answer = BundleContent(sha256=sha256(data).hexdigest(), content=data)
        monkeypatch.setattr(bundles, "take", lambda *_: answer)
        return cast(Access, _Access())

    return with_bytes


class _Access:
    class transport:
        url = "http://appliance.test"

    flow_run_id, attempt, run_token = "", 1, "t"


def fetched(document: dict[str, Any], folder: Path, access: Access) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    loading.fetch(document, folder, access)
    return loading.checked(document, folder)


def test_a_bundle_has_the_version_and_the_requirements_of_its_project(project: Path) -> None:
    made = bundle(project)
    document = made.describe()
    assert document["path"] == "src/shop/totals.py"
    assert list(document["files"]) == ["requirements.lock", "src/shop/__init__.py", "src/shop/rates.py"]
    assert msgspec.to_builtins(storages.decode(document)) | {"module": None} == document | {
        "sealed": False,
        "module": None,
    }
    elsewhere = Path(shutil.copytree(project, project.with_name("elsewhere")))
    assert bundle(elsewhere).describe() == document
    assert bundle(elsewhere).packed() == made.packed()
    (elsewhere / "src/shop/rates.py").write_text("RATE = 3\n")
    assert bundle(elsewhere).digest != made.digest


def test_a_flow_without_a_project_can_be_a_bundle_too(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(FLOW.replace("from shop import rates\n", ""))
    document = bundle_of(tmp_path / "one.py").describe()
    assert (document["path"], document.get("files")) == ("one.py", None)


def bundle_of(path: Path) -> BundleStorage:
    return Bundle().at(LocalStorage.of(path, "totals"))


def test_it_comes_back_as_code_that_loads(project: Path, tmp_path: Path, serve: Callable[[bytes], Access]) -> None:
    made = bundle(project)
    place = fetched(made.describe(), tmp_path / "tree", serve(made.packed()))
    shutil.rmtree(project)
    assert loading.load_flow(place).name == "totals"


def test_a_file_that_changes_meanwhile_is_refused(project: Path) -> None:
    ((_, local),) = flows_in(project / "src/shop/totals.py")
    (project / "src/shop/rates.py").write_text("RATE = 3\n")
    with pytest.raises(LoadError, match=r"rates.py was changed while the flow was registered; register it again"):
        Bundle().at(local)


def test_a_sealed_bundle_tells_nothing_but_the_path(
    project: Path, tmp_path: Path, key: sealing.BundleKey, serve: Callable[[bytes], Access]
) -> None:
    made = bundle(project)
    document, data = made.describe(), made.packed()
    assert set(document) == {"type", "path", "flow", "module", "digest", "sha256", "sealed"}
    assert (document["path"], document["module"]) == ("src/shop/totals.py", "shop.totals")
    assert made.packed() != data, "sealing is random"
    assert bundle(project).describe() == document, "but equal sources are one version"
    plain = {
        sha256(content).hexdigest()
        for content in [*made.files.values(), archive.listing(made.files), archive.pack(made.files)]
    }
    assert not plain & {document["digest"], document["sha256"]}
    assert not any(name.encode() in data for name in made.files)
    place = fetched(document, tmp_path / "tree", serve(data))
    assert set(place["files"]) == {"shop/__init__.py", "shop/rates.py"}
    assert loading.load_flow(place).name == "totals"
    with pytest.raises(CodeMissing, match="register the flow again"):
        (tmp_path / "tree/src/shop/rates.py").write_text("RATE = 3\n")
        loading.checked(document, tmp_path / "tree")


def test_only_what_was_registered_is_accepted_from_whoever_can_seal(
    project: Path, tmp_path: Path, key: sealing.BundleKey, serve: Callable[[bytes], Access]
) -> None:
    """Sealing needs the public half alone, which is no secret."""
    made = bundle(project)
    forged = key.seal(archive.pack({**made.files, "src/shop/rates.py": b"RATE = 1000\n"}))
    with pytest.raises(CodeMissing, match="not those that were registered: register the flow again"):
        fetched(made.describe(), tmp_path / "tree", serve(forged))
    without = key.seal(archive.pack({"x.py": b""}))
    with pytest.raises(CodeMissing, match="register the flow again"):
        fetched(made.describe(), tmp_path / "tree", serve(without))


def test_a_missing_or_wrong_key_is_told(
    project: Path,
    tmp_path: Path,
    key: sealing.BundleKey,
    serve: Callable[[bytes], Access],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = bundle(project)
    access = serve(made.packed())
    sealing.new_key(tmp_path / "other.key")
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "other.key"))
    with pytest.raises(CodeMissing, match=r"sealed with another key than this agent's.*APPLIANCE_BUNDLE_KEY_FILE"):
        fetched(made.describe(), tmp_path / "tree", access)
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "gone.key"))
    with pytest.raises(CodeMissing, match="APPLIANCE_BUNDLE_KEY_FILE names a file that can't be read: No such file"):
        fetched(made.describe(), tmp_path / "tree", access)
    monkeypatch.delenv(sealing.SETTING)
    with pytest.raises(CodeMissing, match="set APPLIANCE_BUNDLE_KEY_FILE to the site's key file and restart the agent"):
        fetched(made.describe(), tmp_path / "tree", access)
    (tmp_path / "bad.key").write_text("AGE-SECRET-KEY-1NONSENSE\n")
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "bad.key"))
    with pytest.raises(sealing.KeyMissing, match="without a valid key; make one with `appliance bundle key new`"):
        bundle(project)


def test_a_new_key_is_for_its_owner_alone_and_never_replaces_one(tmp_path: Path) -> None:
    file = tmp_path / "site.key"
    key = sealing.new_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert key.recipient.startswith("age1") and key.recipient in file.read_text()
    with pytest.raises(FileExistsError):
        sealing.new_key(file)
    assert key.open(key.seal(b"content")) == b"content"
    assert key.name(b"content") == key.name(b"content") != sealing.new_key(tmp_path / "2").name(b"content")


def test_another_key_makes_one_more_version_and_the_old_one_still_opens(
    project: Path,
    tmp_path: Path,
    key: sealing.BundleKey,
    serve: Callable[[bytes], Access],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, before = tmp_path / "site.key", bundle(project)
    file.chmod(0o640)
    sealing.add_key(file)
    old, new = sealing.keys_in(file)
    assert (old.id, old.seals, new.seals) == (key.ids[0], True, False)
    assert bundle(project).describe() == before.describe() and bundle(project).upload("p").key_id == old.id
    sealing.switch_key(file)
    assert [one.id for one in sealing.keys_in(file)] == [new.id, old.id]
    assert file.stat().st_mode & 0o777 == 0o640 and sorted(tmp_path.glob(".site*")) == []
    after = bundle(project)
    assert after.digest != before.digest and after.describe() == bundle(project).describe()
    assert after.upload("p").key_id == new.id
    for number, made in enumerate((before, after)):
        place = fetched(made.describe(), tmp_path / str(number), serve(made.packed()))
        assert loading.load_flow(place).name == "totals"
    for id, why in (("0" * 16, "has no key 0000"), (new.id, "is the one that seals")):
        with pytest.raises(sealing.KeyMissing, match=why):
            sealing.remove_key(file, id)
    sealing.remove_key(file, old.id)
    with pytest.raises(CodeMissing, match="sealed with another key than this agent's"):
        fetched(before.describe(), tmp_path / "gone", serve(before.packed()))
    (tmp_path / "none.key").write_text("# nothing\n")
    with pytest.raises(sealing.KeyMissing, match="without a valid key"):
        sealing.add_key(tmp_path / "none.key")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotFound("not_found", 404, "There is none."), CodeMissing),
        (Unreachable("http://appliance.test"), Away),
        (Invalid("invalid", 400, "No."), LoadError),
    ],
)
def test_what_the_server_answers_decides_whether_it_is_tried_again(
    project: Path,
    tmp_path: Path,
    serve: Callable[[bytes], Access],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type,
) -> None:
    def refuse(*_arguments: object) -> None:
        raise error

    access = serve(b"")
    monkeypatch.setattr(bundles, "take", refuse)
    with pytest.raises(LoadError) as caught:
        fetched(bundle(project).describe(), tmp_path / "tree", access)
    assert type(caught.value) is kind
