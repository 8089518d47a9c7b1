"""Pickles flows and results for the tests of later releases: run `python -m tests.compatibility.make_pickles` on a release.

The sources run as scripts, as a user's flows do, under names without a directory: no path of this machine goes along.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
import platform
import sys
from collections.abc import Iterator
from importlib import import_module
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
PACKAGES = ("appliance.core", "appliance.engine.results", "appliance.engine.executors")


def script(name: str) -> dict[str, Any]:
    """The variables of a source after it ran as a script does."""
    main = sys.modules["__main__"].__dict__
    main["__file__"] = f"{name}.py"
    exec(compile((PICKLES / f"{name}.py").read_text(), f"{name}.py", "exec"), main)
    return main


def names() -> Iterator[tuple[str, str]]:
    """The classes and functions that are at home in the modules from which users' objects are made."""
    for package in map(import_module, PACKAGES):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("worker"):  # a program, not a module
                continue
            module = import_module(found.name)
            for name, value in sorted(vars(module).items()):
                at_home = getattr(value, "__module__", "") == module.__name__
                if at_home and not name.startswith("__") and (inspect.isclass(value) or inspect.isfunction(value)):
                    yield module.__name__, name


def forget_places() -> None:
    """Functions that functions of the SDK make are pickled with the names of their files: leave out where those lie."""
    root = str(Path(import_module("appliance").__file__ or "").parent.parent)
    for name, module in sys.modules.items():
        if name.startswith("appliance."):
            module.__file__ = (module.__file__ or "").removeprefix(root + "/")
    for module_name, name in names():
        value = getattr(import_module(module_name), name)
        if inspect.isfunction(value):
            value.__code__ = _placeless(value.__code__, root)


def _placeless(code: CodeType, root: str) -> CodeType:
    consts = tuple(_placeless(one, root) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=code.co_filename.removeprefix(root + "/"), co_consts=consts)


def main() -> None:
    """Write all of it."""
    list(names())  # imports all modules
    forget_places()
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
