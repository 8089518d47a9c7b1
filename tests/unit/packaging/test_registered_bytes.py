"""What was registered is what runs: the bytes of one regular file, whatever lies beside it or takes its place."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.core import flow_file, flow_source
from appliance.packaging.loading import code_problem, load_flow
from appliance.packaging.local import LocalStorage, flows_of, import_content
from appliance.packaging.storage import LoadError

CODE = "from appliance import Flow, task\n\n@task\ndef one():\n    return 1\n\nwith Flow('{}') as flow:\n    one()\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path.resolve() / "etl_of_bytes.py"
    path.write_text(CODE.format("good"))
    return path


def plant(file: Path) -> None:
    """Compiled code of another flow, which the interpreter would take for the file's."""
    good, status = file.read_text(), file.stat()
    file.write_text(CODE.format("evil"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    py_compile.compile(str(file), doraise=True)
    file.write_text(good)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_compiled_code_beside_the_file_is_not_used(file: Path) -> None:
    described = LocalStorage.of(file, "good").describe()
    plant(file)
    assert load_flow(described).name == "good"


def test_the_bytes_that_were_hashed_are_those_that_are_compiled(file: Path) -> None:
    content = flow_source.read(file)
    file.write_text(CODE.format("evil"))
    assert [flow.name for flow in flows_of(import_content(file, content))] == ["good"]


def test_a_process_of_the_run_does_not_import_other_bytes(file: Path) -> None:
    flow_file.FlowFile.of(file).load()
    current = flow_file.current()
    assert current is not None
    file.write_text(CODE.format("evil"))
    code = "import sys; from appliance.core import flow_file; flow_file.adopt(sys.argv[1]); import etl_of_bytes"
    done = subprocess.run([sys.executable, "-c", code, current.describe()], capture_output=True, text=True, check=False)
    assert "ImportError: The flow file etl_of_bytes.py has changed since the run began." in done.stderr


def gone(file: Path) -> None:
    file.unlink()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def link(file: Path) -> None:
    file.rename(file.with_name("other.py"))
    file.symlink_to("other.py")


def linked_folder(file: Path) -> None:
    folder = file.parent
    moved = folder.rename(folder.with_name("moved"))
    folder.symlink_to(moved)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def large(file: Path) -> None:
    with file.open("ab") as opened:
        opened.truncate(flow_source.MOST_BYTES + 1)


def changed(file: Path) -> None:
    file.write_text("x = 1\n")


@pytest.mark.parametrize("change", [gone, pipe, link, linked_folder, folder, large, changed])
def test_no_answer_tells_what_is_there_instead(file: Path, change: Callable[[Path], None]) -> None:
    described = LocalStorage.of(file, "good").describe()
    change(file)
    assert code_problem(described) == "The flow file etl_of_bytes.py has changed since it was registered."
    with pytest.raises(LoadError) as caught:
        load_flow(described)
    assert str(caught.value) == "The flow file etl_of_bytes.py has changed since it was registered: register it again."


@pytest.mark.parametrize(
    "path",
    [
        *("/dev/zero", "/proc/self/environ", "etl.py", "/a/../etl.py", "/nul\0.py", "", "../../etc/etl.py", "~/etl.py"),
        *(
            "file:///srv/etl.py",
            "/srv/%2e%2e/etl.py",
            "//host/share/etl.py",
            r"\\host\share\etl.py",
            "/srv/" + "x" * 300 + ".py",
        ),
    ],
)
def test_other_paths_are_refused_alike(path: str) -> None:
    assert code_problem({"type": "local", "path": path, "flow": "f", "sha256": ""}).endswith(
        "has changed since it was registered."
    )


def test_only_python_files_are_run(file: Path) -> None:
    described = LocalStorage.of(file, "good").describe()
    upload = file.rename(file.with_suffix(".csv"))
    with pytest.raises(LoadError, match="has changed since it was registered"):
        load_flow(described | {"path": str(upload)})
