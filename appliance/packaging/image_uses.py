"""Which versions of flows are in which images, and which images nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from appliance.client import flows, projects
from appliance.client.transport import Transport
from appliance.kit.plurals import counted
from appliance.packaging.image_archive import flows_in
from appliance.packaging.image_engine import LocalImage
from appliance.packaging.image_recipe import PROJECT


@dataclass(frozen=True)
class Uses:
    """`versions`: those whose code is in the image, of flows that are not in the archive. `needed`: those of them that runs may need. `is_known`:
    whether the server has its project."""

    versions: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    is_known: bool = False

    def add(self, flow: str, version: Mapping[str, Any], is_new: bool) -> None:
        """A version of a flow, as the server describes it. One of the release before does not say which runs have not ended."""
        name, open_runs = f"{flow} {version['number']}", version.get("open_runs")
        self.versions.append(name)
        if is_new or open_runs is None:
            self.needed.append(name)
        elif open_runs:
            self.needed.append(f"{name} ({counted(open_runs, 'run')} not ended)")


def of(transport: Transport, images: Iterable[LocalImage], keep: int = 1) -> dict[str, Uses]:
    """By the ids of the images. Runs may need the newest `keep` versions of a flow, and those of which runs have not ended."""
    named: dict[str, dict[str, list[LocalImage]]] = {}
    for image in images:
        for flow in names_in(image):
            named.setdefault(image.labels[PROJECT], {}).setdefault(flow, []).append(image)
    uses: dict[str, Uses] = {}
    for project, by_flow in named.items():
        in_use, in_archive = (_has(transport, project, archived) for archived in (False, True))
        for image in (image for same in by_flow.values() for image in same):
            uses.setdefault(image.id, Uses(is_known=in_use or in_archive))
        for known in flows.each(transport, project=project) if in_use else ():
            ids = {image.id for image in by_flow.get(known["name"], ())}
            for index, version in enumerate(flows.each_version(transport, UUID(known["id"])) if ids else ()):
                if version.get("image_id") in ids:
                    uses[version["image_id"]].add(f"{project}/{known['name']}", version, is_new=index < keep)
    return uses


def names_in(image: LocalImage) -> list[str]:
    """The names of the flows in an image; none if its labels don't say."""
    try:
        return list(flows_in(dict(image.labels)))
    except ValueError:
        return []


def reason_to_keep(image: LocalImage, uses: Uses, has_container: bool) -> str:
    """Why an image is kept; empty if nothing needs it."""
    if has_container:
        return "a container has it"
    if not uses.is_known:
        return "its project is not on this server"
    return f"needed by {', '.join(uses.needed)}" if uses.needed else ""


def _has(transport: Transport, project: str, archived: bool) -> bool:
    return any(one.name == project for one in projects.listed(transport, project, archived))
