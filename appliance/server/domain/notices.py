"""What a message looks like to each kind of receiver: bodies of requests, and lines of syslog."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import re
from collections.abc import Mapping
from typing import Any

from appliance.protocol.automations import ActionKind

SEVERITIES = {
    "run.succeeded": "info", "agent.returned": "info", "appliance.disk_recovered": "info",
    **dict.fromkeys(("run.cancelled", "run.late", "run.no_slot", "run.no_agent", "appliance.disk_low"), "warning"),
}  # fmt: skip
_ALL = re.compile(r"@(?=(?:all|channel|here|everyone)\b)", re.IGNORECASE)
_LEVELS = {"error": 3, "warning": 4, "info": 6}
_DAEMON = 3 * 8
_PREFIX = "whsec_"

Notice = Mapping[str, Any]


def severity(notice: Notice) -> str:
    """error, warning, or info."""
    return SEVERITIES.get(notice["event"], "error")


def body(kind: ActionKind, notice: Notice, secret: str) -> dict[str, Any] | list[Any]:
    """The JSON for a receiver over HTTP."""
    match kind:
        case "slack":
            return {"text": _calm(html.escape(notice["text"], quote=False)) + _link(notice)}
        case "teams":
            return _card(notice)
        case "pagerduty":
            return _pagerduty(notice, secret)
        case "alertmanager":
            return [_alert(notice)]
    return dict(notice)


def signature(secret: str, id: str, seconds: int, payload: bytes) -> str:
    """That of Standard Webhooks: HMAC-SHA256 over id, time and body. A secret that begins with whsec_ is a key in base64."""
    signed = f"{id}.{seconds}.".encode() + payload
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode("ascii")


def syslog_line(notice: Notice, host: str) -> bytes:
    """One message of RFC 5424."""
    fields = "".join(
        f' {name}="{_quoted(notice[name])}"' for name in ("id", "event", "project", "flow", "run_id") if name in notice
    )
    text = " ".join(str(notice["text"]).split())
    priority = _DAEMON + _LEVELS[severity(notice)]
    header = f"<{priority}>1 {notice['at']} {host or '-'} appliance - {notice['event']} [appliance@32473{fields}] "
    return header.encode("ascii", "replace") + text.encode()[:6_000]


def mail_text(notice: Notice) -> str:
    """The text of an e-mail: the sentence, the fields, and where to look."""
    fields = ("project", "flow", "run", "state", "agent", "skipped", "at", "automation")
    lines = [f"{name:<11} {notice[name]}" for name in fields if notice.get(name)]
    return "\n".join([notice["text"], "", *lines, *(["", notice["url"]] if "url" in notice else [])]) + "\n"


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def _calm(text: str) -> str:
    """The text without a call to everybody in a channel, which the message of a run might contain."""
    return _ALL.sub("@\u200b", text)


def _link(notice: Notice) -> str:
    return f"\n{notice['url']}" if "url" in notice else ""


def _card(notice: Notice) -> dict[str, Any]:
    content: dict[str, Any] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": notice["text"], "wrap": True}],
    }
    if "url" in notice:
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": notice["url"]}]
    return {
        "type": "message",
        "text": notice["text"],
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": content}],
    }


def _pagerduty(notice: Notice, routing_key: str) -> dict[str, Any]:
    payload = {
        "summary": notice["text"][:1_024],
        "source": notice.get("flow") or notice.get("agent") or "appliance",
        "severity": severity(notice),
        "timestamp": notice["at"],
        "custom_details": dict(notice),
    }
    event = {"routing_key": routing_key, "event_action": "trigger", "dedup_key": notice["id"], "payload": payload}
    return event | ({"links": [{"href": notice["url"], "text": "Open"}]} if "url" in notice else {})


def _alert(notice: Notice) -> dict[str, Any]:
    named = {name: str(notice[name]) for name in ("project", "flow", "run", "agent") if notice.get(name)}
    labels = {
        "alertname": notice["automation"],
        "event": notice["event"],
        "severity": severity(notice),
        **named,
        "id": notice["id"],
    }
    alert = {"labels": labels, "annotations": {"summary": notice["text"]}, "startsAt": notice["at"]}
    return alert | ({"generatorURL": notice["url"]} if "url" in notice else {})


def _quoted(value: object) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", str(value))
