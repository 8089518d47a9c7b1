"""Which versions of flows are in which images, and which images nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from appliance.client import flows, projects
from appliance.client.transport import Transport
from appliance.packaging.image_archive import flows_in
from appliance.packaging.image_engine import LocalImage
from appliance.packaging.image_recipe import PROJECT


@dataclass(frozen=True)
class Uses:
    """`versions`: those whose code is in the image, of flows that are not in the archive. `is_known`: whether the server has its project."""

    versions: list[str] = field(default_factory=list)
    is_known: bool = False


def of(transport: Transport, images: Iterable[LocalImage]) -> dict[str, Uses]:
    """By the ids of the images."""
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
            for version in flows.each_version(transport, UUID(known["id"])) if ids else ():
                if version.get("image_id") in ids:
                    uses[version["image_id"]].versions.append(f"{project}/{known['name']} {version['number']}")
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
    return f"needed by {', '.join(uses.versions)}" if uses.versions else ""


def _has(transport: Transport, project: str, archived: bool) -> bool:
    return any(one.name == project for one in projects.listed(transport, project, archived))
