"""From a flow object to its registration on a server: metadata, storage and their hash."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from appliance.client import flows
from appliance.client.errors import Invalid
from appliance.client.transport import Transport
from appliance.config import host_name
from appliance.core.errors import FlowBuildError
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.serialize import serialize
from appliance.kit import options
from appliance.packaging import local_agent, lock_files, result_places
from appliance.packaging import project_file as project_files
from appliance.packaging.bundle import BundleStorage
from appliance.packaging.docker import share
from appliance.packaging.local import LocalStorage
from appliance.packaging.placed import PlacedStorage
from appliance.packaging.site_store import SiteStore
from appliance.packaging.storage import Describable
from appliance.protocol.flows import Registered, Registration, RegistrationPreview
from appliance.protocol.storage import secrets_of

_logger = get_logger()
_PACKAGE = str(Path(__file__).resolve().parent.parent)


_NO_HOST = "unknown field `host`"
OPTIONS = ("project", "url", "token", "labels", "set_schedules_active", "as_new", "storage", "transport")


def register(
    flow: Flow,
    project: str,
    *,
    url: str | None = None,
    token: str | None = None,
    labels: Iterable[str] = (),
    set_schedules_active: bool = True,
    as_new: bool = False,
    storage: Describable | None = None,
    transport: Transport | None = None,
) -> Registered:
    """Register `flow` in `project` on the server that `url` or APPLIANCE_URL names. The same content twice is one version.

    If a flow or project was renamed from this name, the server refuses, unless `as_new` asks for another one with the name.
    """
    options.strings("labels", labels := list(labels))

    def through(transport: Transport) -> Registered:
        store = SiteStore(transport, project, _logger.warning)
        place = place_of(flow, storage, None, store)
        for image in share([place], project):
            image.build(_logger.info)
        request = registration(
            flow, project, labels=labels, set_schedules_active=set_schedules_active, as_new=as_new, storage=place
        )
        if isinstance(place, BundleStorage):
            store.send(place)
        elif isinstance(place, PlacedStorage):
            place.send()
        answer = send(transport, request)
        answer = replace(answer, warnings=[*answer.warnings, *result_places.warnings_of(flow, {})])
        for warning in answer.warnings:
            _logger.warning("Flow %r: %s", flow.name, warning)
        return answer

    if transport is not None:
        return through(transport)
    with Transport.from_environment(url, token) as own:
        return through(own)


def place_of(flow: Flow, given: Describable | None, local: LocalStorage | None, store: SiteStore | None) -> Describable:
    """Where the flow's code is to be registered: in the `given` storage, or that of the flow, its project or the server, in this order. `local`:
    its file. Raises FlowBuildError."""
    chosen: Any = flow.storage if given is None else given
    place: Describable = chosen
    if chosen is not None and not hasattr(chosen, "at"):
        return place
    local = local or LocalStorage.of(*_file_of(flow))
    if chosen is None:
        chosen = project_files.storage_of(local.path)
        if chosen is None:
            return local if store is None else store.default(local)
    place = chosen.at(local)
    return place


def send(transport: Transport, request: Registration) -> Registered:
    """Register what was prepared. A server of an earlier release is not sent the host, nor the files besides the flow's own."""
    try:
        return local_agent.register(transport, request)
    except Invalid as error:
        if request.host and _NO_HOST in str(error):
            return send(transport, replace(request, host=""))
        if "unknown field" not in str(error) or not request.storage.get("files"):
            raise
    _logger.warning(
        "The server is of an earlier release, so the version of %r covers the flow's own file alone.", request.name
    )
    storage = {name: value for name, value in request.storage.items() if name not in ("root", "files")}
    return local_agent.register(transport, pinned(request, storage))


def preview(transport: Transport, request: Registration) -> RegistrationPreview:
    """What registering would do. Raises Refused if the server is of an earlier release that can't say."""
    try:
        return flows.preview(transport, request)
    except Invalid as error:
        if not request.host or _NO_HOST not in str(error):
            raise
    return flows.preview(transport, replace(request, host=""))


def registration(
    flow: Flow,
    project: str,
    *,
    labels: Iterable[str] = (),
    set_schedules_active: bool = True,
    as_new: bool = False,
    storage: Describable | None = None,
) -> Registration:
    """The request. Raises FlowBuildError for a flow whose file can't be determined."""
    given = options.strings("labels", labels)
    options.flag("set_schedules_active", set_schedules_active)
    options.flag("as_new", as_new)
    document = serialize(flow)
    place = place_of(flow, storage, None, None)
    storage_document = place.describe()
    if names := secrets_of(storage_document):
        document["secrets"] = sorted({*document.get("secrets", ()), *names})
    own = flow.run_config.labels if flow.run_config is not None else ()
    source = _source(place, flow)
    if source is not None:
        project_file = project_files.declared(source, flow.name)
        given |= project_file.labels_beside(flow.name, own)
        document = project_file.applied(flow.name, document, flow.run_config is not None)
    for saying in (document, *(schedule for schedule in document["schedules"] if "run_config" in schedule)):
        saying["run_config"] = lock_files.resolved(flow.name, saying["run_config"], source)
    return Registration(
        project=project,
        name=flow.name,
        content_hash=content_hash(document, storage_document),
        document=document,
        storage=storage_document,
        labels=sorted({*given, *own}),
        set_schedules_active=set_schedules_active,
        as_new=as_new,
        host=host_name() if isinstance(place, LocalStorage) and not place.shared else "",
    )


def pinned(request: Registration, storage: dict[str, Any]) -> Registration:
    """The same request with another document of its storage."""
    return replace(request, storage=storage, content_hash=content_hash(request.document, storage))


def _source(place: Describable, flow: Flow) -> Path | None:
    """The flow's file on this machine."""
    path = getattr(place, "source", None)
    return path if isinstance(path, Path) else _find(flow)[0]


def content_hash(document: dict[str, Any], storage: dict[str, Any]) -> str:
    """Hex SHA-256 of the canonical JSON of both: sorted keys, no spaces."""
    canonical = msgspec.json.encode({"document": document, "storage": storage}, order="deterministic")
    return hashlib.sha256(canonical).hexdigest()


def _file_of(flow: Flow) -> tuple[Path, str, str | None]:
    """The file that has the flow in a top-level variable, the flow's name, and the module's if `python -m` has run it. Raises FlowBuildError."""
    file, module = _find(flow)
    if file is None:
        raise FlowBuildError(
            f"Flow {flow.name!r} is not defined in a file that an agent could load; "
            "assign it to a variable at the top of a .py file and register that file."
        )
    return file, flow.name, module


def _find(flow: Flow) -> tuple[Path | None, str | None]:
    """Looks into the running script first, then into the modules it imported."""
    modules = [sys.modules["__main__"], *sys.modules.values()]
    for module in modules:
        path = getattr(module, "__file__", None)
        if path is None or path.startswith(_PACKAGE):
            continue
        if any(value is flow for value in list(vars(module).values())) and Path(path).is_file():
            spec = getattr(module, "__spec__", None) if module.__name__ == "__main__" else None
            name = None if spec is None or spec.name.rpartition(".")[2] != Path(path).stem else spec.name
            return Path(path), name
    return None, None
