"""Where an automation may send to, and what an action must say for that."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import structs

from appliance.protocol.automations import Action
from appliance.server.domain.automation_acts import acts, only
from appliance.server.errors import Invalid

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
"""Where PagerDuty takes events, unless the action names a compatible receiver."""
HTTP_KINDS = frozenset({"webhook", "slack", "teams", "pagerduty", "alertmanager"})
_URL_IN_SECRET = frozenset({"slack", "teams"})
_LONGEST_URL, _MOST_ADDRESSES = 2_000, 50
_ADDRESS = re.compile(r"[^\s@<>,;\"\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,255}")
_SECRET = re.compile(r"[^/]{1,200}/[^/]{1,200}")
_PORTS = {"http": 80, "https": 443, "udp": 514, "tcp": 601}


def check(action: Action) -> None:
    """Raise Invalid for an action whose message can't be sent."""
    if action.kind == "email":
        _check_addresses(action.to)
        only(action, "to")
        return
    if action.secret and not _SECRET.fullmatch(action.secret):
        raise Invalid("Name the secret of an action as project/NAME, as in default/HOOK_KEY.")
    if action.kind == "syslog":
        only(action, "url")
        address_of(action.url, ("udp", "tcp", "unix"))
        return
    only(action, "url", "secret")
    if action.kind == "pagerduty" and not action.secret:
        raise Invalid("PagerDuty needs the secret that holds its routing key, as project/NAME.")
    if action.kind in _URL_IN_SECRET and bool(action.url) == bool(action.secret):
        raise Invalid("A chat needs its URL, or the secret that holds its URL, but not both.")
    if action.url or not (action.secret and action.kind in {*_URL_IN_SECRET, "pagerduty"}):
        address_of(action.url)


def address_of(url: str, schemes: tuple[str, ...] = ("http", "https")) -> tuple[str, int]:
    """Host and port of a URL; a path and 0 for a socket of Unix. Raises Invalid, which never quotes the URL: it may hold a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid("The URL of the action can't be read; write it like https://chat.example.org/hooks/1.") from error
    if len(url) > _LONGEST_URL or re.search(r"[\s\x00-\x1f\x7f]", url) or parts.scheme not in schemes:
        raise Invalid(f"The URL of the action has to begin with {', '.join(f'{name}://' for name in schemes)}.")
    if parts.scheme == "unix":
        if not parts.path.startswith("/") or parts.netloc:
            raise Invalid("Write a socket of Unix like unix:///dev/log.")
        return parts.path, 0
    if parts.username is not None or parts.password is not None:
        raise Invalid("The URL of the action contains a user name; keep credentials in a secret instead.")
    if not parts.hostname:
        raise Invalid("The URL of the action names no host.")
    return parts.hostname, port or _PORTS[parts.scheme]


def key_of(action: Action) -> str:
    """What is shared by actions that wait for the same receiver: those to one target are sent one after another, and so is all that is changed here."""
    if acts(action):
        return "here"
    if action.kind == "email":
        return "email"
    if not action.url:
        return f"{action.kind} {action.secret}"
    host, port = address_of(action.url, tuple({*_PORTS, "unix"}))
    return f"{host}:{port}"


def masked(action: Action) -> Action:
    """The action for those who may not edit it: of its URL, only the host. A path is often all that a chat asks for."""
    if not action.url:
        return action
    parts = urlsplit(action.url)
    url = action.url if parts.scheme == "unix" else f"{parts.scheme}://{parts.netloc}/…"
    return structs.replace(action, url=url)


def _check_addresses(addresses: list[str]) -> None:
    if not 1 <= len(addresses) <= _MOST_ADDRESSES:
        raise Invalid(f"An e-mail needs 1 to {_MOST_ADDRESSES} addresses.")
    for address in addresses:
        if not _ADDRESS.fullmatch(address):
            raise Invalid(f"{address[:80]!r} is not an address of e-mail.")
