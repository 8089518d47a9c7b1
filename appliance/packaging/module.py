"""Flow code in a module of an installed distribution: nothing is fetched, and no other version of it is taken."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.core import flow_source
from appliance.core.errors import FlowBuildError
from appliance.core.flow_file import FlowFile
from appliance.kit import options
from appliance.packaging.local import LocalStorage, flows_of, import_content
from appliance.packaging.placed import PlacedStorage, documented, named
from appliance.packaging.storage import CodeMissing, LoadError
from appliance.protocol import storage as storages
from appliance.protocol.code_places import ModuleCode

if TYPE_CHECKING:
    from appliance.core.flow import Flow


class Module:
    """The module `module`, such as "package.flows", of a distribution that is installed here and wherever the flow runs; by default, the one that
    the flow's file is imported as."""

    def __init__(self, module: str | None = None) -> None:
        options.text("module", module)
        if module is not None and not all(map(str.isidentifier, module.split("."))):
            raise ValueError(f"{module!r} is not the name of a module; write it like package.flows.")
        self.module = module

    def describe(self) -> dict[str, Any]:
        return {"type": "module"} | ({} if self.module is None else {"module": self.module})

    def at(self, code: LocalStorage) -> PlacedStorage:
        """What is registered of a flow in this module. Raises FlowBuildError unless a distribution has installed it, as it was loaded here."""
        module = self.module or FlowFile.of(code.path, code.module).name
        try:
            name = _distribution_of(module)
            content = flow_source.read(_installed(module, name))
        except (LoadError, OSError) as error:
            raise FlowBuildError(f"The module {module} can't be read: {str(error).rstrip('.')}.") from None
        if flow_source.digest(content) != code.sha256:
            raise FlowBuildError(
                f"The flow {code.flow!r} was not loaded from the module {module} as it is installed: install this version of it, and then "
                "register the flow."
            )
        fields = {
            "type": "module",
            "module": module,
            "flow": code.flow,
            "sha256": code.sha256,
            "distribution": name,
            "version": metadata.version(name),
        }
        return PlacedStorage(documented(fields), code.path)

    @classmethod
    def problem(cls, document: dict[str, Any]) -> str:
        """The distribution is not installed, or has another version. Nothing of it is imported."""
        try:
            _registered(_decoded(document))
        except LoadError as error:
            return str(error)
        return ""

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow:
        """Raises LoadError when the module is not the one that was registered, or has no such flow."""
        code = _decoded(document)
        path, content = _registered(code)
        return named(flows_of(import_content(path, content, code.module)), code.flow, f"The module {code.module}")


def _registered(code: ModuleCode) -> tuple[Path, bytes]:
    """The module's file and its content, which is the one that was registered. Raises CodeMissing."""
    release = f"{code.distribution} {code.version}"
    try:
        installed = metadata.version(code.distribution)
    except metadata.PackageNotFoundError:
        raise CodeMissing(
            f"The module {code.module} needs {release}, which is not installed here: install it."
        ) from None
    if installed != code.version:
        raise CodeMissing(
            f"The module {code.module} was registered with {release}, and {installed} is installed here: install {code.version}, or register the "
            "flow again with the version that is installed."
        )
    path = _installed(code.module, code.distribution)
    try:
        content = flow_source.read(path)
    except OSError as error:
        raise CodeMissing(
            f"The module {code.module} can't be read ({error.strerror or error}): install {release} again."
        ) from None
    if flow_source.digest(content) != code.sha256:
        raise CodeMissing(f"The module {code.module} of {release} differs from what was registered: install it again.")
    return path, content


def _decoded(document: dict[str, Any]) -> ModuleCode:
    try:
        code = storages.decode(document)
    except ValueError as error:
        raise LoadError(str(error)) from None
    assert isinstance(code, ModuleCode)
    return code


def _installed(module: str, distribution: str) -> Path:
    """The file that the distribution has installed for a module, whatever this process has imported; of an installation that only points to a
    project, the one there. Raises CodeMissing."""
    inner = module.replace(".", "/")
    for file in metadata.files(distribution) or ():
        if file.as_posix() in (f"{inner}.py", f"{inner}/__init__.py"):
            return Path(str(file.locate())).resolve()
    return _file_of(module)


def _file_of(module: str) -> Path:
    """The file of a module, found without importing what is above it. Raises CodeMissing."""
    top, *parts = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    places = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    files = [] if spec is None or spec.origin is None or parts else [Path(spec.origin)]
    for place in places:
        inner = place.joinpath(*parts)
        files += [inner.with_name(f"{inner.name}.py"), inner / "__init__.py"] if parts else [inner / "__init__.py"]
    for file in files:
        if file.suffix == ".py" and file.is_file():
            return file.resolve()
    raise CodeMissing(f"There is no module {module} on this machine: install the distribution that has it.")


def _distribution_of(module: str) -> str:
    """The name of the installed distribution that has the module. Raises FlowBuildError."""
    top = module.partition(".")[0]
    if top not in _distributions:
        _distributions.update(metadata.packages_distributions())  # looks at all that are installed
    names = sorted(set(_distributions.get(top, ())))
    own = [name for name in names if _file_of(module) in set(_files(name))] if len(names) > 1 else names
    if len(own) != 1:
        what = f"is in several: {', '.join(names)}" if len(names) > 1 else "is in none that is installed"
        raise FlowBuildError(
            f"The module {module} must belong to one distribution, so that its version can be recorded, and {what}; install its project, or "
            "choose another storage."
        )
    return own[0]


_distributions: dict[str, list[str]] = {}
"""The names of distributions by the packages in them."""


def _files(distribution: str) -> Iterator[Path]:
    for file in metadata.files(distribution) or ():
        if file.suffix == ".py":
            yield Path(str(file.locate())).resolve()
