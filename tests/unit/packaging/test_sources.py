"""A version covers all files of its flow: which they are, and that none of them may differ when a run begins."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.packaging import sources
from appliance.packaging.loading import code_problem, load_flow
from appliance.packaging.local import LocalStorage
from appliance.packaging.storage import CodeMissing, LoadError
from appliance.protocol import storage as documents
from tests.unit.packaging.test_files import FLOW, write

PLAIN = FLOW.format(name="f")


def covered(path: Path) -> list[str]:
    return list(LocalStorage.of(path, "f").sources.files)


def test_a_flow_in_a_package_has_all_files_of_the_package(tmp_path: Path) -> None:
    for name in ("__init__.py", "helper.py", "inner/__init__.py", "inner/deep.py", "query.sql", "py.typed"):
        write(tmp_path / "pkg" / name, "")
    for name in (
        "__pycache__/helper.cpython-311.pyc",
        ".hidden.py",
        ".git/config",
        "build/lib.py",
        "node_modules/a.js",
    ):
        write(tmp_path / "pkg" / name, "")
    write(tmp_path / "pkg" / "venv" / "pyvenv.cfg", "")
    write(tmp_path / "pkg" / "venv" / "lib.py", "")
    write(tmp_path / "other" / "__init__.py", "")
    names = covered(write(tmp_path / "pkg" / "etl.py", PLAIN))
    assert names == [
        "pkg/__init__.py",
        "pkg/helper.py",
        "pkg/inner/__init__.py",
        "pkg/inner/deep.py",
        "pkg/py.typed",
        "pkg/query.sql",
    ]


def test_a_script_has_what_it_imports_from_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "beside.py", "def late():\n    import deeper\n")
    write(tmp_path / "deeper.py", "import os, missing, pack.inner\n")
    write(tmp_path / "pack" / "__init__.py", "")
    write(tmp_path / "pack" / "inner.py", "")
    write(tmp_path / "stranger.py", "")
    names = covered(write(tmp_path / "etl.py", "from beside import late\n" + PLAIN))
    assert names == ["beside.py", "deeper.py", "pack/__init__.py", "pack/inner.py"]


def test_a_file_alone_is_described_as_ever(tmp_path: Path) -> None:
    described = LocalStorage.of(write(tmp_path / "etl.py", PLAIN), "f").describe()
    assert set(described) == {"type", "path", "flow", "sha256"}


def test_a_sibling_package_in_src_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "")
    write(tmp_path / "src" / "common" / "__init__.py", "")
    write(tmp_path / "src" / "sales" / "__init__.py", "")
    names = covered(write(tmp_path / "src" / "sales" / "etl.py", "import common\n" + PLAIN))
    assert names == ["common/__init__.py", "sales/__init__.py"]


def test_the_project_leaves_files_out(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", '[tool.appliance]\nexclude = ["pkg/data", "*.csv"]\n')
    for name in ("__init__.py", "data/a.txt", "data/b.py", "table.csv", "kept.txt"):
        write(tmp_path / "pkg" / name, "")
    assert covered(write(tmp_path / "pkg" / "etl.py", PLAIN)) == ["pkg/__init__.py", "pkg/kept.txt"]


def test_links_and_large_files_are_left_out_and_said(tmp_path: Path) -> None:
    write(tmp_path / "pkg" / "__init__.py", "")
    (tmp_path / "pkg" / "loop.py").symlink_to("loop.py")
    (tmp_path / "pkg" / "elsewhere.py").symlink_to(write(tmp_path / "aside.py", ""))
    (tmp_path / "pkg" / "round").symlink_to(tmp_path / "pkg")
    with (tmp_path / "pkg" / "large.bin").open("wb") as file:
        file.truncate(6 * 1024**2)
    found = LocalStorage.of(write(tmp_path / "pkg" / "etl.py", PLAIN), "f").sources
    assert list(found.files) == ["pkg/__init__.py"]
    assert set(found.left_out) == {"pkg/elsewhere.py", "pkg/large.bin"}
    assert found.left_out["pkg/large.bin"] == "it is larger than 5 MB"


def test_too_many_files_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_FILES", 2)
    for name in ("__init__.py", "a.py", "b.py"):
        write(tmp_path / "pkg" / name, "")
    with pytest.raises(LoadError, match=r"more than 2 files; leave some out, with `exclude"):
        LocalStorage.of(write(tmp_path / "pkg" / "etl.py", PLAIN), "f")


@pytest.mark.parametrize("place", ["src/space/pkg/etl.py", "src/space/etl.py"])
def test_a_namespace_package_in_src_has_its_real_name(tmp_path: Path, place: str) -> None:
    write(tmp_path / "pyproject.toml", "")
    if "pkg" in place:
        write(tmp_path / "src" / "space" / "pkg" / "__init__.py", "")
    file = write(tmp_path / place, PLAIN)
    described = LocalStorage.of(file, "f").describe()
    assert described["module"] == ".".join(Path(place).with_suffix("").parts[1:])
    assert load_flow(described).name == "f"


@pytest.mark.parametrize("place", ["src/etl.py", "src/pkg/etl.py", "scripts/etl.py"])
def test_other_files_keep_the_names_that_they_had(tmp_path: Path, place: str) -> None:
    write(tmp_path / "pyproject.toml", "")
    for folder in ("src", "src/pkg") if "pkg" in place else ():
        write(tmp_path / folder / "__init__.py", "")
    assert sources.module_of(write(tmp_path / place, PLAIN), PLAIN.encode()) is None


def test_relative_imports_make_a_namespace_package_of_a_project(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "")
    write(tmp_path / "space_of_test" / "conf.py", "NAME = 'relative'\n")
    file = write(
        tmp_path / "space_of_test" / "etl.py", "from .conf import NAME\nfrom appliance import Flow\nflow = Flow(NAME)\n"
    )
    described = LocalStorage.of(file, "relative").describe()
    assert described["module"] == "space_of_test.etl" and list(described["files"]) == ["space_of_test/conf.py"]
    assert load_flow(described).name == "relative"


@pytest.mark.parametrize("change", ["changed", "gone", "link"])
def test_no_other_file_may_differ(tmp_path: Path, change: str) -> None:
    write(tmp_path / "pkg" / "__init__.py", "")
    helper = write(tmp_path / "pkg" / "helper.py", "")
    described = LocalStorage.of(write(tmp_path / "pkg" / "etl.py", PLAIN), "f").describe()
    assert code_problem(described) == ""
    if change == "changed":
        helper.write_text("1 / 0\n")
    else:
        helper.rename(helper.with_name("moved.py"))
    if change == "link":
        helper.symlink_to("moved.py")
    sentence = "The file pkg/helper.py of flow 'f' has changed since it was registered"
    assert code_problem(described) == f"{sentence}."
    with pytest.raises(CodeMissing) as caught:
        load_flow(described)
    assert str(caught.value) == f"{sentence}: register it again."


def test_other_files_are_imported_as_they_were_compared(tmp_path: Path) -> None:
    """Compiled code beside them is not used, nor what has taken their place since, in whatever order they are imported."""
    write(tmp_path / "compared" / "__init__.py", "")
    write(tmp_path / "compared" / "inner" / "__init__.py", "from .late import NAME\n")
    early = write(tmp_path / "compared" / "early.py", "NAME = 'good'\n")
    late = write(tmp_path / "compared" / "inner" / "late.py", "NAME = 'good'\n")
    text = "from appliance import Flow\nfrom .early import NAME\nflow = Flow(NAME)\ndef later():\n    from .inner import NAME\n    return NAME\n"
    described = LocalStorage.of(write(tmp_path / "compared" / "etl.py", text), "good").describe()
    status = early.stat()
    early.write_text("NAME = 'evil'\n")
    os.utime(early, ns=(status.st_atime_ns, status.st_mtime_ns))
    py_compile.compile(str(early), doraise=True)
    early.write_text("NAME = 'good'\n")
    os.utime(early, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_flow(described).name == "good"
    late.write_text("NAME = 'evil'\n")
    module = sys.modules["compared.etl"]
    assert module.later() == "good" and sys.modules["compared.inner"].__path__ == [str(late.parent)]


MODULE = """
from appliance import Flow, task
from .conf import NAME

