"""The package index from which an agent installs: which projects it has, asked directly, so that refusals can name what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.client import trust
from appliance.protocol.environments import project_name

if TYPE_CHECKING:
    import httpx2

_SECONDS = 20.0
_LONGEST_PAGE = 32 * 1024 * 1024
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.2"
_MOST_NAMED = 5


class IndexClosed(Exception):
    """The index refuses the agent. The message is a sentence."""


class IndexUnreachable(Exception):
    """The index does not answer now. The message is a sentence."""


class PackageIndex:
    """The index at a URL, which may have a user and a password. Or a `token`, which is sent once the index asks for one."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._token, self._is_private = token, False
        place = urlsplit(self.url)
        self.shown = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()

    @contextmanager
    def address(self) -> Iterator[str]:
        """Where an installer reads it until the end of the block, after somebody has looked for a project here."""
        if not self._is_private:
            yield self.url
            return
        from appliance.agents import index_relay  # loaded only by an agent that installs

        with index_relay.relay(self.url, self._token) as address:
            yield address

    def has(self, project: str, version: str) -> bool:
        """Whether it has a wheel of this version. Raises IndexClosed or IndexUnreachable."""
        with self._client() as client:
            return version in self._versions(client, project)

    def missing(self, pins: Iterable[tuple[str, str]]) -> list[str]:
        """The first of these projects, with their versions, of which it has no wheel. Raises IndexClosed or IndexUnreachable."""
        lacking: list[str] = []
        with self._client() as client:
            for project, version in pins:
                versions = self._versions(client, project)
                if _plain(version) not in map(_plain, versions):
                    lacking.append(f"{project} {version}")
                if len(lacking) == _MOST_NAMED:
                    break
        return lacking

    def _versions(self, client: httpx2.Client, project: str) -> set[str]:
        """Those of its wheels."""
        import httpx2

        try:
            answer = self._page(client, project)
            if answer.status_code == 401 and self._token and not self._is_private:
                self._is_private = True
                answer = self._page(client, project)
        except httpx2.InvalidURL as error:
            raise IndexClosed(f"{self.shown} is not the address of an index; set APPLIANCE_AGENT_INDEX_URL.") from error
        except httpx2.HTTPError as error:
            raise IndexUnreachable(f"The package index {self.shown} can't be reached ({error}).") from error
        if answer.status_code in (401, 403) and self._token:
            raise IndexClosed(
                f"The package index {self.shown} refuses this agent's token. Create another with `appliance token create`, and restart the agent with it."
            )
        if answer.status_code in (401, 403):
            raise IndexClosed(
                f"The package index {self.shown} refuses this agent: it asks for a token. Set APPLIANCE_AGENT_INDEX_URL to an address with a token "
                "that may read packages, such as https://__token__:TOKEN@appliance.example.org/simple."
            )
        if answer.status_code in (404, 410):
            return set()
        if answer.status_code != 200:
            raise IndexUnreachable(f"The package index {self.shown} answered with status {answer.status_code}.")
        name = project_name(project).replace("-", "[-_.]+")
        return set(re.findall(rf"\b{name}-([A-Za-z0-9.!+_]+)-[^\"'<>/\s]+?\.whl\b", answer.text[:_LONGEST_PAGE], re.I))

    def _page(self, client: httpx2.Client, project: str) -> httpx2.Response:
        token = {"Authorization": f"Bearer {self._token}"} if self._is_private else {}
        return client.get(f"{self.url}/{project}/", headers={"Accept": _ACCEPT, **token})

    @contextmanager
    def _client(self) -> Iterator[httpx2.Client]:
        import httpx2

        try:
            opened = httpx2.Client(timeout=_SECONDS, follow_redirects=True)
        except OSError as error:  # the authorities to trust can't be read
            raise IndexUnreachable(str(trust.unusable(self.shown, error))) from error
        with opened as client:
            yield client


def _plain(version: str) -> str:
    """A version as it is compared here: 1.0 and 1.0.0 are the same."""
    return re.sub(r"(?:\.0)+$", "", version.lower())
