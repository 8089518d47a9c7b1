"""Registering on the machine of an appliance, as the user to whom its data belongs: who may do that decides from where its agent takes code, so
the folder of the flow is added."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from appliance import config
from appliance.client import flows
from appliance.client.errors import Invalid
from appliance.client.transport import Transport
from appliance.kit import added_folders, clock, privileges
from appliance.kit.privileges import Ids
from appliance.protocol.flows import Registered, Registration

CLOSED = "closed_folder"
"""The code of the server's refusal, whose details name the `folder`."""
_SETTINGS = ("APPLIANCE_DATA_DIR", "APPLIANCE_CONFIG")
_NOTICE_SECONDS = 10.0
"""An agent takes notice with its next claim, at most three seconds later."""
_PAUSE = 0.2

log = logging.getLogger("appliance")


def register(transport: Transport, request: Registration) -> Registered:
    """Register a flow, and open its folders to the agent of this machine if no agent takes code from there and that is ours to decide."""
    opened: list[str] = []
    while True:
        try:
            return flows.register(transport, request)
        except Invalid as error:
            folder = str(error.details.get("folder", ""))
            if error.code != CLOSED or folder in opened:
                raise
            data = _data_directory(transport.url)
            if data is None or not _add(data, folder):
                raise
            opened.append(folder)
            answer = _once_noticed(transport, request, folder)
            if answer is None:
                with suppress(OSError):
                    added_folders.remove(data, folder)
                raise
            log.warning("The agent of this machine takes code from %s from now on.", folder)
            if isinstance(answer, Registered):
                return answer


def _once_noticed(transport: Transport, request: Registration, folder: str) -> Registered | bool | None:
    """The answer once the agent has taken notice; True if it was refused for another folder, None if nothing changes."""
    deadline = clock.monotonic() + _NOTICE_SECONDS
    pause = threading.Event()
    while clock.monotonic() < deadline:
        try:
            return flows.register(transport, request)
        except Invalid as error:
            if error.code != CLOSED:
                raise
            if error.details.get("folder") != folder:
                return True
        pause.wait(_PAUSE)
    return None


def may_open(url: str, folder: str) -> bool:
    """Whether registering at this URL would open the folder to the agent of this machine."""
    data = _data_directory(url)
    try:
        return data is not None and folder not in ("", "/") and not unreadable(data, Path(folder))
    except (OSError, ValueError):
        return False


def _add(data: Path, folder: str) -> bool:
    """False if the folder can't be opened to the agent, for which the server's sentence stands."""
    try:
        return folder not in ("", "/") and not unreadable(data, Path(folder)) and added_folders.add(data, folder)
    except (OSError, ValueError):
        return False


def unreadable(data: Path, folder: Path) -> int | None:
    """The number of the user who runs flows, if that isn't us and can't enter the folder. Raises OSError if there is none."""
    folder.stat()
    try:
        agent = (data / "agent").stat()
    except FileNotFoundError:  # an agent that keeps its record elsewhere, or none
        return None
    if agent.st_uid in (0, os.geteuid()):
        return None
    return None if privileges.can_reach(folder, Ids(agent.st_uid, agent.st_gid), visible=data) else agent.st_uid


def _data_directory(url: str) -> Path | None:
    """The data directory of the appliance at this URL if it runs on this machine and its data is ours."""
    host = urlsplit(url).hostname or ""
    try:
        if host != "localhost" and not ip_address(host).is_loopback:
            return None
        data = config.load({name: os.environ[name] for name in _SETTINGS if name in os.environ}).data_path
        if os.geteuid() not in (0, data.stat().st_uid):
            return None
        with (data / ".lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return data
    except (OSError, ValueError, config.SettingsError):
        return None
    return None
