"""What an author says of the image of a project's flows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from appliance.kit import options
from appliance.kit.run_environment import env_problem
from appliance.protocol import environments
from appliance.protocol.image_code import is_image_name

_CREDENTIALS = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


class ImageOptions:
    """The options of `Docker`."""

    def __init__(
        self,
        base_image: str,
        *,
        requirements: Iterable[str] | None = None,
        lock: str | None = None,
        index: str | None = None,
        only_wheels: bool = True,
        files: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        commands: Iterable[str] | None = None,
        name: str | None = None,
        tag: str | None = None,
        registry: str | None = None,
        network: str | None = None,
    ) -> None:
        """Raises TypeError or ValueError, with a sentence, for options of another form."""
        self.base_image = base_image
        self.requirements = [
            environments.normalized(line) for line in options.listed("requirements", requirements, str)
        ]
        self.lock, self.index, self.only_wheels = lock, index, bool(options.flag("only_wheels", only_wheels))
        self.files, self.env = options.mapping("files", files), options.mapping("env", env)
        self.commands = list(options.listed("commands", commands, str))
        self.name, self.tag, self.registry, self.network = name, tag, registry, network
        for option in ("base_image", "lock", "index", "name", "tag", "registry", "network"):
            options.text(option, getattr(self, option))
        texts = [*self.commands, *self.files, *self.files.values(), *self.env.values()]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("files, env, and commands must have strings.")
        if problem := self._problem():
            raise ValueError(problem)

    def repository(self, project: str) -> str:
        """The image's name without its tag."""
        name = self.name or _NOT_IN_A_NAME.sub("-", project.lower()).strip("-") or "flows"
        return f"{self.registry}/{name}" if self.registry else name

    @property
    def text(self) -> str:
        """All options, which is the same for the same."""
        return json.dumps(vars(self), sort_keys=True)

    def _problem(self) -> str:
        if not self.base_image.strip() or len(self.base_image.split()) != 1:
            return "base_image must be the name of an image, such as python:3.13-slim."
        if not is_image_name(f"{self.repository('flows')}:{self.tag or ''}0"):
            return "name, tag, and registry must form the name of an image, such as registry.example/team/etl:3, in lower case."
        if problem := environments.requirements_problem(self.requirements) or env_problem(self.env):
            return problem
        if any("\n" in value or "\r" in value for value in self.env.values()):
            return "The variables in env must have one line each; copy a file instead."
        for target in self.files.values():
            if not PurePosixPath(target).is_absolute() or ".." in PurePosixPath(target).parts:
                return f"files copies to {target!r}; name an absolute path in the image."
        if any(map(_CREDENTIALS.search, [*self.commands, *self.requirements, self.index or ""])):
            return "Anyone who has an image can read how it was built: leave passwords and tokens out of addresses."
        return ""
