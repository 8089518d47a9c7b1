"""Whether runs can read the keys of the site themselves, which their agent keeps from them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from appliance.agents.run_keys import RunKeys
from appliance.agents.run_users import Account
from appliance.kit import privileges
from appliance.kit.site_key import SETTING


def exposure(keys: RunKeys, accounts: Sequence[Account]) -> str:
    """Which runs can do so, in a sentence, if they work as one of these accounts. Empty if none can, and if runs are what the agent is, which has to
    read the file."""
    if keys.file is None:
        return ""
    try:
        names = [account.name for account in accounts if privileges.can_read(keys.file, account.ids)]
        is_open = keys.held and os.geteuid() != 0 and os.access(keys.file, os.R_OK)
    except OSError:  # it is gone since the agent has read it
        return ""
    if not names and not is_open:
        return ""
    who = f"Runs as {'user' if len(names) == 1 else 'users'} {', '.join(names)}" if names else "Runs"
    return (
        f"{who} can read the keys of the site, because the file that {SETTING} names is open to them: make root its owner, give it mode 600, and restart the "
        "agent."
    )
