"""Where code may be fetched from, written in one strict way: checked when a flow is registered, by the server, and again by the agent.

An address is shown to people and handed to programs, so it has no password, no options, and nothing that a program could take for an option.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

LONGEST = 2_000
_PRINTABLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_BUCKET = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PATH = re.compile(r"(/[A-Za-z0-9_~+@.,=-]+)*/?")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

GIT_FORMS = "https://host/path, ssh://user@host/path or file:///folder"
HTTP_FORMS = "https://host/path"
BUCKET_FORMS = "s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
SFTP_FORMS = "sftp://user@host/folder"


def git_problem(url: str) -> str:
    """Why git does not get this address of a repository, in a sentence; empty if it does."""
    return _problem(url, "repository", GIT_FORMS, ("https", "http", "ssh", "file"))


def http_problem(url: str) -> str:
    """The same for a folder that is served over HTTP."""
    return _problem(url, "folder", HTTP_FORMS, ("https", "http"))


def bucket_problem(url: str) -> str:
    """The same for a place in an object store."""
    return _problem(url, "object store", BUCKET_FORMS, ("s3", "gs", "az"))


def sftp_problem(url: str) -> str:
    """The same for a folder that is served over SFTP."""
    return _problem(url, "folder", SFTP_FORMS, ("sftp",))


def ref_problem(ref: str) -> str:
    """Why a name is not taken for a branch, a tag or a commit, in a sentence; empty if it is."""
    unusual = any(part in ref for part in ("..", "//", "/.", "@{")) or ref.endswith(("/", ".", ".lock"))
    if len(ref) > 250 or unusual or not _REF.fullmatch(ref):
        return f"The ref {_shown(ref)} is not a name of a branch, a tag or a commit; write it like main, v1.2 or refs/heads/main."
    return ""


def is_commit(text: str) -> bool:
    """Whether a text is the whole hash of a commit."""
    return _COMMIT.fullmatch(text) is not None


def may_carry_credentials(url: str) -> bool:
    """Whether credentials can be sent there: encrypted, or to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return parts.scheme not in ("http", "file") or host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _problem(url: str, what: str, forms: str, schemes: tuple[str, ...]) -> str:
    form = f"write it as {forms}."
    if len(url) > LONGEST or not _PRINTABLE.fullmatch(url) or url.startswith("-"):
        return f"The address of the {what} has characters that no such address has, or is too long; {form}"
    try:
        parts, port = urlsplit(url), _port(url)
    except ValueError:
        return f"The address of the {what} is not valid; {form}"
    if parts.password is not None or "?" in url or "#" in url or (parts.username and parts.scheme in ("http", "https")):
        return (
            f"The address of the {what} must not contain credentials or options, because it is shown to people; name a secret that has the "
            "credentials."
        )
    fine = parts.scheme in schemes and _is_place(parts, port) and url.startswith(f"{parts.scheme}://")
    return "" if fine else f"The address of the {what}, {_shown(url)}, can't be used; {form}"


def _port(url: str) -> int | None:
    """Raises ValueError for what is not a number of a port."""
    return urlsplit(url).port


def _is_place(parts: SplitResult, port: int | None) -> bool:
    if not _PATH.fullmatch(parts.path) or any(part in (".", "..") for part in parts.path.split("/")):
        return False
    path = parts.path.strip("/")
    if parts.scheme == "file":
        return not parts.netloc and bool(path)
    if parts.scheme in ("s3", "gs", "az"):
        return _BUCKET.fullmatch(parts.netloc) is not None
    user, at, host = parts.netloc.rpartition("@")
    name = host.removesuffix(f":{port}") if port is not None else host
    named = bool(_USER.fullmatch(user)) if at else True
    return named and _HOST.fullmatch(name) is not None and (bool(path) or parts.scheme in ("http", "https"))


def _shown(text: str) -> str:
    return ascii(text[:100])
