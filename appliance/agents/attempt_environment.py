"""The environment variables by which any agent hands an attempt to the process that runs it."""

from __future__ import annotations

from pathlib import PurePath

from appliance.agents.run_keys import RunKeys
from appliance.packaging.storage import identity
from appliance.protocol.agents import Work


def variables(work: Work, url: str, directory: PurePath, keys: RunKeys, *, hidden: bool) -> dict[str, str]:
    """What the process takes as its assignment. `url`: that of the server, `directory`: the one of its files, both as the process sees them; `hidden`:
    others of its user can't look into its memory."""
    return {
        "APPLIANCE_RUN_ID": str(work.flow_run_id),
        "APPLIANCE_RUN_ATTEMPT": str(work.attempt),
        "APPLIANCE_RUN_TOKEN": work.run_token,
        "APPLIANCE_RUN_DIR": str(directory),
        "APPLIANCE_RUN_CODE": identity(work.storage),
        "APPLIANCE_URL": url,
        **({"APPLIANCE_RUN_HIDDEN": "1"} if hidden else {}),
        **keys.variables(work.project_id),
    }
