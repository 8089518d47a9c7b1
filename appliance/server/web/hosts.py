"""Which host a request may be meant for. A name that somebody else points at this machine makes a browser treat their page as ours, so that
once the appliance knows its own names, it answers to no others."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from appliance.server.errors import Invalid

_FORM = re.compile(r"(\[(?P<six>[0-9a-fA-F:.]{2,45})\]|(?P<name>[A-Za-z0-9_.-]{1,253}))(:\d{0,5})?")


class HostCheck:
    """ASGI middleware. Raises Invalid; without `hosts`, only for a request with more than one Host header."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = refusal(scope, self._hosts)
        if reason is not None:
            raise Invalid(reason)
        await self._app(scope, receive, send)


def refusal(scope: Any, hosts: Collection[str]) -> str | None:
    """Why the request is refused; None: it isn't. Addresses and localhost always pass: no one can point them elsewhere."""
    values = [value for name, value in scope["headers"] if name == b"host"]
    if len(values) > 1:
        return "The request has more than one Host header; send one."
    if not hosts or (values and _is_ours(values[0].decode("latin-1").strip(), hosts)):
        return None
    return "The appliance doesn't answer to this host name; an administrator can add it to APPLIANCE_PUBLIC_URL."


def _is_ours(text: str, hosts: Collection[str]) -> bool:
    form = _FORM.fullmatch(text)
    if form is None:
        return False
    name = (form["six"] or form["name"]).lower().removesuffix(".")
    return name == "localhost" or name in hosts or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