@task
def one(): ...

with Flow(NAME) as flow:
    one()

if __name__ == "__main__":
    from appliance.packaging.register import registration
    import json
    print(json.dumps(registration(flow, "p").storage))
"""


def test_registering_under_python_m_keeps_the_name(tmp_path: Path) -> None:
    write(tmp_path / "loose" / "conf.py", "NAME = 'm'\n")
    write(tmp_path / "loose" / "etl.py", MODULE)
    done = subprocess.run(
        [sys.executable, "-m", "loose.etl"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"module": "loose.etl"' in done.stdout and '"loose/conf.py"' in done.stdout


HASH = "0" * 64


@pytest.mark.parametrize(
    "more",
    [
        {"root": "/flows", "files": {"../etc/passwd": HASH}},
        {"root": "/flows", "files": {"/etc/passwd": HASH}},
        {"root": "/flows", "files": {"a//b.py": HASH}},
        {"root": "/flows", "files": {"./b.py": HASH}},
        {"root": "/flows", "files": {"nul\0.py": HASH}},
        {"root": "/flows", "files": {"": HASH}},
        {"root": "/flows", "files": {"b.py": "no hash"}},
        {"root": "/elsewhere", "files": {"b.py": HASH}},
        {"root": "/flows/../etc", "files": {"b.py": HASH}},
        {"root": "", "files": {"b.py": HASH}},
        {"root": "/flows", "files": {f"{number}.py": HASH for number in range(documents.MOST_FILES + 1)}},
    ],
    ids=range(11),
)
def test_files_elsewhere_are_refused(more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"version's files|not valid"):
        documents.decode({"type": "local", "path": "/flows/a/etl.py", "flow": "f", "sha256": HASH, **more})


@example(["."])
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_no_accepted_name_leaves_the_folder(names: list[str]) -> None:
    document = {"type": "local", "path": "/flows/etl.py", "root": "/flows", "files": dict.fromkeys(names, HASH)}
    try:
        place = documents.decode(document)
    except ValueError:
        return
    assert all(os.path.normpath(f"/flows/{name}").startswith("/flows/") for name in place.files)
