"""Loading flow files and finding flows in them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from appliance.packaging.discover import flows_in
from appliance.packaging.local import flows_of, import_file
from appliance.packaging.storage import LoadError

FLOW = (
    'from appliance import Flow, task\n\n@task\ndef one():\n    return 1\n\nwith Flow("{name}") as flow:\n    one()\n'
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_main_blocks_do_not_run_and_registering_at_the_bottom_only_warns(tmp_path: Path) -> None:
    text = FLOW.format(name="f") + 'flow.register(project="p")\nif __name__ == "__main__":\n    raise SystemExit(3)\n'
    with pytest.warns(UserWarning, match="ignored while"):
        module = import_file(write(tmp_path / "f.py", text))
    assert [flow.name for flow in flows_of(module)] == ["f"]
    assert sys.modules[module.__name__] is module


def test_modules_beside_the_file_can_be_imported(tmp_path: Path) -> None:
    write(tmp_path / "beside_this_flow.py", "NAME = 'from beside'\n")
    text = "from beside_this_flow import NAME\n" + FLOW.format(name="x").replace('"x"', "NAME")
    assert [flow.name for flow in flows_of(import_file(write(tmp_path / "f.py", text)))] == ["from beside"]


def test_a_file_may_read_its_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ["appliance", "register", "f.py"]
    monkeypatch.setattr(sys, "argv", ours)
    text = "import argparse, sys\nargparse.ArgumentParser().parse_args()\narguments = list(sys.argv)\n"
    file = write(tmp_path / "f.py", text)
    assert import_file(file).arguments == [str(file)]
    assert sys.argv is ours


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n1 / 0\n", "can't be loaded: ZeroDivisionError: division by zero in line 2."),
        ("import no_such_module_here\n", "ModuleNotFoundError: No module named 'no_such_module_here' in line 1."),
        ("def broken(:\n", "invalid syntax in broken.py, line 1."),
        ("raise SystemExit('bye')\n", "SystemExit: bye in line 1."),
        ("raise GeneratorExit\n", "GeneratorExit in line 1."),
        ("class Odd(BaseException): pass\nraise Odd('bye')\n", "Odd: bye in line 2."),
        ("from appliance import signals\nraise signals.FAIL('bye')\n", "FAIL: bye in line 2."),
        ("def again():\n    again()\nagain()\n", "RecursionError: maximum recursion depth exceeded in line 2."),
        ("x = '\0'\n", "source code string cannot contain null bytes."),
        ("# coding: nonsense\n", "unknown encoding: nonsense in broken.py, line 0."),
        ("x = " + "(" * 5_000 + ")" * 5_000, "too many nested parentheses in broken.py, line 1."),
    ],
)
def test_a_broken_file_is_one_sentence_with_the_first_own_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(LoadError) as caught:
        import_file(write(tmp_path / "broken.py", text))
    assert str(caught.value).startswith("The flow file broken.py can't be loaded: ")
    assert str(caught.value).endswith(sentence)
    assert caught.value.__cause__ is not None


def test_a_directory_is_searched_without_its_hidden_parts(tmp_path: Path) -> None:
    write(tmp_path / "a.py", FLOW.format(name="a"))
    write(tmp_path / "deeper" / "b.py", FLOW.format(name="b"))
    write(tmp_path / ".venv" / "c.py", "1 / 0")
    write(tmp_path / "plain.py", "x = 1\n")
    found = flows_in(tmp_path)
    assert [flow.name for flow, _ in found] == ["a", "b"]
    assert found[1][1].describe()["path"] == str(tmp_path / "deeper" / "b.py")


def test_two_flows_of_one_name_in_a_file_are_refused(tmp_path: Path) -> None:
    text = FLOW.format(name="twin") + FLOW.format(name="twin").replace("as flow", "as other")
    with pytest.raises(LoadError, match="two flows named 'twin'"):
        flows_in(write(tmp_path / "twins.py", text))


@pytest.mark.parametrize(("name", "sentence"), [("gone.py", "does not exist"), ("note.txt", "not a Python file")])
def test_wrong_paths_are_one_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    write(tmp_path / "note.txt", "hello")
    with pytest.raises(LoadError, match=sentence):
        flows_in(tmp_path / name)


def test_a_file_without_flows_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="No flow was found"):
        flows_in(write(tmp_path / "empty.py", "x = 1\n"))
