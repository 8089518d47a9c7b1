"""Archives of code: the same bytes for the same files, and nothing that a hostile one could do while it is unpacked."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.core import flow_source
from appliance.packaging import archive
from appliance.packaging.archive import BadArchive
from tests import depth

PART = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda part: part not in (".", "..") and len(part.encode()) < 100
)
NAMES = st.lists(PART, min_size=1, max_size=4).map("/".join)


def fits(files: dict[str, bytes]) -> bool:
    """No file has the name of a folder."""
    return not any(other.startswith(f"{name}/") for name in files for other in files)


@settings(max_examples=depth.examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=st.dictionaries(NAMES, st.binary(max_size=200), max_size=8).filter(fits))
def test_any_tree_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("tree")
    data = archive.pack(files)
    assert data == archive.pack(dict(reversed(files.items())))
    archive.unpack(data, folder, set(files))
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == files
    assert all(path.stat().st_mode & 0o111 == 0 for path in folder.rglob("*") if path.is_file())


def hostile(*entries: tuple[str, bytes, int]) -> bytes:
    """An archive with these names, contents and file modes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename = entry.orig_filename = name
            entry.external_attr = mode << 16
            made.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


FILE = stat.S_IFREG | 0o644
BAD: dict[str, Callable[[], bytes]] = {
    "no archive": lambda: b"PK nothing",
    "empty": lambda: b"",
    "absolute": lambda: hostile(("/tmp/x.py", b"", FILE)),
    "above": lambda: hostile(("../x.py", b"", FILE)),
    "above, inside": lambda: hostile(("a/../../x.py", b"", FILE)),
    "dot": lambda: hostile(("./x.py", b"", FILE)),
    "backslashes": lambda: hostile(("..\\x.py", b"", FILE)),
    "a nul": lambda: hostile(("x.py\0.txt", b"", FILE)),
    "no name": lambda: hostile(("", b"", FILE)),
    "a folder": lambda: hostile(("a/", b"", stat.S_IFDIR | 0o755)),
    "a link": lambda: hostile(("x.py", b"/etc/passwd", stat.S_IFLNK | 0o777)),
    "a device": lambda: hostile(("x.py", b"", stat.S_IFCHR | 0o666)),
    "no mode": lambda: hostile(("x.py", b"", 0)),
    "twice": lambda: hostile(("x.py", b"1", FILE), ("x.py", b"2", FILE)),
    "a file as a folder": lambda: hostile(("x.py", b"", FILE), ("x.py/y.py", b"", FILE)),
    "a folder as a file": lambda: hostile(("x.py/y.py", b"", FILE), ("x.py", b"", FILE)),
    "a long name": lambda: hostile(("x" * 1_001, b"", FILE)),
    "a large file": lambda: hostile(("x.py", bytes(flow_source.MOST_BYTES + 1), FILE)),
    "another file": lambda: hostile(("y.py", b"", FILE)),
    "cut off": lambda: hostile(("x.py", os.urandom(1000), FILE))[:-30],
    "cut in the middle": lambda: (lambda data: data[:200] + data[300:])(hostile(("x.py", os.urandom(1000), FILE))),
    "changed": lambda: (lambda data: data[:100] + b"!!!!" + data[104:])(hostile(("x.py", os.urandom(1000), FILE))),
    "many entries": lambda: b"PK\x01\x02" * 5_000,
}


@pytest.mark.parametrize("name", BAD)
def test_a_hostile_archive_is_refused_and_leaves_nothing_outside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inner" / "folder"
    folder.mkdir(parents=True)
    with pytest.raises(BadArchive):
        archive.unpack(BAD[name](), folder, {"x.py", "x.py/y.py"})
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]
    assert not any(path.is_symlink() for path in folder.rglob("*"))


def test_what_is_small_packed_but_large_unpacked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_UNPACKED", 1_000_000)
    data = archive.pack({f"{number}.txt": bytes(400_000) for number in range(3)})
    assert len(data) < 10_000
    with pytest.raises(BadArchive, match="too large"):
        archive.unpack(data, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1_000_000


def test_files_have_one_digest_however_they_are_packed() -> None:
    files = {"a.py": b"1", "b.py": b"2"}
    hashes = {name: flow_source.digest(content) for name, content in reversed(files.items())}
    assert archive.encoded(hashes) == archive.listing(files)
    assert archive.digest(hashes) != archive.digest({**hashes, "a.py": hashes["b.py"]})
