"""A stored value has the classes of the script or flow file that reads it, whatever name the file had when it was written."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.core import flow_file, pickles, unpickle
from appliance.packaging.local import import_file

SCRIPT = """
import abc, dataclasses, enum, sys, typing
from pathlib import Path
from appliance.core.pickles import dumps
from appliance.core.unpickle import loads

class Color(enum.Enum):
    RED = 1

class Right(enum.Flag):
    READ = 1
    WRITE = 2

@dataclasses.dataclass(frozen=True)
class Row:
    number: int

@dataclasses.dataclass(slots=True)
class Slim:
    number: int

class Pair(typing.NamedTuple):
    left: int

class Shape(abc.ABC):
    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

class Circle(Shape):
    class Part(enum.Enum):
        EDGE = 1
    def __init__(self):
        self.me = self

class Odd(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code
    def __eq__(self, other):
        return type(self) is type(other) and self.args == other.args

def square(x):
    return x * x

SAME_NAME = []
for factor in (2, 3):
    def times(x, factor=factor):
        return x * factor
    SAME_NAME.append(times)

VALUES = [Color.RED, Right.READ | Right.WRITE, Row(1), Slim(2), Pair(3), Circle.Part.EDGE, Odd(7), [{"x": Color.RED}], Color, Circle, square, times]

def wrong(read):
    same = [type(one) is type(other) and one == other for one, other in zip(read, VALUES, strict=True)]
    return [value for value, is_same in zip(VALUES, same) if not is_same] + [
        value for value in read if isinstance(value, enum.Enum) and value not in (Color.RED, Right.READ | Right.WRITE, Circle.Part.EDGE)
    ]
"""
MAIN = """
if __name__ == "__main__":
    file = Path(sys.argv[1])
    if file.exists():
        print(wrong(loads(file.read_bytes())))
    else:
        file.write_bytes(dumps(VALUES))
"""


def run(file: Path, value: Path) -> str:
    done = subprocess.run([sys.executable, file, value], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A script, and what it stored when it ran."""
    folder = tmp_path_factory.mktemp("scripts")
    script = folder / "of_this_test.py"
    script.write_text(SCRIPT + MAIN)
    run(script, folder / "value")
    return script, folder / "value"


def test_the_next_process_of_a_script_gets_its_own_classes(stored: tuple[Path, Path]) -> None:
    assert run(*stored) == "[]\n"


def test_so_does_a_copy_of_the_script_elsewhere(stored: tuple[Path, Path], tmp_path: Path) -> None:
    script = tmp_path / "of_this_test.py"
    script.write_text(stored[0].read_text())
    assert run(script, stored[1]) == "[]\n"


def test_an_agent_gets_those_of_the_flow_file(stored: tuple[Path, Path]) -> None:
    module = import_file(stored[0])
    assert module.wrong(unpickle.loads(stored[1].read_bytes())) == []


def test_a_script_gets_its_own_of_what_an_agent_stored(stored: tuple[Path, Path], tmp_path: Path) -> None:
    module = import_file(stored[0])
    (tmp_path / "value").write_bytes(pickles.dumps(module.VALUES))
    assert run(stored[0], tmp_path / "value") == "[]\n"


def test_names_of_earlier_releases_still_mean_the_flow_file(stored: tuple[Path, Path], tmp_path: Path) -> None:
    module = import_file(stored[0])
    former = flow_file.private_name(stored[0].resolve()).encode()
    content = pickle.dumps(module.VALUES, protocol=2).replace(b"cof_this_test\n", b"c" + former + b"\n")
    assert former in content
    assert module.wrong(unpickle.loads(content)) == []
    (tmp_path / "value").write_bytes(content)
    assert run(stored[0], tmp_path / "value") == "[]\n"


def test_another_script_gets_the_classes_as_they_were(stored: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "another.py"
    other.write_text(
        "import sys\nfrom pathlib import Path\nfrom appliance.core.unpickle import loads\n"
        "class Row: pass\n"
        "read = loads(Path(sys.argv[1]).read_bytes())\n"
        "print(read[2].number, isinstance(read[2], Row), read[3].number, hasattr(read[3], '__dict__'), read[5])\n"
    )
    assert run(other, stored[1]) == "1 False 2 False Part.EDGE\n"


def test_functions_of_one_name_stay_apart(stored: tuple[Path, Path]) -> None:
    code = (
        "import runpy, sys\nfrom appliance.core.pickles import dumps\nfrom appliance.core.unpickle import loads\n"
        "print([times(10) for times in loads(dumps(SAME_NAME))], loads(dumps(times)) is times)\n"
    )
    script = stored[0].parent / "of_one_name.py"
    script.write_text(SCRIPT + code)
    assert run(script, stored[1]) == "[20, 30] True\n"


def test_plain_pickle_reads_it_too(stored: tuple[Path, Path]) -> None:
    """Earlier releases, and people without this library, see no difference."""
    assert pickle.loads(stored[1].read_bytes())[2].number == 1
