"""The files by which an agent and the process of a run tell each other what they have no connection for. Agents import no engine for them."""

EXIT_FILE = "exit"
"""The exit code, from the process."""
STOP_FILE = "stop"
"""Why the process is to end, from the agent."""
CODE_FILE = "code.json"
"""Where the code is, from the agent."""
USAGE_FILE = "usage.json"
"""What the process has used, from itself at its very end."""
HANDED = "APPLIANCE_RUN_HANDED"
"""The variable with the folder of what an agent has put into a pod, which its process can only read."""
NEWER = 78
"""The exit code of a container's process whose SDK is of a later release than the server takes."""


def cancellation(reason: str) -> str:
    """The message of a run that is cancelled for this reason."""
    return reason if reason.startswith("Cancelled") else f"Cancelled: {reason}"
