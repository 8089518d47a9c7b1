"""Where code is fetched from besides the site's own store, and code that is installed: as it is registered."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from appliance.kit.secret_names import is_name, name_problem
from appliance.protocol import code_addresses
from appliance.protocol.fetched_code import FetchedCode, Hash, ModuleName

_Address = Annotated[str, msgspec.Meta(min_length=1, max_length=code_addresses.LONGEST)]
_Secret = Annotated[str, msgspec.Meta(max_length=100)]
_NOT_SENT = "Credentials are sent over https, ssh or sftp alone; use such an address."


class ModuleCode(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The flow `flow` of the module `module`, which the distribution `distribution` of this `version` has installed. `sha256`: of the module's
    file."""

    type: Literal["module"] = "module"
    module: ModuleName
    flow: str
    sha256: Hash
    distribution: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=200)]
    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$", max_length=100)]


class PlacedCode(FetchedCode, kw_only=True):
    """The tree is at an address outside. The fields that name secrets are those of the flow's project."""

    url: _Address

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets that fetching the tree needs."""
        return []

    def check(self) -> None:
        """Raises ValueError, with a sentence."""
        super().check()
        if problem := self._problem():
            raise ValueError(problem)
        for name in self.secrets:
            if not is_name(name):
                raise ValueError(name_problem(name))
        if self.secrets and not code_addresses.may_carry_credentials(self.url):
            raise ValueError(_NOT_SENT)

    def _problem(self) -> str:
        """What is wrong with the address or the other fields of the place, in a sentence; empty if nothing is."""
        return ""


class GitCode(PlacedCode, kw_only=True):
    """The tree is one commit of a repository; `ref` is what the author called it. `token` and `key` are names of secrets: a token for https, which
    `user` signs in with, and a private key for ssh. `known_hosts`: the lines of the hosts that are trusted; empty: those that the agent trusts."""

    type: Literal["git"] = "git"
    commit: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\Z")]
    ref: str = ""
    user: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9@._-]*$", max_length=100)] = "git"
    token: _Secret | None = None
    key: _Secret | None = None
    known_hosts: Annotated[str, msgspec.Meta(max_length=20_000)] = ""

    @property
    def secrets(self) -> list[str]:
        return [name for name in (self.token, self.key) if name is not None]

    def _problem(self) -> str:
        if any("\n" in name for name in (self.path, *self.files)):
            return "The names of files in a repository must not have line breaks; rename the file."
        if not is_plain_text(self.known_hosts):
            return "known_hosts must be lines of text, as in a file known_hosts."
        return code_addresses.git_problem(self.url) or (self.ref and code_addresses.ref_problem(self.ref))


class ArchivedCode(PlacedCode, kw_only=True):
    """The tree is an archive below the address, under a name that follows from the files in it."""


class ObjectStoreCode(ArchivedCode, kw_only=True):
    """The archive is an object in S3, Google Cloud Storage or Azure, below the address."""

    type: Literal["object_store"] = "object_store"

    def _problem(self) -> str:
        return code_addresses.bucket_problem(self.url)


class SftpCode(ArchivedCode, kw_only=True):
    """The archive is a file in a folder of a host that speaks SFTP. `key` and `password` are names of secrets."""

    type: Literal["sftp"] = "sftp"
    key: _Secret | None = None
    password: _Secret | None = None
    known_hosts: Annotated[str, msgspec.Meta(max_length=20_000)] = ""

    @property
    def secrets(self) -> list[str]:
        return [name for name in (self.key, self.password) if name is not None]

    def _problem(self) -> str:
        if not is_plain_text(self.known_hosts):
            return "known_hosts must be lines of text, as in a file known_hosts."
        return code_addresses.sftp_problem(self.url)


class HttpCode(ArchivedCode, kw_only=True):
    """The archive is a file in a folder that is served over HTTP. `headers` names a secret: a JSON object with headers to send."""

    type: Literal["http"] = "http"
    headers: _Secret | None = None

    @property
    def secrets(self) -> list[str]:
        return [] if self.headers is None else [self.headers]

    def _problem(self) -> str:
        return code_addresses.http_problem(self.url)


def is_plain_text(text: str) -> bool:
    """Whether a text has printable characters and line breaks alone."""
    return all(character.isprintable() or character in "\n\t" for character in text)
