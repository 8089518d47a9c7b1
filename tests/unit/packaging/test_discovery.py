"""Which files of a project are imported, under which names, and how each thing that can be wrong with one is said."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.packaging import importing
from appliance.packaging.discover import Search, flows_in
from tests.unit.packaging.test_files import FLOW, write

TRAP = "raise RuntimeError('executed')\n"
NEVER = [
    "setup.py",
    "conftest.py",
    "noxfile.py",
    "test_etl.py",
    "etl_test.py",
    "tests/flows.py",
    "test/flows.py",
    ".hidden/flows.py",
    ".hidden.py",
    "build/lib/flows.py",
    "dist/flows.py",
    "sales.egg-info/flows.py",
    "node_modules/a/flows.py",
    "env/lib/flows.py",
    "pkg/__pycache__/flows.py",
]


def searched(path: Path) -> Search:
    search = Search()
    search.path(path)
    return search


def names(search: Search) -> list[str]:
    return [flow.name for flow, _ in search.pairs]


def test_what_is_beside_the_flows_of_a_folder_is_never_executed(tmp_path: Path) -> None:
    write(tmp_path / "env" / "pyvenv.cfg", "")
    for name in NEVER:
        write(tmp_path / name, TRAP + FLOW.format(name=name))
    write(tmp_path / "script.py", TRAP)
    write(tmp_path / "pkg" / "etl.py", FLOW.format(name="etl"))
    search = searched(tmp_path)
    assert (names(search), search.problems) == (["etl"], [])


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(NEVER), st.sampled_from(["", "deep/", "a/b/"]))
def test_it_is_neither_deeper_down(tmp_path_factory: pytest.TempPathFactory, name: str, above: str) -> None:
    folder = tmp_path_factory.mktemp("project")
    write(folder / above / "env" / "pyvenv.cfg", "")
    write(folder / above / name, TRAP + FLOW.format(name="never"))
    assert searched(folder).pairs == []


def test_a_build_folder_that_is_a_package_is_one(tmp_path: Path) -> None:
    write(tmp_path / "build" / "__init__.py", "")
    write(tmp_path / "build" / "etl.py", FLOW.format(name="etl"))
    assert names(searched(tmp_path)) == ["etl"]


def test_every_broken_file_is_reported_and_stops_no_other(tmp_path: Path) -> None:
    write(tmp_path / "a.py", FLOW.format(name="a"))
    write(tmp_path / "b.py", FLOW.format(name="b") + "1 / 0\n")
    write(tmp_path / "c.py", FLOW.format(name="c") + "import sys\nsys.exit(3)\n")
    write(tmp_path / "d.py", "from appliance import Flow\nflow = Flow('d'\n")
    write(tmp_path / "python2.py", "print 'not ours'\n")
    write(tmp_path / "e.py", FLOW.format(name="e"))
    search = searched(tmp_path)
    assert names(search) == ["a", "e"]
    assert search.problems == [
        "The flow file b.py can't be loaded: ZeroDivisionError: division by zero in line 9.",
        "The flow file c.py can't be loaded: SystemExit: 3 in line 10.",
        "The flow file d.py can't be loaded: '(' was never closed in d.py, line 2.",
    ]


def test_an_error_in_a_helper_names_the_helper_and_its_line(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "__init__.py", "")
    write(tmp_path / "shop" / "helper_of_shop.py", "x = 1\n\n{}['gone']\n")
    write(tmp_path / "shop" / "etl.py", "from . import helper_of_shop\n" + FLOW.format(name="f"))
    assert searched(tmp_path).problems == [
        "The flow file etl.py can't be loaded: KeyError: 'gone' in shop/helper_of_shop.py, line 3."
    ]


def test_a_circle_of_imports_is_a_sentence(tmp_path: Path) -> None:
    write(tmp_path / "round" / "__init__.py", "")
    write(tmp_path / "round" / "etl.py", "from .other import x\n" + FLOW.format(name="f") + "y = 1\n")
    write(tmp_path / "round" / "other.py", "from .etl import y\nx = 1\n")
    (problem,) = searched(tmp_path).problems
    assert "circular import" in problem and "in round/other.py, line 1." in problem


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xef\xbb\xbf" + FLOW.format(name="bom").encode(), "bom"),
        (FLOW.format(name="crlf").replace("\n", "\r\n").encode(), "crlf"),
        (b"# coding: latin-1\n" + FLOW.format(name="gr\xfc\xdfe").encode("latin-1"), "gr\xfc\xdfe"),
    ],
    ids=["bom", "crlf", "coding"],
)
def test_texts_in_other_forms_are_read(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / "etl.py").write_bytes(content)
    assert names(searched(tmp_path)) == [name]


def test_an_encoding_that_is_not_pythons_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_bytes(FLOW.format(name="gr\xfc\xdfe").encode("latin-1"))
    (problem,) = searched(tmp_path).problems
    assert problem.startswith("The flow file etl.py can't be loaded: ") and "utf-8" in problem and "\n" not in problem


def test_main_blocks_are_not_executed(tmp_path: Path) -> None:
    write(tmp_path / "etl.py", FLOW.format(name="f") + f"if __name__ == '__main__':\n    {TRAP}")
    assert names(searched(tmp_path)) == ["f"]


def test_what_a_file_prints_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "etl.py", FLOW.format(name="f") + "print('chatter')\n")
    searched(tmp_path)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "chatter\n")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path / "flows" / "etl.py", FLOW.format(name="f"))
    (tmp_path / "flows" / "again").symlink_to(tmp_path / "flows")
    (tmp_path / "flows" / "loop.py").symlink_to("loop.py")
    assert names(searched(tmp_path)) == ["f"]


def test_two_flows_of_one_name_are_a_problem_of_theirs_alone(tmp_path: Path) -> None:
    for name, flow in (("a", "twin"), ("b", "twin"), ("c", "other")):
        write(tmp_path / f"{name}.py", FLOW.format(name=flow))
    search = searched(tmp_path)
    assert [flow.name for flow, _ in search.distinct()] == ["other"]
    assert search.problems[0].startswith("Two flows are named 'twin', in ")


def test_a_folder_without_flows_is_a_sentence(tmp_path: Path) -> None:
    write(tmp_path / "script.py", TRAP)
    assert searched(tmp_path).problems[0].startswith(f"No flow was found in {tmp_path}; a flow is a variable")


def test_a_package_named_like_pythons_own_says_to_rename_it(tmp_path: Path) -> None:
    write(tmp_path / "queue" / "__init__.py", "")
    write(tmp_path / "queue" / "conf.py", "X = 1\n")
    write(tmp_path / "queue" / "etl.py", "from .conf import X\n" + FLOW.format(name="f"))
    (problem,) = searched(tmp_path).problems
    assert problem.endswith("Rename the package: package queue has the name of another module.")


def test_a_package_that_hides_an_installed_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "site" / "warehouse" / "__init__.py", "")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site")])
    write(tmp_path / "project" / "warehouse" / "__init__.py", "")
    write(tmp_path / "project" / "warehouse" / "etl.py", FLOW.format(name="f"))
    sentences: list[str] = []
    Search(say=sentences.append).path(tmp_path / "project")
    assert [sentence for sentence in sentences if "hides an installed module" in sentence]
    write(tmp_path / "site" / "warehouse" / "etl.py", "a copy of the project, as pip installs it\n")
    sentences.clear()
    Search(say=sentences.append).path(tmp_path / "project")
    assert sentences == []


def test_an_import_that_takes_long_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PATIENCE", 0.01)
    write(tmp_path / "slow_helper.py", "import builtins\nbuiltins.said_of_slow_helper.wait(20)\n")
    write(tmp_path / "etl.py", "import slow_helper\n" + FLOW.format(name="f"))
    said, sentences = threading.Event(), []

    def say(sentence: str) -> None:
        sentences.append(sentence)
        said.set()

    monkeypatch.setattr("builtins.said_of_slow_helper", said, raising=False)
    Search(say=say).path(tmp_path)
    assert sentences[0] == "Still importing etl.py after 0 s: module slow_helper, line 2; press Ctrl-C to give up."


@pytest.mark.parametrize(
    "code", ["while True: pass\n", "import time\ntime.sleep(600)\n", "import threading\nthreading.Event().wait()\n"]
)
def test_an_import_without_end_is_given_up_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(importing, "LIMIT", 0.2)
    write(tmp_path / "a.py", FLOW.format(name="a") + code)
    write(tmp_path / "b.py", FLOW.format(name="b"))
    search = searched(tmp_path)
    assert names(search) == ["b"]
    (problem,) = search.problems
    assert problem.startswith("The flow file a.py can't be loaded: it was given up after 0 s (module a, line ")
    assert problem.endswith("Do what takes long in a task.")


def test_an_interrupted_import_says_where_it_was(tmp_path: Path) -> None:
    file = write(tmp_path / "etl.py", FLOW.format(name="f") + "raise KeyboardInterrupt\n")
    sentences: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        Search(say=sentences.append).path(file)
    assert sentences == ["Interrupted while etl.py was imported (module etl, line 9)."]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("scripts/etl.py", ""),
        ("scripts/etl.py:f", ""),
        ("scripts/etl.py:flow", ""),
        ("pkg.etl:flow", ""),
        ("pkg.etl", ""),
        ("scripts/etl.py:other", "There is no flow 'f' at scripts/etl.py:other"),
        ("scripts/gone.py", "does not exist"),
        ("pkg.gone", "There is no Python file for the module pkg.gone"),
        ("broken.etl", "The module broken.etl can't be loaded"),
    ],
)
def test_a_project_names_the_source_of_a_flow(tmp_path: Path, source: str, sentence: str) -> None:
    write(tmp_path / "scripts" / "etl.py", FLOW.format(name="f") + "other = Flow('other')\n")
    write(tmp_path / "src" / "pkg" / "__init__.py", "")
    write(tmp_path / "src" / "pkg" / "etl.py", FLOW.format(name="f"))
    write(tmp_path / "broken" / "__init__.py", "1 / 0\n")
    search = Search()
    search.source(tmp_path, "f", source)
    assert names(search) == ([] if sentence else ["f"])
    assert sentence in "".join(search.problems)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pkg"]:
        del sys.modules[name]


def test_flows_in_raises_the_first_problem(tmp_path: Path) -> None:
    from appliance.packaging.storage import LoadError

    with pytest.raises(LoadError, match="No flow was found"):
        flows_in(tmp_path)
