"""How a command connects to the server."""

from __future__ import annotations

import click

from appliance import config
from appliance.client.transport import Transport

KEY = "appliance.idempotency_key"
"""Where the context of a command holds its --idempotency-key."""


def connect() -> Transport:
    """A transport to APPLIANCE_URL, authenticated with APPLIANCE_TOKEN. Its changes have the key of --idempotency-key, if it was given."""
    url, token = config.client_address()
    context = click.get_current_context(silent=True)
    return Transport(url, token, key=None if context is None else context.meta.get(KEY))
