"""The Python and the packages that a flow asks for: what may be in a run config, as the SDK, the server, and the agent each check it.

A requirement is a line of its own: a name with a pin, and perhaps a marker and hashes. Nothing else is taken: no address, path, or option could lead
an installer elsewhere than to the index that the agent's administrator chose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_REQUIREMENTS = 500
LONGEST_REQUIREMENTS = 256 * 1024
"""In characters, of all lines together."""
_LONGEST_PATH = 1_000
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
_EXTRAS = r"(?: ?\[[A-Za-z0-9._, -]{0,500}\])?"
_PIN = r" ?== ?(?P<version>[0-9][A-Za-z0-9.!+_-]{0,98})"
_MARKER = r"(?: ?;(?P<marker>[A-Za-z0-9_.'\"<>=!~()+*, -]{1,1000}))?"
_HASHES = r"(?P<hashes>(?: --hash=sha(?:256|384|512):[0-9a-f]{64,128})*)"
_REQUIREMENT = re.compile(rf"(?P<name>{_NAME}){_EXTRAS}{_PIN}{_MARKER}{_HASHES}", re.ASCII)
_VERSION = re.compile(r"3\.(?:1[1-9]|[2-9][0-9])", re.ASCII)
_COMMENT = re.compile(r"(?:^|[ \t])#.*")


def python_problem(python: str | None) -> str:
    """Why this can't name a Python, in a sentence; empty if it can, or says nothing."""
    if python is None or _VERSION.fullmatch(python):
        return ""
    if python.startswith("/") and len(python) <= _LONGEST_PATH and python.isprintable():
        return "" if ".." not in python.split("/") else "The path in python must not contain '..'; write it out."
    return f'python can\'t be {python[:80]!r}; write a version from 3.11 on, such as "3.12", or the absolute path of an interpreter.'


def requirements_problem(lines: Sequence[str]) -> str:
    """Why an agent can't install these, in a sentence; empty if it can."""
    if len(lines) > MOST_REQUIREMENTS:
        return f"There are more than {MOST_REQUIREMENTS} requirements; name fewer."
    if sum(map(len, lines)) > LONGEST_REQUIREMENTS:
        return f"The requirements are longer than {LONGEST_REQUIREMENTS:,} characters together; name fewer."
    hashed = 0
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        if match is None:
            return f"A requirement can't be {line[:100]!r}: {_reason(line)}"
        hashed += bool(match["hashes"])
    if hashed not in (0, len(lines)):
        bare = next(line for line in lines if "--hash=" not in line)
        return f"The requirement {bare[:100]!r} has no hash, and others have; give all of them hashes, or none."
    return ""


def normalized(line: str) -> str:
    """A requirement with single spaces."""
    return " ".join(line.split())


def lines_of(text: str) -> list[str]:
    """The requirements in the text of a lock file, without comments, each with its hashes in one line."""
    joined = "\n".join(_COMMENT.sub("", line).rstrip() for line in text.splitlines())
    lines = (normalized(line) for line in joined.replace("\\\n", " ").splitlines())
    return [line for line in lines if line]


def pin_of(line: str) -> tuple[str, str]:
    """The normalized name and the version in a requirement that was checked."""
    match = _REQUIREMENT.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:100]!r} is not a requirement with a pin.")
    return project_name(match["name"]), match["version"]


def constraint_of(line: str) -> str:
    """A requirement that was checked, without its extras and hashes, as what limits the versions of others."""
    match = _REQUIREMENT.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:100]!r} is not a requirement with a pin.")
    marker = f" ;{match['marker']}" if match["marker"] else ""
    return f"{match['name']}=={match['version']}{marker}"


def project_name(name: str) -> str:
    """The name of a project as indexes have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _reason(line: str) -> str:
    if line.startswith("-"):
        return "it is an option; which index is asked, and what is built, is decided by the agent's administrator."
    if "://" in line or "@" in line or line.startswith((".", "/", "~")) or "/" in line.partition(";")[0]:
        return "it is an address or a path; packages come only from the index of the agent."
    if line != normalized(line):
        return "it has line breaks, or spaces where none belong."
    if "--" in line:
        return "the only option that it may have is --hash=sha256:..."
    return "write a name and a version, as in pandas==2.2.3."
