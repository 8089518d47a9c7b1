"""The files by which an agent and the process of a run tell each other what they have no connection for. Agents import no engine for them."""

EXIT_FILE = "exit"
"""The exit code, from the process."""
STOP_FILE = "stop"
"""Why the process is to end, from the agent."""
CODE_FILE = "code.json"
"""Where the code is, from the agent."""
