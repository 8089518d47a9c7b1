"""Which of the appliance's own clients the server understands: those of its release and of earlier ones."""

from __future__ import annotations

import re

from appliance.kit.distribution import DISTRIBUTION
from appliance.kit.version import VERSION

_CLIENT = re.compile(r"appliance/(\d{1,6}(?:\.\d{1,6}){0,3})")


def refusal(user_agent: str) -> str:
    """Why the server doesn't answer a client that calls itself so, in a sentence; empty if it does. Programs of others may be of any release."""
    client = _CLIENT.fullmatch(user_agent)
    if client is None or _numbers(client[1]) <= _numbers(VERSION):
        return ""
    return (
        f"This client is of release {client[1]}, and the server of {VERSION}, which is earlier; upgrade the server first, "
        f"or install {DISTRIBUTION}=={VERSION} for the client."
    )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]
