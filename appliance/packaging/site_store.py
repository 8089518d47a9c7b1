"""Where the code of a flow goes when it is registered: what the flow, its project or the server says, and the way there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.client import bundles
from appliance.client.errors import NotFound, Refused
from appliance.client.transport import Transport
from appliance.core.errors import FlowBuildError
from appliance.kit import options
from appliance.packaging import sources
from appliance.packaging.bundle import Bundle, BundleStorage
from appliance.packaging.local import LocalStorage
from appliance.packaging.storage import Describable
from appliance.protocol.bundles import BundleOffer

_LARGE = 1024**2
"""Bytes of a bundle of which it is said that it is sent."""


class Local:
    """Register where a flow's files are, for an agent that reads them from there: `Flow(..., storage=Local())`. Outside of a project, that is
    the default. Runs are for the agents of the host that registers the flow, unless `shared` says that the same path leads to the same files on
    every host with an agent."""

    def __init__(self, shared: bool = False) -> None:
        self.shared = bool(options.flag("shared", shared))

    def at(self, local: LocalStorage) -> LocalStorage:
        """The storage of a flow that was found here."""
        if self.shared:
            local = copy.copy(local)
            local.shared = True
        return local

    def describe(self) -> dict[str, str]:
        return {"type": "local"}


@dataclass
class SiteStore:
    """The store of one server, which is asked once whether it takes code. `say` gets sentences about what happens."""

    transport: Transport
    project: str
    say: Callable[[str], object]
    _offer: BundleOffer | None = None
    _said: bool = False
    _sent: set[str] = field(default_factory=set)
    _waiting: dict[str, int] = field(default_factory=dict)

    def default(self, local: LocalStorage) -> Describable:
        """A bundle, if the flow belongs to a project and the server takes it."""
        if sources.project_of(local.path) is None:
            return local
        offer = self.offer()
        if offer is not None and offer.enabled:
            return Bundle().at(local)
        if not self._said:
            self._said = True
            why = "keeps no code (APPLIANCE_BUNDLES=false)" if offer is not None else "is of an earlier release"
            self.say(f"The server {why}, so agents read the flow's files where they are now.")
        return local

    def offer(self) -> BundleOffer | None:
        """What the server says; None if it is of an earlier release."""
        if self._offer is None:
            self._offer = self._ask("")
        return self._offer

    def waiting(self, bundle: BundleStorage) -> int:
        """How many bytes sending it takes: 0 if the server has it. Raises FlowBuildError if the server doesn't take it."""
        digest = bundle.digest
        if digest not in self._waiting:
            answer = self._ask_for(bundle)
            self._waiting[digest] = 0 if answer.stored else _fitting(bundle, len(bundle.packed()), answer)
            if not self._waiting[digest]:
                self._sent.add(digest)
        return self._waiting[digest]

    def send(self, bundle: BundleStorage) -> None:
        """Bring it to the server, unless it is there. Raises FlowBuildError if the server doesn't take it."""
        if bundle.digest in self._sent:
            return
        answer = self._ask_for(bundle)
        if not answer.stored:
            request = bundle.upload(self.project)
            size = _fitting(bundle, len(request.content), answer)
            if size >= _LARGE:
                self.say(f"Sending {size / 1024**2:.1f} MB of code to the server.")
            bundles.put(self.transport, request)
        self._sent.add(bundle.digest)

    def _ask_for(self, bundle: BundleStorage) -> BundleOffer:
        answer = self._ask(bundle.digest)
        if answer is None or not answer.enabled:
            raise FlowBuildError(
                f"The server keeps no code, which flow {bundle.flow!r} needs: use Local() as its storage, or have an administrator upgrade the server "
                "and set APPLIANCE_BUNDLES=true."
            )
        return answer

    def _ask(self, digest: str) -> BundleOffer | None:
        try:
            return bundles.ask(self.transport, self.project, digest)
        except NotFound:
            return None
        except Refused as error:
            if error.status != 405:
                raise
            return None


def _fitting(bundle: BundleStorage, size: int, answer: BundleOffer) -> int:
    """The size, if the server takes it."""
    if size > answer.most_bytes:
        raise FlowBuildError(
            f"The bundle of flow {bundle.flow!r} has {size:,} bytes, and the server takes {answer.most_bytes:,}: leave files out, with `exclude` in "
            f"[tool.appliance] of {sources.PROJECT_FILE}, or have an administrator raise APPLIANCE_BUNDLE_BYTES."
        )
    return size
