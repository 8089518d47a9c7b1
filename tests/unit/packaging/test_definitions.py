"""Which files define flows, by their text: the others are never executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.packaging.discover import distinct, flows_in
from appliance.packaging.storage import LoadError
from tests.unit.packaging.test_files import FLOW, write

TRAP = 'open(__file__ + ".executed", "w").close()\n'
LIBRARY = """
from appliance import Flow as F, task

@task
def one():
    return 1

def make(name):
    with F(name) as made:
        one()
    return made

class Factory:
    def build(self, name):
        return make(name)

class Sub(F):
    pass

def fill(space):
    space["filled"] = make("f")

ready = make("ready")
"""

DEFINE = {
    "a block": FLOW.format(name="f"),
    "a plain call": "from appliance import Flow\nflow = Flow('f')\n",
    "the package": "import appliance\nflow = appliance.Flow('f')\n",
    "the package, renamed": "import appliance as a\nflow = a.Flow('f')\n",
    "a star": "from appliance import *\nflow = Flow('f')\n",
    "a deep module": "from appliance.core.flow import Flow as G\nflow: object = G('f')\n",
    "behind an if": "import sys\nfrom appliance import Flow\nif sys:\n    flow = Flow('f')\n",
    "in a try": "try:\n    from appliance import Flow\nfinally:\n    flow = Flow('f')\n",
    "in a loop": "from appliance import Flow\nfor name in ['f']:\n    globals()[name] = Flow(name)\n",
    "an update": "from appliance import Flow\nglobals().update({'f': Flow('f')})\n",
    "an own function": "def make():\n    from appliance import Flow\n    return Flow('f')\nflow = make()\n",
    "a subclass": "from appliance import Flow\nclass Mine(Flow): pass\nflow = Mine('f')\n",
    "a walrus": "from appliance import Flow\nprint(flow := Flow('f'))\n",
    "a decorator": "from library import make\ndef as_flow(f):\n    return make('f')\n@as_flow\ndef flow(): pass\n",
    "a factory beside it": "from library import make\nflow = make('f')\n",
    "a factory of a module": "import library\nflow = library.make('f')\n",
    "a factory's method": "from library import Factory\nflow = Factory().build('f')\n",
    "a subclass beside it": "from library import *\nflow = Sub('f')\n",
    "a package": "from package.inner import build\nflow = build('f')\n",
    "a module of a package": "from package import inner\nflow = inner.build('f')\n",
    "a deep name": "import package.inner\nflow = package.inner.build('f')\n",
    "a name passed on": "from package import build\nflow = build('f')\n",
    "a copy": "import library\nflow = library.ready.copy()\nflow.name = 'f'\n",
    "a partial": "import functools\nfrom appliance import Flow\nmake = functools.partial(Flow, 'f')\nflow = make()\n",
    "one chosen by name": "from library import make\nMAKERS = {'f': make}\nflow = MAKERS['f']('f')\n",
    "one of a loop": "from library import make\nfor build in [make]:\n    flow = build('f')\n",
    "from a registry": "import library\nMADE = {}\nMADE['f'] = library.make\nglobals()['flow'] = MADE['f']('f')\n",
    "filled by a function": "from library import make\ndef go():\n    global flow\n    flow = make('f')\ngo()\n",
}
NOT = {
    "setup.py": "from setuptools import setup\nsetup(name='x')\n",
    "a script": "import json, sys\ndata = json.loads('{}')\nprint(data)\n",
    "a script with a client": "from appliance.client.transport import Transport\nt = Transport.from_environment()\n",
    "tasks": "import os\nfrom appliance import task\nHOME = os.environ.get('HOME')\n@task\ndef one(): return HOME\n",
    "a test": FLOW.format(name="f")
    .replace("with Flow", "def test_it():\n  with Flow")
    .replace("    one()", "      one()"),
    "a test of a flow": "from library import ready\ndef test_it():\n    assert ready.run().is_successful()\n",
    "a script that runs one": "from library import ready\nstate = ready.run()\n",
    "a script that runs several": "from library import ready\nfor one in [ready]:\n    state = one.run()\n    print(state)\n",
    "the main block": "from appliance import Flow\nif __name__ == '__main__':\n    flow = Flow('f')\n",
    "factories only": LIBRARY.replace('ready = make("ready")', ""),
    "a hint": "from appliance import Flow\nflow: Flow\n",
    "a main function": "from library import make\ndef main():\n    flow = make('f')\n    flow.run()\nmain()\n",
    "nothing": "",
}


def folder(path: Path, text: str) -> Path:
    write(path / "library.py", LIBRARY)
    write(path / "package" / "__init__.py", "from package.inner import build\n")
    write(path / "package" / "inner.py", "from library import make\ndef build(name):\n    return make(name)\n")
    return write(path / "tried.py", TRAP + text)


@pytest.mark.parametrize("text", DEFINE.values(), ids=DEFINE)
def test_a_file_that_defines_a_flow_is_executed(tmp_path: Path, text: str) -> None:
    file = folder(tmp_path, text)
    assert [flow.name for flow, _ in flows_in(file)] == (["ready", "f"] if "library import *" in text else ["f"])


@pytest.mark.parametrize("text", NOT.values(), ids=NOT)
def test_a_file_that_defines_none_is_not(tmp_path: Path, text: str) -> None:
    file = folder(tmp_path, text)
    assert [flow.name for flow, _ in flows_in(tmp_path)] == ["ready"]
    assert not Path(f"{file}.executed").exists()


def test_a_file_that_is_named_is_imported(tmp_path: Path) -> None:
    file = folder(tmp_path, "x = 1\n")
    with pytest.raises(LoadError, match=r"No flow was found in .*tried\.py; a flow is a variable"):
        flows_in(file)
    assert Path(f"{file}.executed").exists()


def test_a_named_file_may_import_its_flow(tmp_path: Path) -> None:
    file = folder(tmp_path, "from library import ready\n")
    assert [flow.name for flow, _ in flows_in(file)] == ["ready"]


def test_modules_that_import_each_other_in_a_circle_are_judged(tmp_path: Path) -> None:
    write(tmp_path / "left.py", "from right import *\nfrom right import b\ndef a():\n    return b()\n")
    write(tmp_path / "right.py", "from left import *\nfrom left import a\ndef b():\n    return a()\n")
    file = write(tmp_path / "tried.py", TRAP + "from left import a\nx = a()\n")
    with pytest.raises(LoadError, match="No flow was found"):
        flows_in(tmp_path)
    assert not Path(f"{file}.executed").exists()


def test_two_flows_of_one_name_in_two_files_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a.py", FLOW.format(name="twin"))
    second = write(tmp_path / "b.py", FLOW.format(name="twin"))
    with pytest.raises(LoadError, match=r"Two flows are named 'twin', in .*a\.py and in .*b\.py"):
        distinct(flows_in(tmp_path))
    assert len(distinct([*flows_in(first), *flows_in(first)])) == 1
    assert len(distinct(flows_in(second))) == 1
