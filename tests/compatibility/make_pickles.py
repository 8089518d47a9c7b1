"""Pickles flows and results for the tests of later releases: run `python -m tests.compatibility.make_pickles` on a release.

The sources run as scripts, like the flows of users, and no path of the machine ends up in a pickle.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

from appliance import CompressedSerializer, LocalResult, PickleSerializer

PICKLES = Path(__file__).parent / "pickles"
SERIALIZERS = {
    "pickle": PickleSerializer(),
    "gzip": CompressedSerializer(PickleSerializer()),
    "lzma": CompressedSerializer(PickleSerializer(), "lzma"),
}
PACKAGES = (
    "appliance.core",
    "appliance.engine.executors",
    "appliance.engine.results",
    "appliance.protocol",
    "appliance.schedules",
)


def script(name: str) -> dict[str, Any]:
    """Run a source as a script; returns its variables."""
    main = sys.modules["__main__"].__dict__
    main["__file__"] = f"{name}.py"
    exec(compile((PICKLES / f"{name}.py").read_text(), f"{name}.py", "exec"), main)
    return main


def names() -> Iterator[tuple[str, str]]:
    """Every class and function that is defined in a module whose objects can end up in a pickle."""
    for package in map(import_module, filter(find_spec, PACKAGES)):
        for entry in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if entry.name.endswith("worker"):  # a program, not a module
                continue
            module = import_module(entry.name)
            for name, value in sorted(vars(module).items()):
                is_own = getattr(value, "__module__", "") == module.__name__
                if is_own and not name.startswith("__") and (inspect.isclass(value) or inspect.isfunction(value)):
                    yield module.__name__, name


def make_file_names_relative() -> None:
    """Make file names relative: closures of the SDK are pickled by value, file name included."""
    root = str(Path(import_module("appliance").__file__ or "").parent.parent)
    for name, module in sys.modules.items():
        if name.startswith("appliance."):
            module.__file__ = (module.__file__ or "").removeprefix(root + "/")
    for module_name, name in names():
        value = getattr(import_module(module_name), name)
        if inspect.isfunction(value):
            value.__code__ = _relative(value.__code__, root)


def _relative(code: CodeType, root: str) -> CodeType:
    consts = tuple(_relative(one, root) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=code.co_filename.removeprefix(root + "/"), co_consts=consts)


def main() -> None:
    """Write all pickles, and a list of the names that they may refer to."""
    list(names())  # imports all modules
    make_file_names_relative()
    flows, values = script("flows"), script("values")["values"]()
    flows["save_into"](PICKLES)
    state = flows["of_stored_results"](PICKLES / "results").run()
    assert state.is_successful()
    stored = {}
    for key, value in values.items():
        for kind, serializer in SERIALIZERS.items():
            written = LocalResult(PICKLES, serializer=serializer).store(value, f"{key}.{kind}")
            stored[written.location] = written.sha256
    document = {"python": platform.python_version(), "results": stored, "names": sorted(map(":".join, names()))}
    (PICKLES / "pickles.json").write_text(json.dumps(document, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
