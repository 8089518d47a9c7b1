"""The agent that `appliance start` runs next to its server: an ordinary process agent that connects over loopback."""

from __future__ import annotations

from appliance.agents.environments import EnvironmentRules
from appliance.agents.introduction import names_in
from appliance.agents.process import ProcessAgent
from appliance.agents.roots import Roots
from appliance.agents.sealed_tokens import key_of
from appliance.client.transport import Transport
from appliance.config import Settings
from appliance.kit import lifecycle, logs


def main(settings: Settings, token: str, key: str, *, separated: bool) -> int:
    """Take runs until SIGTERM. Returns the exit code. As a user of their own, runs hide their memory from each other."""
    logs.configure(settings.log_level, settings.log_format)
    stop = lifecycle.stop_on_signals()
    agent = ProcessAgent(
        Transport(settings.local_url, token),
        name=settings.agent_name,
        labels=names_in(settings.agent_labels),
        projects=names_in(settings.agent_projects),
        capacity=settings.agent_capacity,
        state_dir=settings.data_path / "agent" / settings.agent_name,
        roots=Roots.of(settings),
        env_names=settings.open_env_names,
        results_url=settings.results,
        run_environ=settings.run_environ(),
        hidden=separated,
        key=key_of(key),
        users=names_in(settings.agent_users),
        environments=EnvironmentRules.of(settings, settings.local_url, token, default=True),
    )
    return agent.run(stop)
