"""Code that is in a container image: as it is registered."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec

from appliance.protocol.containers import IMAGE_AND_TAG
from appliance.protocol.fetched_code import CodeTree

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
_NAME = re.compile(IMAGE_AND_TAG)
_LONGEST_NAME = 400


class DockerCode(CodeTree, kw_only=True):
    """The tree is the folder `folder` of an image. `image`: its name and tag. `id`: that of the image where it was built. `digest`: that of the
    image in its registry; empty if it is in none."""

    type: Literal["docker"] = "docker"
    image: str
    id: Sha256
    digest: Sha256 | Literal[""] = ""
    folder: Annotated[str, msgspec.Meta(max_length=1_000)]

    def check(self) -> None:
        super().check()
        if not is_image_name(self.image):
            raise ValueError("The name of an image must be a name and a tag, such as registry.example/team/etl:3.")
        folder = PurePosixPath(self.folder)
        if not folder.is_absolute() or str(folder) != self.folder or ".." in folder.parts or "\0" in self.folder:
            raise ValueError(
                "The folder of the code in the image must be an absolute path, without parts such as '..'."
            )

    def image_problem(self, image: str | None) -> str:
        """Why a run config can't name this image, in a sentence; empty if it names none, or this."""
        if image in (None, self.image, self.pinned):
            return ""
        return (
            f"The code of the flow is in image {self.image}, and the run config names image {image}: leave image out, or register the flow with another "
            "storage, such as a bundle."
        )

    @property
    def pinned(self) -> str:
        """The name by which whoever starts containers finds the image: with its digest, if it is in a registry."""
        return f"{self.image.rpartition(':')[0]}@{self.digest}" if self.digest else self.image


def is_image_name(text: str) -> bool:
    """Whether a text is the name of an image with a tag."""
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None
