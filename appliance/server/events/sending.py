"""Sends a message to where an automation says: over HTTP, by e-mail, or to syslog. What it raises is a sentence for people."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from appliance.config import Settings
from appliance.kit.version import VERSION
from appliance.protocol.automations import Action
from appliance.server.domain import notices, targets
from appliance.server.errors import Invalid
from appliance.server.events.addresses import Bounds, NotSent, Refused, check_socket, places
from appliance.server.events.http_post import SECONDS, post

_URL_IN_SECRET = frozenset({"slack", "teams"})
_LONGEST_SUBJECT = 150


@dataclass(frozen=True)
class Outcome:
    """How it went: what was sent, what came back, and in a sentence why it did not arrive. A final one would not be another
    one later."""

    ok: bool
    request: str
    answer: str
    reason: str = ""
    is_final: bool = False


def send(action: Action, notice: Mapping[str, Any], secret: str, settings: Settings, now: datetime) -> Outcome:
    """Send the message once. It never raises what only says that the receiver has a problem."""
    if action.kind == "email":
        return _mail(action, notice, settings, now)
    if action.kind == "syslog":
        return _syslog(action, notice, bounds_of(settings))
    return _post(action, notice, secret, bounds_of(settings), now)


def bounds_of(settings: Settings) -> Bounds:
    """What automations of this site may send to."""
    database = urlsplit(settings.database_url)
    ports = {settings.port} | ({database.port or 5432} if database.scheme.startswith("postgres") else set())
    return Bounds(settings.open_targets, ports)


def _post(action: Action, notice: Mapping[str, Any], secret: str, bounds: Bounds, now: datetime) -> Outcome:
    is_hidden = action.kind in _URL_IN_SECRET and not action.url
    url = secret.strip() if is_hidden else action.url or targets.PAGERDUTY
    payload = msgspec.json.encode(notices.body(action.kind, notice, secret))
    headers = {"Content-Type": "application/json", "User-Agent": f"Appliance/{VERSION}", "Webhook-Id": notice["id"]}
    if action.kind == "webhook":
        seconds = int(now.timestamp())
        headers["Webhook-Timestamp"] = str(seconds)
        if secret:
            headers["Webhook-Signature"] = notices.signature(secret, notice["id"], seconds, payload)
    visible = notices.body(action.kind, notice, "…")
    lines = [
        f"POST {'(the URL in the secret)' if is_hidden else url}",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    request = "\n".join([*lines, "", msgspec.json.encode(visible).decode()])
    try:
        targets.address_of(url)
        answer = post(url, payload, headers, bounds)
    except (NotSent, Invalid) as error:
        return _failed(request, error)
    text = f"{answer.status} {answer.reason}\n\n{answer.text}".strip()
    return Outcome(answer.ok, request, text, "" if answer.ok else _why(answer.status, answer.is_whole))


def _failed(request: str, error: Exception) -> Outcome:
    return Outcome(False, request, "", str(error), isinstance(error, Refused | Invalid))


def _why(status: int, is_whole: bool) -> str:
    if 300 <= status < 400:
        return f"The receiver redirects elsewhere ({status}); nothing is sent there, so use the new URL."
    if not is_whole:
        return f"The receiver's answer ({status}) was cut off."
    return f"The receiver answered {status}."


def _mail(action: Action, notice: Mapping[str, Any], settings: Settings, now: datetime) -> Outcome:
    mail = EmailMessage()
    mail["Subject"] = " ".join(str(notice["text"]).split())[:_LONGEST_SUBJECT]
    mail["From"] = settings.mail_from
    mail["To"] = ", ".join(action.to)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{notice['id']}@appliance>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(notices.mail_text(notice))
    try:
        if not settings.mail_server or not settings.mail_from:
            raise NotSent("No mail server is set; an administrator sets APPLIANCE_MAIL_SERVER and APPLIANCE_MAIL_FROM.")
        refused = _hand_over(mail, settings)
    except NotSent as error:
        return _failed(mail.as_string(), error)
    return Outcome(True, mail.as_string(), f"Accepted by {settings.mail_server}{_except(refused)}.")


def _hand_over(mail: EmailMessage, settings: Settings) -> list[str]:
    """Give the mail to the server; the addresses that it refused. Raises NotSent."""
    host, _, port = settings.mail_server.rpartition(":")
    try:
        with _connected(host.strip("[]"), int(port), settings.mail_security) as server:
            if settings.mail_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.mail_user:
                server.login(settings.mail_user, settings.mail_password)
            return sorted(server.send_message(mail))
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSent("The mail server refused every address.") from error
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"The mail server answered {error.smtp_code}: {_decoded(error.smtp_error)}") from error
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotSent(f"The mail server can't be reached: {getattr(error, 'strerror', None) or error}.") from error


def _connected(host: str, port: int, security: str) -> smtplib.SMTP:
    own = socket.gethostname()
    if security == "tls":
        return smtplib.SMTP_SSL(host, port, own, timeout=SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, own, timeout=SECONDS)


def _decoded(text: bytes | str) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")


def _except(refused: list[str]) -> str:
    return f", which refused {', '.join(refused)}" if refused else ""


def _syslog(action: Action, notice: Mapping[str, Any], bounds: Bounds) -> Outcome:
    line = notices.syslog_line(notice, socket.gethostname())
    scheme = urlsplit(action.url).scheme
    try:
        host, port = targets.address_of(action.url, ("udp", "tcp", "unix"))
        if scheme == "unix":
            check_socket(host, bounds)
            _write(socket.AF_UNIX, socket.SOCK_DGRAM, host, line)
        else:
            kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
            framed = line if scheme == "udp" else b"%d " % len(line) + line
            place = places(host, port, bounds, kind)[0]
            _write(place.family, kind, place.address, framed)
    except (NotSent, Invalid) as error:
        return _failed(line.decode(), error)
    except OSError as error:
        return _failed(line.decode(), NotSent(f"The log can't be reached: {error.strerror or type(error).__name__}."))
    return Outcome(True, line.decode(), "Handed over; syslog doesn't answer.")


def _write(family: int, kind: int, address: Any, data: bytes) -> None:
    with closing(socket.socket(family, kind)) as link:
        link.settimeout(SECONDS)
        link.connect(address)
        link.sendall(data)
        if kind == socket.SOCK_STREAM:
            link.shutdown(socket.SHUT_WR)
