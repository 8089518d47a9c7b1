"""Flow code in the image of the container that runs it: nothing is fetched, and each file is compared with what was registered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.packaging import fetched
from appliance.packaging.local import LocalStorage
from appliance.packaging.placed import decoded
from appliance.packaging.storage import LoadError
from appliance.protocol.image_code import DockerCode

if TYPE_CHECKING:
    from appliance.core.flow import Flow


class InImage:
    """What is registered with the storage `Docker`, as it is loaded in a container of the image."""

    @classmethod
    def problem(cls, document: dict[str, Any]) -> str:
        """A file is gone, or is not as it was."""
        try:
            return LocalStorage.problem(_placed(document))
        except LoadError as error:
            return str(error)

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow:
        """Raises LoadError when a file is not the one that was registered, or the flow is not there."""
        return LocalStorage.load(_placed(document))


def _placed(document: dict[str, Any]) -> dict[str, Any]:
    code = decoded(document, DockerCode)
    return fetched.placed(code, Path(code.folder))
