"""Messages to Slack, Teams, Mattermost, and anything else that takes JSON at an address that is a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack
from urllib.parse import parse_qsl, urlsplit

from appliance.core import masking
from appliance.core.secrets import Secret
from appliance.tasks.http import HttpOptions, HttpTask, requests_to
from appliance.tasks.library.arguments import defaults_from_attrs, needed

__all__ = ["MattermostTask", "SlackTask", "TeamsTask", "WebhookTask"]

_SHORTEST_TOKEN = 12
Message = str | Mapping[str, Any]


class _ChatTask(HttpTask):
    by_default: ClassVar[str] = ""

    def __init__(
        self, message: Message | None = None, webhook_secret: str | None = None, **options: Unpack[HttpOptions]
    ) -> None:
        """Takes `ca_file`, `request_timeout`, and the options of Task, too. `webhook_secret` is the name of the secret with the address."""
        self._webhook = Secret(webhook_secret or self.by_default)
        super().__init__({"url": self._webhook}, **options)
        self.message, self.webhook_secret = message, webhook_secret

    @defaults_from_attrs("message")
    def run(self, message: Message | None = None, webhook_secret: str | None = None) -> int:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        given: Message = needed(self, "message", message)  # type: ignore[assignment]
        document = self.document(given) if isinstance(given, str) else dict(given)
        url = str((self._webhook if webhook_secret is None else Secret(webhook_secret)).get())
        _hide_parts(url)
        with requests_to(self, url) as requests:
            return requests.ask("POST", url, json=document).status_code

    def document(self, text: str) -> dict[str, Any]:
        return {"text": text}


class SlackTask(_ChatTask):
    """Sends a message to a channel of Slack: a text, or a dict with blocks. The address of the incoming webhook is the secret
    `SLACK_WEBHOOK_URL`, unless `webhook_secret` names another. The result is the status of the answer."""

    by_default = "SLACK_WEBHOOK_URL"


class MattermostTask(_ChatTask):
    """Sends a message to a channel of Mattermost: a text, or a dict. The address of the incoming webhook is the secret
    `MATTERMOST_WEBHOOK_URL`, unless `webhook_secret` names another. The result is the status of the answer."""

    by_default = "MATTERMOST_WEBHOOK_URL"


class TeamsTask(_ChatTask):
    """Sends a message to a channel or chat of Teams: a text, which becomes an adaptive card, or a dict. The address of the workflow
    is the secret `TEAMS_WEBHOOK_URL`, unless `webhook_secret` names another. The result is the status of the answer."""

    by_default = "TEAMS_WEBHOOK_URL"

    def document(self, text: str) -> dict[str, Any]:
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [{"type": "TextBlock", "text": text, "wrap": True}],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        return {"type": "message", "attachments": [attachment]}


class WebhookTask(_ChatTask):
    """Sends a dict as JSON, or a text as `{"text": ...}`, to the address in the secret `WEBHOOK_URL`, unless `webhook_secret` names
    another. The result is the status of the answer."""

    by_default = "WEBHOOK_URL"


def _hide_parts(url: str) -> None:
    """Mask what an answer or an error may show of the address, too: without its query, and what looks like a token in it."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    masking.hide(
        url.partition("?")[0], *(one for one in (*parts.path.split("/"), *values) if len(one) >= _SHORTEST_TOKEN)
    )
